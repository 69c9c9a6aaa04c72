// Tests of the pages of a front desk that ask or explain before they save, with the keyboard only: a booking, an extension and a
// move into a room that is taken, and a change that can no longer be undone.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browse, open, press, reach, serve } from "./browser.mjs";
import { fits, looks, looksGood, visit } from "./looks.mjs";

let server, chromium, hotel;
before(async () => {
  server = await serve();
  chromium = await browse();
  hotel = await (await fetch(`${server.origin}/-/large?bookings=20&rooms=12`)).json();
});
after(async () => { await chromium?.close(); await server?.stop(); });

/** Makes a push of the host that creates or changes a booking or another resource. */
async function push(resource, list = "bookings") {
  const body = JSON.stringify({ customer_key: hotel.CustomerKey, [list]: [resource] });
  const answer = await fetch(`${server.origin}/-/push?vertical=hospitality`, { method: "POST", body });
  assert.equal(answer.status, 200, await answer.text());
}

const stored = async (key) => (await fetch(`${server.origin}/-/grant?vertical=hospitality&key=${key}`)).json();

let year = 2040;
/** Runs a test with Ada's booking of the first room, and Grace's booking of the same room after it, in a year of their own. */
function run(name, work, javaScriptEnabled = true) {
  test(`${name}, script ${javaScriptEnabled ? "on" : "off"}`, async () => {
    const own = year++;
    const booking = (who, from, until) => ({
      booking_key: `${who}-${own}`, name: `${who} ${own}`, room_keys: ["room-0-00"], starts_at: `${own}-05-${from}T15:00:00Z`, ends_at: `${own}-05-${until}T11:00:00Z`,
    });
    const [ada, grace] = [booking("ada", "01", "03"), booking("grace", "03", "05")];
    await push(ada);
    await push(grace);
    const look = javaScriptEnabled ? looks.desktop : looks.phone;
    await visit(chromium, server, { ...look, javaScriptEnabled, locale: "en-US" }, async (page) => {
      // axe-core does not run without script.
      const good = (what) => (javaScriptEnabled ? looksGood(page, what, ["dark phone"]) : fits(page, what));
      await work({ page, home: await open(page, { URL: hotel.URL }), ada, grace, own, good });
    });
  });
}

/** Checks that the page asks about a clash with a booking. */
async function asks({ page, good }, booking) {
  assert.equal(await page.locator("main .notice.warn:not([hidden])").count(), 1);
  assert.match(await page.textContent("main"), new RegExp(booking.name));
  await good(`${page.url()} asks`);
}

for (const script of [true, false]) {
  run("an extension into the next booking asks first, and the calendar marks the double booking", async (o) => {
    const { page, home, ada, grace, own, good } = o;
    await page.goto(`${home}reservations/extend?key=${ada.booking_key}`);
    await good("extend");
    await press(page, /^\+1 night/);
    await asks(o, grace);
    assert.match((await stored(ada.booking_key)).ends_at, /-05-03T11:00/);
    await press(page, /^Extend anyway$/);
    assert.match((await stored(ada.booking_key)).ends_at, /-05-04T11:00/);
    await page.goto(`${home}calendar?from=${own}-05-01`);
    await good("calendar");
    await reach(page, ".cal a:has(.mark-double)");
  }, script);
}

run("a late check-out can be undone", async (o) => {
  const { page, home, ada, good } = o;
  await page.goto(`${home}reservations/extend?key=${ada.booking_key}`);
  await press(page, /^12:00\sPM$/);
  assert.match((await stored(ada.booking_key)).ends_at, /-05-03T12:00/);
  await good("late check-out");
  await press(page, /^Undo/);
  assert.match(await page.textContent(".notice.done"), /the change is undone/);
  assert.match((await stored(ada.booking_key)).ends_at, /-05-03T11:00/);
});

run("a move to a room that is taken asks first", async (o) => {
  const { page, home, ada, grace, own, good } = o;
  await push({ ...grace, room_keys: ["room-0-01"], starts_at: `${own}-05-01T15:00:00Z` });
  await page.goto(`${home}reservations/move?key=${ada.booking_key}`);
  await good("move");
  await press(page, /^Room 102/);
  await asks(o, grace);
  assert.deepEqual((await stored(ada.booking_key)).room_keys, ["room-0-00"]);
  await press(page, /^Move anyway$/);
  assert.deepEqual((await stored(ada.booking_key)).room_keys, ["room-0-01"]);
});

run("a new booking of a room that is taken asks first and keeps what was typed", async (o) => {
  const { page, home, ada, own, good } = o;
  await page.goto(`${home}reservations/new?space=room-0-00&from=${own}-05-02`);
  await reach(page, "#f-guest_name");
  await page.keyboard.type("Emmy");
  await press(page, /^Create/);
  await asks(o, ada);
  assert.equal(await page.inputValue("#f-guest_name"), "Emmy");
  await press(page, /^Book anyway$/);
  assert.match(page.url(), /reservations\/view/);
});

for (const script of [true, false]) {
  run("the undo of a move explains why it is not possible after a push of the host", async (o) => {
    const { page, home, ada, good } = o;
    await page.goto(`${home}reservations/move?key=${ada.booking_key}`);
    await press(page, /^Room 103/);
    assert.deepEqual((await stored(ada.booking_key)).room_keys, ["room-0-02"]);
    await push({ ...ada, room_keys: ["room-0-01"] });
    await press(page, /^Undo/);
    assert.equal(await page.textContent("h1"), "This can no longer be undone");
    await good("not undone");
    assert.deepEqual((await stored(ada.booking_key)).room_keys, ["room-0-01"]);
  }, script);
}

for (const script of [true, false]) {
  run("the undo of an extension explains why it is not possible after a push of the host", async (o) => {
    const { page, home, grace, own, good } = o;
    await page.goto(`${home}reservations/extend?key=${grace.booking_key}`);
    await press(page, /^\+2 nights/);
    assert.match((await stored(grace.booking_key)).ends_at, /-05-07T11:00/);
    await push({ ...grace, ends_at: `${own}-05-06T11:00:00Z` });
    await press(page, /^Undo/);
    assert.equal(await page.textContent("h1"), "This can no longer be undone");
    await good("extension not undone");
    assert.match((await stored(grace.booking_key)).ends_at, /-05-06T11:00/);
  }, script);

  run("a cancellation can be undone, except after a push of the host", async (o) => {
    const { page, home, ada, good } = o;
    const cancel = async () => {
      await page.goto(`${home}reservations/cancel?key=${ada.booking_key}`);
      await press(page, /^Cancel now$/);
      assert.equal(await stored(ada.booking_key), null);
    };
    await cancel();
    await good("cancelled");
    await press(page, /^Undo/);
    assert.deepEqual((await stored(ada.booking_key)).room_keys, ada.room_keys);
    await cancel();
    await push({ ...ada, name: "sent again" });
    await press(page, /^Undo/);
    assert.match(await page.textContent("main"), /the connected system has sent the data again/);
    await good("cancellation not undone");
    assert.equal((await stored(ada.booking_key)).name, "sent again");
  }, script);
}

run("the removal of a staff member can be undone, except after a push of the host", async ({ page, home, own, good }) => {
  const member = (name) => ({ staff_member_key: `eve-${own}`, name, room_keys: ["room-0-00"] });
  const remove = async () => {
    await page.goto(`${home}staff/remove?key=eve-${own}`);
    await press(page, /^Remove$/);
  };
  const view = `${home}staff/view?key=eve-${own}`;
  await push(member("Eve"), "staff_members");
  await remove();
  await press(page, /^Undo/);
  await page.goto(view);
  assert.match(await page.textContent("main"), /Eve[^]*Room 101/);
  await remove();
  await push(member("Eve again"), "staff_members");
  await press(page, /^Undo/);
  assert.match(await page.textContent("main"), /the connected system has sent the data again/);
  await good("removal not undone");
  await page.goto(view);
  assert.match(await page.textContent("h1"), /Eve again/);
});
