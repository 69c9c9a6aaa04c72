// Tests that every page of the preview has all its links, buttons and fields without script.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browse, open, serve } from "./browser.mjs";
import { looks, visit } from "./looks.mjs";

let server, chromium;
before(async () => { server = await serve(); chromium = await browse(); });
after(async () => { await chromium?.close(); await server?.stop(); });

/** Returns the visible links, buttons and fields of a page. Without script a visitor copies the selected text, so there is no button. */
function controls(page) {
  return page.$$eval("a[href], button:not([data-copy]), input:not([type=hidden]), select, textarea, summary", (all) => all
    .filter((e) => e.checkVisibility() && e.getBoundingClientRect().width > 0)
    .map((e) => `${e.tagName} ${e.name || e.textContent.trim()}`));
}

for (const name of ["full", "soon", "empty", "embedded", "deeplink", "readonly", "restricted", "organize", "rental", "homes"]) {
  test(`every page of ${name} has all its controls without script`, async () => {
    await visit(chromium, server, { ...looks.desktop, javaScriptEnabled: false }, async (plain) => {
      await visit(chromium, server, looks.desktop, async (scripted) => {
        const link = await server.link(name);
        const [plainHome, scriptedHome] = [await open(plain, link), await open(scripted, link)];
        let seen = 0;
        for (const path of link.Pages ?? []) {
          const status = (await plain.goto(plainHome + path)).status();
          assert.equal(status, (await scripted.goto(scriptedHome + path)).status(), path);
          assert.ok(await plain.isVisible("h1"), path);
          const without = await controls(plain);
          const missing = (await controls(scripted)).filter((control) => !without.includes(control));
          assert.deepEqual(missing, [], path);
          seen += without.length;
        }
        assert.ok(seen > 0);
      });
    });
  });
}
