// Tests of access codes on the pages: the code of a booking appears on the lock, and the visitor copies and replaces it. The server has
// simulated locks, and the visitor only waits and loads pages.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browse, open, serve, shoot } from "./browser.mjs";
import { check, fits, looks, visit } from "./looks.mjs";

let server, chromium;
before(async () => { server = await serve("-devices"); chromium = await browse(); });
after(async () => { await chromium?.close(); await server?.stop(); });

/** Loads the page again until every door of a booking with so many doors has its code, and returns the code. */
async function codeOnTheLocks(page, doors = 1) {
  for (let i = 0; i < 150; i++) {
    const rows = await page.locator("main .codes li").count();
    if (rows >= doors && await page.locator("main .codes .chip.current").count() === rows) return page.textContent("main .code");
    await page.waitForTimeout(200);
    await page.reload();
  }
  assert.fail(`the code is not on the locks: ${await page.textContent("main")}`);
}

/** Opens the booking of the guest who is in a room. */
async function openBooking(page, home, room) {
  for (let i = 0; i < 150; i++) {
    await page.goto(`${home}spaces/view?key=${room}`);
    const link = page.locator("main .codes li:has(.chip.current) a").first();
    if (await link.count() > 0) return link.click();
    await page.waitForTimeout(200);
  }
  return assert.fail(`no code is on the lock: ${await page.textContent("main")}`);
}

for (const javaScriptEnabled of [false, true]) {
  const room = "chiado-01";
  test(`a booking shows its code, which can be replaced, script ${javaScriptEnabled ? "on" : "off"}`, async () => {
    await visit(chromium, server, { ...looks.phone, javaScriptEnabled }, async (page) => {
      const home = await open(page, server.links.full);
      await openBooking(page, home, room);
      const first = await codeOnTheLocks(page);
      assert.match(first, /^\d{4,8}$/);
      assert.match(await page.textContent("main .codes"), /On the lock/);
      if (javaScriptEnabled) await fits(page, "booking with a code");
      if (javaScriptEnabled) await check(page, "booking with a code");
      await shoot(page, `codes booking ${javaScriptEnabled}`);
      assert.equal(await page.locator("main button[data-copy]:visible").count() > 0, javaScriptEnabled);
      if (javaScriptEnabled) {
        await page.click("main button[data-copy]");
        await page.waitForSelector("main button[data-copy]:has-text('Copied')");
      }
      const booking = page.url();
      await page.click("main >> text=Give a new code");
      if (javaScriptEnabled) await check(page, "the question before a code is replaced");
      await page.click("main form button.primary");
      assert.match(await page.textContent(".notice.done"), /has a new code/);
      assert.equal(new URL(page.url()).search, new URL(booking).search);
      const second = await codeOnTheLocks(page);
      assert.notEqual(second, first);
      await page.goto(`${home}spaces/view?key=${room}`);
      assert.match(await page.textContent("main .codes"), new RegExp(second));
      if (javaScriptEnabled) await check(page, "room with a code");
      await page.goto(`${home}reservations`);
      if (javaScriptEnabled) await check(page, "bookings with codes");
    });
  });
}
