// Tests of opening a link: in a browser that blocks cookies, after the session has ended, and with characters that mail
// programs add to the address.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browse, home, serve } from "./browser.mjs";

let server, chromium;
before(async () => {
  server = await serve();
  chromium = await browse();
});
after(async () => { await chromium?.close(); await server?.stop(); });

async function visit(work) {
  const context = await chromium.context();
  try { await work(await context.newPage(), context); } finally { await context.close(); }
}

test("a browser that blocks cookies does not use up the link", async () => {
  await visit(async (page, context) => {
    for (const _ of [1, 2, 3]) { // more often than the maximum number of uses
      await page.goto(server.links.click.URL);
      await context.clearCookies();
      await page.click("button.primary");
      await page.waitForSelector("text=Your browser keeps no cookies");
    }
    await page.click("main a.primary"); // the page has a button that opens the link again
    await page.click("button.primary");
    await page.waitForSelector("nav");
    home(page.url());
  });
});

test("a used link opens again only in the same browser after the session has ended", async () => {
  let link = server.links.click.URL; // has two uses; the test above used one
  await visit(async (page, context) => {
    await page.goto(link);
    await page.click("button.primary");
    const portal = home(page.url());
    // Remove the cookie of the session, as its expiry would; keep the cookie that identifies the browser.
    const kept = (await context.cookies()).filter((c) => c.name.endsWith("browser"));
    assert.equal(kept.length, 1);
    await context.clearCookies();
    await context.addCookies(kept);
    await page.goto(`${portal}reservations`);
    assert.match(await page.textContent("h1"), /No portal is open in this browser/);
    await page.goto(link);
    assert.equal(home(page.url()), portal, "it opens without a click");
  });
  await visit(async (page) => {
    assert.equal((await page.goto(link)).status(), 410);
  });
});

test("closing a portal in one tab is shown in another tab", async () => {
  await visit(async (page, context) => {
    await page.goto(server.links.full.URL);
    const other = await context.newPage();
    await other.goto(home(page.url()) + "end");
    await other.click("main button.primary");
    await other.waitForSelector("text=The portal is closed");
    await page.click("nav >> text=Guests");
    assert.match(await page.textContent("h1"), /The portal is closed/);
  });
});

test("a link opens with a slash, a full stop or a bracket at the end", async () => {
  for (const tail of ["/", ".", ")", "%22", "?again=1"]) {
    await visit(async (page) => {
      await page.goto(server.links.full.URL + tail);
      home(page.url());
    });
  }
});

test("a right-to-left name does not reorder the text next to it", async () => {
  await visit(async (page) => {
    await page.goto(server.links.hostile.URL);
    await page.goto(home(page.url()) + "spaces?view=all");
    const cells = await page.$$eval("main tbody bdi", (all) => all.map((e) => getComputedStyle(e).unicodeBidi));
    assert.ok(cells.length > 0);
    assert.ok(cells.every((bidi) => bidi === "isolate"), cells.join());
  });
});
