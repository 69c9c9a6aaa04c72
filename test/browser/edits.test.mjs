// Tests of the forms with which the front desk changes several things in one step: without script, with the keyboard only, on a
// phone, and with large text.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browse, loads, open, press, reach, serve } from "./browser.mjs";
import { desktop, looksGood, visit } from "./looks.mjs";

let server, chromium;
before(async () => { server = await serve(); chromium = await browse(); });
after(async () => { await chromium?.close(); await server?.stop(); });

/** Visits the portal with all features. */
const inHotel = (options, work) => visit(chromium, server, options, async (page) => work(page, await open(page, server.links.full)));

test("the nights of a new booking, with the keyboard only", async () => {
  await inHotel({ viewport: desktop }, async (page, home) => {
    await page.goto(`${home}reservations/new?space=chiado-03&from=2033-05-10`);
    await reach(page, "#f-nights");
    await page.keyboard.type("1000");
    await loads(page, () => page.keyboard.press("Enter"));
    assert.equal(await page.evaluate(() => document.activeElement.id), "f-nights", "the fault has the focus");
    await looksGood(page, "nights with a fault");
    await page.keyboard.press("Control+A");
    await page.keyboard.type("3");
    await reach(page, "#f-guest_name");
    await page.keyboard.type("Grace");
    await loads(page, () => page.keyboard.press("Enter"));
    assert.match(page.url(), /reservations\/view/);
    assert.match(await page.textContent(".stay"), /May 13, 2033.*3 nights/s);
  });
});

for (const javaScriptEnabled of [true, false]) {
  test(`staff by floor with the keyboard only, script ${javaScriptEnabled ? "on" : "off"}`, async () => {
    const context = await chromium.context({ viewport: desktop, javaScriptEnabled });
    const page = await context.newPage();
    const home = await open(page, server.links.full);
    await page.goto(`${home}staff/new`);
    await page.locator("#f-name").focus();
    await page.keyboard.type(`Rosa ${javaScriptEnabled}`);
    await press(page, /^Add Everywhere$/);
    const all = await page.locator("[name=space]:checked").count();
    assert.equal(all, await page.locator("[name=space]").count());
    await press(page, /^Leave out Lisbon Chiado$/);
    const rest = await page.locator("[name=space]:checked").count();
    assert.ok(rest > 0 && rest < all, `${rest} of ${all}`);
    if (javaScriptEnabled) await looksGood(page, "staff groups");
    await page.locator("#f-name").focus();
    await loads(page, () => page.keyboard.press("Enter")); // saves, and does not press the first button of a group
    assert.match(await page.textContent("h1"), /Rosa/);
    assert.equal(await page.locator('main .list a[href*="spaces/view"]').count(), rest);
    await context.close();
  });
}

test("a large delete names the guests in house and needs the name, with the keyboard only", async () => {
  await inHotel({ viewport: desktop }, async (page, home) => {
    await page.goto(`${home}spaces/delete?key=chiado`);
    assert.match(await page.textContent("h1"), /Delete Lisbon Chiado\?/);
    assert.match(await page.textContent(".notice.warn h2"), /^\d+ guests are in house$/);
    await looksGood(page, "delete a hotel");
    await reach(page, "#f-typed_name");
    await page.keyboard.type("Porto");
    await loads(page, () => page.keyboard.press("Enter"));
    assert.match(await page.textContent(".error"), /This is not the name/);
    assert.equal(await page.evaluate(() => document.activeElement.id), "f-typed_name");
    await looksGood(page, "delete a hotel, wrong name");
    await page.goto(`${home}spaces/view?key=chiado`);
    assert.match(await page.textContent("h1"), /Lisbon Chiado/, "it still exists");
  });
});
