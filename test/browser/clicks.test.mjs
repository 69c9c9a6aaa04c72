// Counts the clicks, filled fields and page loads of tasks at a front desk, for a customer with 5,000 bookings. Pressing Enter
// in a field counts as a click. A redirect is part of the load that it leads to.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browse, open, serve, shoot } from "./browser.mjs";

const bookings = 5_000;
const looks = {
  desktop: { viewport: { width: 1280, height: 900 } },
  "phone, without script": { viewport: { width: 390, height: 844 }, javaScriptEnabled: false },
};

let server, manyServer, chromium, large, many, made = 0; // many has 2,000 rooms
before(async () => {
  [server, manyServer] = await Promise.all([serve(), serve()]);
  chromium = await browse();
  large = await (await fetch(`${server.origin}/-/large?bookings=${bookings}`)).json();
  many = await (await fetch(`${manyServer.origin}/-/large?bookings=${bookings}&rooms=2000`)).json();
  assert.ok(many.URL, JSON.stringify(many));
  assert.ok(large.URL && large.Guest && large.BookingKey, JSON.stringify(large));
});
after(async () => { await chromium?.close(); await server?.stop(); await manyServer?.stop(); });

/** Runs a task that begins on a page of the portal, and checks that it costs at most this many clicks, fields and loads.
 * The function that `work` returns, if any, restores what the next look needs. */
function task(name, begin, most, work, customer = () => large) {
  for (const [look, options] of Object.entries(looks)) {
    test(`${name}, ${look}: at most ${most.join("/")} clicks/fields/loads`, async (t) => {
      const context = await chromium.context({ ...options, locale: "en-US" });
      try {
        const page = await context.newPage();
        const home = await open(page, { URL: customer().URL });
        await page.goto(home + begin);
        const cost = [0, 0, 0];
        page.on("domcontentloaded", () => { cost[2]++; });
        const loaded = (act) => Promise.all([page.waitForEvent("domcontentloaded"), act]);
        const restore = await work({
          page, home,
          click: async (target) => { cost[0]++; await loaded(target.click()); },
          enter: async (target) => { cost[0]++; await loaded(target.press("Enter")); },
          pick: async (target) => { cost[0]++; await target.check(); },
          select: async (target, option) => { cost[1]++; await target.selectOption(option); },
          fill: async (target, text) => { cost[1]++; await target.fill(text); },
        });
        await shoot(page, `clicks ${name} ${look}`);
        t.diagnostic(`${name}, ${look}: ${cost.join("/")}`);
        for (const [i, what] of ["clicks", "fields", "loads"].entries()) {
          assert.ok(cost[i] <= most[i], `${what}: ${cost.join("/")} is more than ${most.join("/")}`);
        }
        assert.ok(cost[0] > 0 && cost[2] > 0, `nothing was counted: ${cost.join("/")}`);
        await restore?.();
      } finally {
        await context.close();
      }
    });
  }
}

/** Returns the visible ones among the elements that a selector finds. */
const seen = (page, selector) => page.locator(selector).filter({ visible: true });

/** Searches with the search box that every page has. */
async function search(hand, text) {
  const box = seen(hand.page, "header input[type=search]");
  await hand.fill(box, text);
  await hand.enter(box);
}

task("arrivals today", "guests", [1, 0, 1], async (hand) => {
  await hand.click(seen(hand.page, "nav a").filter({ hasText: /^\s*Today\s*$/ }));
  assert.equal(hand.page.url(), hand.home);
  // The number of arrivals does not depend on the time of day.
  const [, n] = /of (\d+) arrivals still to come/.exec(await hand.page.textContent(".tiles")) ?? [];
  assert.ok(n >= 13 && n <= 14, `${n} arrivals`); // 5,000 bookings in 365 days
  assert.match(await hand.page.textContent("main"), /Arrivals still to come/);
});

task("find a booking by guest", "spaces", [1, 1, 1], async (hand) => {
  await search(hand, large.Guest);
  const booking = seen(hand.page, `main a[href*="reservations/view?key=${large.BookingKey}"]`).first();
  await booking.waitFor();
  assert.match(await hand.page.textContent("main"), new RegExp(large.Guest));
});

task("extend a stay found by name", "", [3, 1, 3], async (hand) => {
  const { page } = hand;
  const stored = async () => Date.parse((await (await fetch(`${server.origin}/-/grant?vertical=hospitality&key=${large.BookingKey}`)).json()).ends_at);
  const before = await stored();
  await search(hand, large.Guest);
  await hand.click(seen(page, `main a[href*="reservations/view?key=${large.BookingKey}"]`).first());
  await hand.click(seen(page, "main button[name=until]").filter({ hasText: "+1 night" }));
  assert.match(page.url(), new RegExp(`reservations/view\\?.*key=${large.BookingKey}`));
  assert.equal(await stored(), before + 24 * 3600 * 1000);
});

task("move a guest among 2,000 rooms", "guests", [3, 0, 3], async (hand) => {
  const { page } = hand;
  await hand.click(seen(page, "nav a").filter({ hasText: /^\s*Today\s*$/ }));
  await hand.click(seen(page, 'main a[href*="reservations/move?key="]').first());
  await hand.click(seen(page, "main button[name=space]").first());
  assert.equal(page.url(), hand.home);
  assert.match(await page.textContent(".notice.done"), /: moved to /);
}, () => many);

task("which rooms are free on a date", "calendar", [1, 1, 1], async (hand) => {
  const { page } = hand;
  const date = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
  await hand.fill(page.locator("[name=from]"), date);
  await hand.click(page.locator("button[name=free]"));
  const rooms = await page.locator(".cal tbody th[scope=row]").allTextContents();
  assert.ok(rooms.length === 50 && rooms[0].startsWith("Room 1"), rooms.slice(0, 3).join());
  assert.equal(await page.locator(`.cal thead th:nth-child(2) time`).getAttribute("datetime"), date);
  assert.equal(await page.locator(".cal tbody tr:not(.site)").count(), await page.locator(`.cal tbody td:nth-child(2) a[href*="from=${date}"]`).count());
});

task("new booking of a known guest", "", [4, 3, 3], async (hand) => {
  const { page } = hand;
  await hand.click(seen(page, "main a").filter({ hasText: /^New booking$/ }).first());
  made++; // the room is free
  await hand.fill(page.locator("[name=starts_at]"), `${2031 + made}-05-10T15:00`);
  await hand.fill(page.locator("[name=nights]"), "2");
  const guest = page.locator("[name=guest_text]");
  await hand.fill(guest, large.Guest);
  await hand.enter(guest);
  assert.equal(await page.locator("[name=guest][value^=guest]").isChecked(), true, "the only guest with this name is chosen");
  await hand.pick(page.locator("[name=space]").first());
  await hand.click(page.locator("main form button.primary"));
  assert.match(page.url(), /reservations\/view\?/);
  assert.match(await page.textContent("main"), new RegExp(large.Guest));
  assert.match(await page.textContent(".stay"), /May 12, .*2 nights/s);
});

task("new booking from a free day of the calendar", "calendar", [3, 1, 3], async (hand) => {
  const { page } = hand;
  await hand.click(page.locator(".cal .free").first());
  const guest = page.locator("[name=guest_text]");
  await hand.fill(guest, large.Guest);
  await hand.enter(guest);
  await hand.click(page.locator("main form button.primary"));
  assert.match(page.url(), /reservations\/view\?/);
});

/** Chooses rooms for a staff member, who has others before, and saves them. */
async function assign(hand, name, choose) {
  const { page } = hand;
  await hand.click(seen(page, "main a").filter({ hasText: name }).first());
  await hand.click(seen(page, 'main a[href*="staff/spaces?key="]'));
  await choose();
  const chosen = await page.locator("[name=space]:checked").count();
  await hand.click(page.locator("main form button.primary"));
  assert.match(page.url(), /staff\/view\?/);
  assert.equal(await page.locator('main .list a[href*="spaces/view?key="]').count(), chosen);
  return chosen;
}

/** Takes the rooms from the staff member again, so that the next look begins without them. */
const unassign = ({ page, home }) => async () => {
  await page.goto(`${home}staff/spaces?key=staff-0`);
  await page.locator("button[name=drop_group][value=all]").click();
  await Promise.all([page.waitForURL(/staff\/view/), page.locator("main form button.primary").click()]);
};

task("staff with a floor of 50 rooms", "staff", [4, 0, 4], async (hand) => {
  const floor = hand.page.locator('button[name=add_group][value="floor 1 site-0"]');
  assert.equal(await assign(hand, "Marta Silva", () => hand.click(floor)), 50);
  return unassign(hand);
});

task("staff with the rooms of a colleague", "staff", [4, 1, 4], async (hand) => {
  const copied = await assign(hand, "Marta Silva", async () => {
    await hand.select(hand.page.locator("[name=copy_from]"), { label: "Rui Nunes" });
    await hand.click(hand.page.locator("button[name=copy]"));
  });
  assert.equal(copied, 50);
  return unassign(hand);
});
