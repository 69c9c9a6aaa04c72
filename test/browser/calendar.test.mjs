// Tests of the page Calendar: without script, with the keyboard, on a phone and on paper. Also of other pages on paper.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browse, open, serve, shoot } from "./browser.mjs";
import { check, fits, looks, visit } from "./looks.mjs";

let server, chromium, large;
before(async () => {
  server = await serve();
  chromium = await browse();
  large = await (await fetch(`${server.origin}/-/large?bookings=5000`)).json();
});
after(async () => { await chromium?.close(); await server?.stop(); });

for (const javaScriptEnabled of [true, false]) {
  test(`a free day leads to a new booking of the room on that day, script ${javaScriptEnabled ? "on" : "off"}`, async () => {
    await visit(chromium, server, { ...looks.desktop, javaScriptEnabled }, async (page) => {
      const home = await open(page, { URL: large.URL });
      await page.goto(`${home}calendar?from=2031-05-10`);
      const cell = page.locator("tr", { has: page.locator("th a", { hasText: /^Room 103$/ }) }).locator("td").nth(2).locator("a");
      assert.equal(await cell.getAttribute("aria-label"), "Room 103 is free on May 12. Book it");
      await cell.focus();
      await page.keyboard.press("Enter");
      await page.waitForURL(/reservations\/new/);
      const asked = new URL(page.url()).searchParams;
      assert.deepEqual([asked.get("space"), asked.get("from")], ["room-0-02", "2031-05-12"]);
    });
  });
}

test("50 rooms have no findings of axe-core, and names stay visible on a phone", async () => {
  await visit(chromium, server, looks.phone, async (page) => {
    const home = await open(page, { URL: large.URL });
    await page.goto(`${home}calendar`);
    assert.equal(await page.locator(".cal tbody th[scope=row]").count(), 50);
    await check(page, "calendar");
    await fits(page, "calendar");
    const box = (selector) => page.locator(selector).first().boundingBox();
    const scroller = await box(".cal");
    const name = await box(".cal th[scope=row]");
    const day = await box(".cal thead th:nth-child(3)");
    const days = (scroller.width - name.width) / day.width;
    assert.ok(days >= 3 && days < 5, `${days} days fit`);
    await page.locator(".cal").evaluate((e) => { e.scrollLeft = 400; });
    assert.equal((await box(".cal th[scope=row]")).x, name.x);
    await shoot(page, "calendar phone");
  });
});

test("text of twice the size does not make the page wider", async () => {
  await visit(chromium, server, looks.desktop, async (page) => {
    const home = await open(page, { URL: large.URL });
    await page.goto(`${home}calendar`);
    await page.evaluate(() => { document.documentElement.style.fontSize = "200%"; });
    await fits(page, "calendar");
    const clipped = await page.$$eval(".cal thead th", (all) => all.filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.textContent));
    assert.deepEqual(clipped, []);
  });
});

/** Returns on how many pages of paper the present page is printed. */
const sheets = async (page) => (await page.pdf({ preferCSSPageSize: true })).toString("latin1").match(/\/Type\s*\/Page\b/g).length;

test("50 rooms are printed on two pages", async () => {
  await visit(chromium, server, looks.desktop, async (page) => {
    const home = await open(page, { URL: large.URL });
    await page.goto(`${home}calendar`);
    assert.equal(await sheets(page), 2);
  });
});

test("Today is printed on one page, and a page of bookings on two", async () => {
  await visit(chromium, server, looks.desktop, async (page) => {
    const home = await open(page, { URL: large.URL });
    assert.equal(await sheets(page), 1);
    await page.goto(`${home}reservations`);
    assert.equal(await sheets(page), 2);
  });
});
