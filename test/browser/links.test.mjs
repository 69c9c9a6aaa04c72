// Opening a link: in a browser that blocks cookies, after the session is over, and with
// what mail programs add to its address.
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

test("a browser that blocks cookies loses no use, and opens the link once it keeps them", async () => {
  await visit(async (page, context) => {
    for (const _ of [1, 2, 3]) { // more often than the link may be used
      await page.goto(server.links.click.URL);
      await context.clearCookies();
      await page.click("button.primary");
      await page.waitForSelector("text=Your browser keeps no cookies");
    }
    await page.click("main a.primary"); // the page offers the link again
    await page.click("button.primary");
    await page.waitForSelector("nav");
    home(page.url());
  });
});

test("a link that was used opens again in its browser when the session is over, and in no other", async () => {
  let link = server.links.click.URL; // may be used twice, once of which is spent above
  await visit(async (page, context) => {
    await page.goto(link);
    await page.click("button.primary");
    const portal = home(page.url());
    // The session's cookie goes, as it does after some time; that of the browser stays.
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

test("a portal that is closed in one tab says so in another", async () => {
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

test("a slash, a full stop or a bracket after a link leads to it", async () => {
  for (const tail of ["/", ".", ")", "%22", "?again=1"]) {
    await visit(async (page) => {
      await page.goto(server.links.full.URL + tail);
      home(page.url());
    });
  }
});

test("a name written from right to left does not reorder what is beside it", async () => {
  await visit(async (page) => {
    await page.goto(server.links.hostile.URL);
    await page.goto(home(page.url()) + "spaces?view=all");
    const cells = await page.$$eval("main tbody bdi", (all) => all.map((e) => getComputedStyle(e).unicodeBidi));
    assert.ok(cells.length > 0);
    assert.ok(cells.every((bidi) => bidi === "isolate"), cells.join());
  });
});
