// Tests of the page of a guest link. The first test goes all the way from an empty hotel to a guest who opens the door, and moves the
// clock of the server.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browse, open, serve, shoot } from "./browser.mjs";
import { check, fits, looks, looksGood, visit } from "./looks.mjs";

const customer = "Newcomer Inns";

let server, chromium;
before(async () => { server = await serve("-devices"); chromium = await browse(); });
after(async () => { await chromium?.close(); await server?.stop(); });

/** Asks the control endpoint of the server. */
async function ask(path, query = {}) {
  const answer = await fetch(`${server.origin}/-/${path}?${new URLSearchParams({ vertical: "hospitality", ...query })}`);
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
}

const now = async (by = "") => new Date(await ask("clock", { by }));

/** Returns the access codes of the customer, once a condition is true for all of them. */
async function codes(ready) {
  for (;;) {
    const { Items: items } = await ask("codes", { customer });
    if (items.length > 0 && items.every(ready)) return items;
  }
}

/** Returns a hand that counts clicks, filled fields and page loads. */
function handOf(page) {
  const cost = { clicks: 0, fields: 0, loads: 0 };
  page.on("domcontentloaded", () => { cost.loads++; });
  return {
    page, cost,
    click: async (selector) => { cost.clicks++; await Promise.all([page.waitForEvent("load"), page.locator(selector).first().click()]); },
    tick: async (selector) => { cost.clicks++; await page.locator(selector).first().check(); },
    fill: async (selector, text) => { cost.fields++; await page.locator(selector).first().fill(text); },
  };
}

const local = (time) => time.toISOString().slice(0, 16); // the hotel has no time zone, so its times are in UTC

/** Asserts that a page prints on one sheet. Only Chromium's own PDF shows the pages. */
async function printsOnOnePage(page) {
  const pdf = (await page.pdf({ format: "A4" })).toString("latin1");
  assert.equal(pdf.match(/\/Type\s*\/Page[^s]/g)?.length, 1, "printed pages");
}

test("from an empty hotel to a guest who opens the door", async (t) => {
  const phone = await chromium.context({ ...looks.phone, locale: "en-US", javaScriptEnabled: false });
  const desk = await chromium.context({ ...looks.desktop, locale: "en-US" });
  try {
    const began = await now();
    const hand = handOf(await desk.newPage());
    const { page } = hand;
    const home = await open(page, server.links.empty);
    const steps = () => page.locator(".setup li").allInnerTexts();

    await hand.click(".tabs a[href$='/spaces']");
    await hand.click("main a[href*='spaces/new']");
    await hand.fill("[name=name]", "Room 204");
    await page.selectOption("[name=kind]", { label: "Room" }).catch(() => {}); // the form offers the kind only if there are several
    await hand.click("main form button.primary");

    await hand.click(".tabs >> text=Settings");
    assert.match((await steps()).join(), /^Add a room\s+Done,Connect an account,Assign devices,Add staff/);
    await looksGood(page, "first steps", ["phone", "dark"]);
    await hand.click("main .provider form button");
    await hand.fill("[name='answer.username']", "annex");
    await hand.fill("[name='answer.password']", "open sesame");
    await hand.click("main button.primary");
    await hand.click("main .views a[href$='/organize']");
    while (await page.locator("main li:has-text('Room 204') button").count() === 0) await page.reload(); // until the devices have been read
    await hand.click("main li:has-text('Room 204') button:has-text('Accept')");

    await page.click(".tabs >> text=Settings"); // not a part of the task
    assert.deepEqual(await steps(), [], "the first steps are done");

    const starts = new Date((await now()).getTime() + 3 * 3600e3);
    const ends = new Date(starts.getTime() + 24 * 3600e3);
    await hand.click(".tabs a[href$='/reservations']");
    await hand.click("main a[href*='reservations/new']");
    await hand.fill("[name=starts_at]", local(starts));
    await hand.fill("[name=ends_at]", local(ends));
    await hand.fill("[name=guest_name]", "Ada Lovelace");
    await hand.tick("[name=space]");
    await hand.click("main form button.primary");
    const key = new URL(page.url()).searchParams.get("key");
    assert.ok(key, page.url());
    const booked = await now();

    await page.click("main >> text=Guest link");
    await looksGood(page, "guest link", ["phone", "dark"]);
    await page.click("main form button.primary");
    assert.equal(new URL(await page.inputValue("#guestlink")).origin, server.origin);
    await looksGood(page, "guest link created", ["phone", "dark"]);
    await page.goto(`${home}reservations/view?key=${key}`);

    const { url } = await ask("guest", { customer, key });
    const guest = handOf(await phone.newPage());
    await guest.page.goto(url);
    assert.match(await guest.page.textContent("main"), /Your code appears here on/);
    assert.equal(await guest.page.locator(".pin, button.primary").count(), 0, "neither the code nor the button before the stay");
    await fits(guest.page, "guest before the stay");
    await shoot(guest.page, "guest before");

    // The code is due an hour before the stay.
    await codes((c) => c.status === "unset");
    const due = await now("2h");
    const set = await codes((c) => c.status === "set" || c.is_scheduled_on_device === true);
    assert.equal(set.length, 1);
    const ready = new Date(set[0].updated_at);
    assert.ok(ready < new Date(set[0].starts_at), "the code is on the lock before the guest arrives");

    const arrived = await now("61m");
    guest.cost.loads = 0;
    await guest.page.goto(url);
    assert.match(await guest.page.textContent(".pin"), /^\s*\d{4,}\s*$/);
    assert.match(await guest.page.textContent(".doors"), /Room 204[^]*Your code works here/);
    await fits(guest.page, "guest during the stay");
    await shoot(guest.page, "guest during");
    await guest.click("button.primary:has-text('Unlock')");
    for (;;) {
      const text = await guest.page.textContent(".notice");
      if (!/In progress/.test(text)) {
        assert.match(text, /The door is unlocked/);
        break;
      }
      await guest.page.reload();
    }
    const opened = await now();
    assert.equal((await ask("device", { device: "lock-204", do: "state" })).locked, false);
    await shoot(guest.page, "guest unlocked");

    const { cost } = hand;
    const seconds = (from, to) => Math.round((to - from) / 1000);
    t.diagnostic(`the hotel: ${cost.clicks} clicks, ${cost.fields} fields, ${cost.loads} loads; the guest: ${guest.cost.clicks} click, ${guest.cost.loads} loads`);
    t.diagnostic(`on the clock of the server: booked ${seconds(began, booked)} s after the start, the code on the lock ${seconds(due, ready)} s after it was due, ` +
      `the door open ${seconds(arrived, opened)} s after the arrival`);
    assert.ok(cost.clicks <= 12 && cost.fields <= 6, `the hotel needs ${cost.clicks} clicks and ${cost.fields} fields`);
    assert.equal(guest.cost.clicks, 1);
  } finally {
    await Promise.all([desk.close(), phone.close()]);
  }
});

for (const look of ["phone", "dark phone", "desktop", "dark"]) {
  test(`the page of a guest link has no findings of axe, ${look}`, async () => {
    const { guest } = await ask("again");
    await visit(chromium, server, { ...looks[look], locale: "en-US" }, async (page) => {
      await page.goto(guest.URL);
      await page.waitForSelector("button.primary");
      await check(page, `guest ${look}`);
      await fits(page, `guest ${look}`);
      await shoot(page, `guest ${look}`);
      if (look === "desktop") {
        await printsOnOnePage(page);
        await page.emulateMedia({ media: "print" });
        assert.equal(await page.locator("button:visible, footer:visible, form:visible").count(), 0, "no buttons on paper");
        assert.ok(await page.locator("dl:visible").count() > 0);
        await shoot(page, "guest print");
        await page.emulateMedia({ media: "screen" });
      }
      await page.click("button.primary");
      await page.waitForSelector(".notice.done, .notice.warn, .notice.fault");
      await check(page, `guest ${look} with a result`);
    });
  });
}

for (const locale of ["pt-PT", "fr-FR", "it-IT", "es-ES", "de-DE", "nl-NL", "el-GR", "pl-PL", "ru-RU"]) {
  test(`the page of a guest link in ${locale} fits a small phone`, async () => {
    const { guest } = await ask("again");
    await visit(chromium, server, { viewport: { width: 320, height: 568 }, locale, javaScriptEnabled: false }, async (page) => {
      await page.goto(guest.URL);
      assert.equal(await page.getAttribute("html", "lang"), locale);
      await fits(page, `guest ${locale}`);
      await shoot(page, `guest ${locale}`);
      await page.selectOption("#set_locale", "en-US");
      await page.click("footer button");
      assert.equal(await page.getAttribute("html", "lang"), "en-US");
    });
  });
}
