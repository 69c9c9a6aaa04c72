// The picture in the README: the page Today of the sample hotel. With PORTAL_SCREENSHOTS=DIR, DIR/README.png is a new one.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { browse, open, serve } from "./browser.mjs";

const viewport = { width: 1280, height: 800 };

/** Returns the width and the height of a PNG, which are in its first chunk. */
const sizeOf = (png) => ({ width: png.readUInt32BE(16), height: png.readUInt32BE(20) });

test("the picture in the README has the size of the page and at most 200 KB", async () => {
  const server = await serve();
  const chromium = await browse();
  try {
    const page = await (await chromium.context({ viewport, colorScheme: "light", locale: "en-US" })).newPage();
    await open(page, server.links.full);
    assert.equal(await page.locator("h1").innerText(), "Today");
    const taken = await page.screenshot();
    const shots = process.env.PORTAL_SCREENSHOTS;
    if (shots) {
      mkdirSync(shots, { recursive: true });
      writeFileSync(join(shots, "README.png"), taken);
    }
    const committed = readFileSync(new URL("../../docs/portal.png", import.meta.url));
    for (const png of [taken, committed]) {
      assert.deepEqual(sizeOf(png), viewport);
      assert.ok(png.length <= 200_000, `${png.length} bytes`);
    }
  } finally {
    await chromium.close();
    await server.stop();
  }
});
