// Tests of the forms with which the front desk changes several things in one step: without script, with the keyboard only, on a
// phone, and with large text.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browse, loads, open, press, reach, serve } from "./browser.mjs";
import { desktop, fits, looks, looksGood, visit } from "./looks.mjs";

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
    await page.waitForSelector("#f-nights:focus"); // the fault
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

test("a staff member serves from and until a time, in two languages", async () => {
  let member;
  await inHotel({ viewport: desktop, locale: "en-US" }, async (page, home) => {
    await page.goto(`${home}staff/new`);
    await page.fill("#f-name", "Ilse");
    await page.fill("#f-starts_at", "2033-12-03T18:00");
    await page.fill("#f-ends_at", "2033-12-01T08:00");
    await page.check("[name=space] >> nth=0");
    await loads(page, () => page.click("button.primary"));
    await page.waitForSelector("#f-ends_at:focus"); // the fault
    assert.equal(await page.textContent("#e-ends_at"), "The end must be after the start.");
    assert.equal(await page.inputValue("#f-starts_at"), "2033-12-03T18:00");
    await looksGood(page, "staff times with a fault");
    await page.fill("#f-starts_at", "2033-12-01T08:00");
    await page.fill("#f-ends_at", "2033-12-03T18:00");
    await loads(page, () => page.click("button.primary"));
    assert.match(page.url(), /staff\/view/);
    member = new URL(page.url()).searchParams.get("key");
    assert.match(await page.textContent("main"), /From\s*Thu, Dec 1, 2033, 8:00\sAM\s*Until\s*Sat, Dec 3, 2033, 6:00\sPM/);
    await looksGood(page, "a staff member with times");
    await page.goto(`${home}staff?q=Ilse`);
    assert.equal(await page.textContent("main .chip"), "From Dec 1, 2033");
    await looksGood(page, "the list of staff with times");
  });
  await inHotel({ ...looks.phone, javaScriptEnabled: false, locale: "de-DE" }, async (page, home) => {
    await page.goto(`${home}staff/spaces?key=${member}`);
    assert.equal(await page.inputValue("#f-ends_at"), "2033-12-03T18:00");
    assert.equal(await page.textContent("label[for=f-ends_at]"), "Bis");
    await page.fill("#f-starts_at", "");
    await fits(page, "staff times in German");
    await loads(page, () => page.click("button.primary"));
    assert.match(await page.textContent("main"), /Bis\s*Sa, 3\. Dez\. 2033, 18:00/);
    await page.goto(`${home}staff?q=Ilse`);
    assert.equal(await page.textContent("main .chip"), "Bis 3. Dez. 2033");
    await fits(page, "the list of staff in German");
    await page.goto(`${home}staff/remove?key=${member}`);
    await loads(page, () => page.click("button.danger"));
  });
});

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
    await page.waitForSelector("#f-typed_name:focus");
    await looksGood(page, "delete a hotel, wrong name");
    await page.goto(`${home}spaces/view?key=chiado`);
    assert.match(await page.textContent("h1"), /Lisbon Chiado/, "it still exists");
  });
});
