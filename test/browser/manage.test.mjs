// Tests of the tasks of visitors, with script on and off and with the keyboard only. The results are checked through the
// control endpoint of the server.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browse, open, serve } from "./browser.mjs";

let server, chromium;
before(async () => { server = await serve(); chromium = await browse(); });
after(async () => { await chromium?.close(); await server?.stop(); });

async function visit(options, work) {
  const context = await chromium.context({ viewport: { width: 1280, height: 900 }, ...options });
  try { await work(await context.newPage()); } finally { await context.close(); }
}

/** Returns the JSON of an access grant, or null if it does not exist. */
async function grant(key, vertical = "hospitality") {
  const answer = await fetch(`${server.origin}/-/grant?vertical=${vertical}&key=${key}`);
  assert.equal(answer.status, 200);
  return answer.json();
}

for (const javaScriptEnabled of [false, true]) {
  const key = javaScriptEnabled ? "b-1-03" : "b-0-03";
  test(`find a reservation, edit it and cancel it, script ${javaScriptEnabled ? "on" : "off"}`, async () => {
    await visit({ javaScriptEnabled }, async (page) => {
      const home = await open(page, server.links.full);
      await page.click("nav >> text=Bookings");
      await page.fill("#q", key);
      await page.click("text=Search");
      await page.click("main tbody th a");
      assert.equal(new URL(page.url()).searchParams.get("key"), key);
      const before = await grant(key);
      assert.ok((await page.textContent("main")).includes(before.preferred_code));

      await page.click("main >> text=Edit");
      await page.fill("[name=ends_at]", "2031-02-03T10:30");
      await page.fill("[name=name]", "A longer stay");
      await page.fill("[name=preferred_code]", "no digits");
      await page.click("button.primary");
      assert.equal(await page.inputValue("[name=name]"), "A longer stay");
      assert.deepEqual(await grant(key), before, "a form with a fault changes nothing");
      await page.fill("[name=preferred_code]", "998877");
      await page.click("button.primary");
      assert.match(await page.textContent("[role=status].done"), /saved/);
      const after = await grant(key);
      assert.equal(after.name, "A longer stay");
      assert.equal(after.ends_at, "2031-02-03T10:30:00.000000Z");
      assert.equal(after.starts_at, before.starts_at);
      assert.equal(after.preferred_code, "998877");
      assert.deepEqual(after.room_keys, before.room_keys);
      assert.match(await page.textContent(".history"), /Changed/);

      await page.click("main >> text=Cancel");
      assert.match(await page.textContent("main"), /codes stop working/);
      await page.click("text=Keep it");
      assert.notEqual(await grant(key), null);
      await page.click("main >> text=Cancel");
      await page.click("text=Cancel now");
      assert.match(await page.textContent("[role=status].done"), /the booking is cancelled/);
      assert.equal(await grant(key), null);
      assert.equal((await page.goto(`${home}reservations/view?key=${key}`)).status(), 404);
    });
  });
}

test("create a reservation with the keyboard only", async () => {
  await visit({}, async (page) => {
    await open(page, server.links.full);
    /** Presses Tab until an element with the given text or name has the focus. */
    const tabTo = async (wanted) => {
      for (let i = 0; i < 120; i++) {
        await page.keyboard.press("Tab");
        const at = await page.evaluate(() => {
          const e = document.activeElement;
          const style = getComputedStyle(e);
          return { text: e.textContent.trim(), name: e.name ?? "", seen: style.outlineStyle !== "none" || e.matches("input, select") };
        });
        if (at.text === wanted || at.name === wanted) {
          assert.ok(at.seen, `the focus is visible on ${wanted}`);
          return;
        }
      }
      assert.fail(`the keyboard does not reach ${wanted}`);
    };
    await page.keyboard.press("Tab");
    assert.match(await page.evaluate(() => document.activeElement.textContent), /Skip to the content/);
    await page.keyboard.press("Enter");
    await tabTo("New booking");
    await page.keyboard.press("Enter");
    await page.waitForURL(/reservations\/new/);
    for (const [name, day, time] of [["starts_at", "02032031", "0300PM"], ["ends_at", "02042031", "1100AM"]]) {
      await tabTo(name);
      await page.keyboard.type(day);
      await page.keyboard.press("Tab"); // moves from the year to the hour
      await page.keyboard.type(time);
    }
    await tabTo("guest_name");
    await page.keyboard.type("Katherine Johnson");
    await tabTo("space");
    await page.keyboard.press("Space");
    await tabTo("Create");
    await page.keyboard.press("Enter");
    await page.waitForURL(/reservations\/view/);
    assert.match(await page.textContent("h1"), /Katherine Johnson/);
    await tabTo("Edit");
    await page.keyboard.press("Enter");
    await page.waitForURL(/reservations\/edit/);
    await tabTo("name");
    await page.keyboard.type("By keyboard");
    await page.keyboard.press("Enter");
    await page.waitForURL(/reservations\/view/);
    await tabTo("Cancel");
    await page.keyboard.press("Enter");
    await page.waitForURL(/reservations\/cancel/);
    await tabTo("Cancel now");
    await page.keyboard.press("Enter");
    await page.waitForSelector("text=the booking is cancelled");
  });
});

test("the keyboard reaches all controls of every page, and the focus is visible", async () => {
  await visit({ javaScriptEnabled: true }, async (page) => {
    const home = await open(page, server.links.full);
    for (const path of server.links.full.Pages) {
      await page.goto(home + path);
      const all = await page.evaluate(() => {
        const usable = [...document.querySelectorAll("a[href], button, input, select, summary")]
          .filter((e) => !e.disabled && e.type !== "hidden" && e.checkVisibility() && !e.closest("[aria-hidden=true]")); // Enter's own button
        usable.forEach((e, i) => { e.dataset.at = i; });
        return usable.length;
      });
      const reached = new Set();
      for (let i = 0; i < 3 * all + 10 && reached.size < all; i++) {
        await page.keyboard.press("Tab");
        const [at, seen] = await page.evaluate(() => {
          const e = document.activeElement;
          return [e.dataset.at, e === document.body || getComputedStyle(e).outlineStyle !== "none"];
        });
        assert.ok(seen, `${path}: the focus is not visible on ${at}`);
        if (at !== undefined) reached.add(at);
      }
      assert.equal(reached.size, all, `reachable controls of ${path}`);
    }
  });
});

test("spaces and staff, script off", async () => {
  await visit({ javaScriptEnabled: false }, async (page) => {
    const home = await open(page, server.links.full);
    await page.goto(`${home}spaces`);
    await page.click("text=Add a room");
    await page.fill("[name=name]", "Sky bar");
    await page.selectOption("[name=kind]", { label: "Common area" });
    await page.selectOption("[name=parent_site_key]", { label: "Porto Ribeira" });
    await page.click("button.primary");
    assert.match(await page.textContent("main"), /Sky bar/);
    await page.click("main >> text=Rename");
    await page.fill("[name=name]", "Sky lounge");
    await page.click("button.primary");
    await page.click("main >> text=Change site");
    await page.selectOption("[name=parent_site_key]", { label: "Faro Marina" });
    await page.click("button.primary");
    assert.match(await page.textContent(".crumb"), /Faro Marina/);
    await page.click("main >> text=Delete");
    await page.click("button.danger");
    assert.match(await page.textContent("[role=status].done"), /has been deleted/);

    await page.goto(`${home}staff`);
    await page.click("text=Add staff");
    await page.fill("[name=name]", "Rosa Melo");
    await page.check("[name=space] >> nth=0");
    await page.click("button.primary");
    assert.match(await page.textContent("h1"), /Rosa Melo/);
    await page.click("main >> text=Remove");
    await page.click("button.danger");
    assert.match(await page.textContent("[role=status].done"), /no longer on the staff/);
  });
});

test("choosing a language returns to the page and is remembered", async () => {
  await visit({ javaScriptEnabled: false }, async (page) => {
    const home = await open(page, server.links.full);
    await page.goto(`${home}reservations?state=all&q=b-2`);
    await page.selectOption("#set_locale", "el-GR");
    await page.click(".locale button");
    assert.equal(page.url(), `${home}reservations?q=b-2&state=all`);
    assert.equal(await page.getAttribute("html", "lang"), "el-GR");
    assert.match(await page.textContent("h1"), /Κρατήσεις/);
    await page.goto(`${home}staff`);
    assert.match(await page.textContent("h1"), /Προσωπικό/);
  });
  await visit({ locale: "pl-PL" }, async (page) => {
    await open(page, server.links.full);
    assert.equal(await page.getAttribute("html", "lang"), "pl-PL", "what the browser asks for");
    await open(page, server.links["fixed-locale"]);
    assert.equal(await page.getAttribute("html", "lang"), "fr-FR");
    assert.equal(await page.locator("#set_locale").count(), 0);
  });
});

test("a link with limited uses asks for a click each time", async () => {
  for (const status of [200, 200, 410]) {
    await visit({ javaScriptEnabled: false }, async (page) => {
      const first = await page.goto(server.links.click.URL);
      if (status === 200) {
        assert.equal(first.status(), 200);
        await page.click("button");
        assert.match(await page.textContent("h1"), /Today/);
      } else {
        assert.equal(first.status(), status);
      }
    });
  }
});

test("automations are saved", async () => {
  await visit({ javaScriptEnabled: false }, async (page) => {
    const home = await open(page, server.links.full);
    await page.goto(`${home}configure`);
    await page.selectOption("[name='setting:early']", "60");
    await page.uncheck("[name='setting:eco']");
    await page.click("button.primary");
    assert.match(await page.textContent("[role=status].done"), /saved/);
    assert.equal(await page.inputValue("[name='setting:early']"), "60");
    assert.equal(await page.isChecked("[name='setting:eco']"), false);
  });
});
