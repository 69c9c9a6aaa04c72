// Tests of the pages of devices: a visitor unlocks a door and sees who did it, and portals without the permission cannot. The server
// has simulated devices, whose state the tests read through its control endpoint.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browse, open, serve, shoot } from "./browser.mjs";
import { check, fits, looks, visit } from "./looks.mjs";

let server, chromium;
before(async () => { server = await serve("-devices"); chromium = await browse(); });
after(async () => { await chromium?.close(); await server?.stop(); });

/** Looks at a device or disturbs it, and returns its state in the simulated world. */
async function device(id, action = "state") {
  const answer = await fetch(`${server.origin}/-/device?device=${id}&do=${action}`);
  assert.equal(answer.status, 200);
  return answer.json();
}

/** Creates a portal with a configuration, and opens it. */
async function openPortal(page, config, vertical = "hospitality") {
  const query = new URLSearchParams({ vertical, config: JSON.stringify(config), ttl: "1h" });
  const answer = await fetch(`${server.origin}/-/portal?${query}`);
  assert.equal(answer.status, 200, await answer.clone().text());
  return open(page, { URL: (await answer.json()).url });
}

/** Opens the page of a device from the list. */
async function openDevice(page, home, name) {
  await page.goto(`${home}devices`);
  await page.click(`main tbody th a:has-text("${name}")`);
}

for (const javaScriptEnabled of [false, true]) {
  const [id, name, room] = javaScriptEnabled ? ["lock-02", "Chiado 02", "chiado-02"] : ["lock-01", "Chiado 01", "chiado-01"];
  test(`unlock a door from the page of its room, script ${javaScriptEnabled ? "on" : "off"}`, async () => {
    await visit(chromium, server, { ...looks.desktop, javaScriptEnabled }, async (page) => {
      const home = await open(page, server.links.full);
      await page.goto(`${home}spaces/view?key=${room}`);
      assert.equal((await device(id)).locked, true);
      await page.click(`main .devices li:has-text("${name}") >> text=Unlock`);
      assert.match(await page.textContent("h1"), new RegExp(`Unlock ${name}\\?`));
      assert.equal((await device(id)).locked, true, "nothing is sent before the confirmation");
      await page.click("main button.primary");
      await page.waitForSelector(".result.done"); // the page loads itself again while the command is in progress
      assert.match(await page.textContent(".result"), /The device has confirmed it/);
      assert.equal((await device(id)).locked, false);
      await page.reload();
      assert.match(await page.textContent(".facts"), /Unlocked/);
      assert.match(await page.textContent(".history li"), /Unlocked[^]*In this portal/);

      await page.click("main .actions >> text=/^Lock$/");
      await page.click("main button.primary");
      await page.waitForSelector(".result.done");
      assert.equal((await device(id)).locked, true);
    });
  });
}

test("a command that takes long is in progress until the device answers, without script", async () => {
  await visit(chromium, server, { ...looks.phone, javaScriptEnabled: false }, async (page) => {
    const home = await open(page, server.links.full);
    await device("lock-03", "hold");
    await openDevice(page, home, "Chiado 03");
    await page.click("main .actions >> text=Unlock");
    await page.click("main button.primary");
    assert.match(await page.textContent(".result"), /In progress/);
    await device("lock-03", "release");
    await page.waitForSelector(".result.done, .result.fault"); // a very slow machine can miss the deadline of the command
    assert.match(await page.textContent(".result"), /The device has confirmed it|did not answer in time/);
    assert.equal((await device("lock-03")).locked, false);
  });
});

test("an offline lock is on Today, and unlocking it says what to do", async () => {
  await visit(chromium, server, looks.desktop, async (page) => {
    const home = await open(page, server.links.full);
    await page.goto(home);
    await shoot(page, "devices today");
    await check(page, "Today with an offline lock");
    await page.click(".attention a:has-text('Ribeira 01')");
    await page.click("main .actions >> text=Unlock");
    await page.click("main button.primary");
    await page.waitForSelector(".result.fault");
    assert.match(await page.textContent(".result.fault"), /It did not work.*The device cannot be reached.*Try again/s);
    await check(page, "a failed command");
  });
});

test("the settings of a thermostat, with the keyboard only", async () => {
  await visit(chromium, server, looks.desktop, async (page) => {
    const home = await open(page, server.links.full);
    await openDevice(page, home, "Heating Chiado 01");
    await page.focus("main .actions a");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#f-heating_set_point");
    await page.focus("#f-heating_set_point");
    await page.keyboard.press("Control+A");
    await page.keyboard.type("99");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#e-heating_set_point");
    assert.match(await page.textContent("#e-heating_set_point"), /from 7 to 30/);
    await page.waitForSelector("#f-heating_set_point:focus"); // the field with the fault
    assert.equal((await device("heat-01")).heating_set_point_celsius, 20);
    await check(page, "a form with a fault");
    await page.keyboard.press("Control+A");
    await page.keyboard.type("22.5");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".result.done");
    assert.equal((await device("heat-01")).heating_set_point_celsius, 22.5);
  });
});

test("unlock a door with the keyboard only", async () => {
  await visit(chromium, server, looks.desktop, async (page) => {
    const home = await open(page, server.links.full);
    await page.goto(`${home}devices`);
    /** Presses Tab until the focused element has a text. */
    const reach = async (text) => {
      for (let i = 0; i < 200; i++) {
        await page.keyboard.press("Tab");
        if (await page.evaluate((t) => document.activeElement.textContent.replace(/\s+/g, " ").trim() === t, text)) return;
      }
      assert.fail(`the keyboard does not reach ${text}`);
    };
    await reach("Unlock Front door Chiado");
    await page.keyboard.press("Enter");
    await page.waitForSelector("main form button.primary");
    await reach("Unlock");
    await page.keyboard.press("Enter");
    await page.waitForSelector(".result.done");
    assert.equal((await device("front")).locked, false);
  });
});

test("a read-only portal, a filtered portal and a portal of another customer do not unlock", async () => {
  await visit(chromium, server, looks.desktop, async (page) => {
    const full = await open(page, server.links.full);
    await openDevice(page, full, "Chiado 01");
    const query = new URL(page.url()).search;
    const command = `devices/command${query}&do=unlock`;
    await openDevice(page, full, "Spare lock");
    const spare = new URL(page.url()).search;
    /** Posts a command as a page would. */
    const post = (url) => page.evaluate(async (to) => (await fetch(to, {
      method: "POST", body: new URLSearchParams({ token: "0123456789abcdef" }), redirect: "manual",
    })).status, url);

    const readOnly = await openPortal(page, { read_only: true });
    await page.goto(`${readOnly}devices`);
    assert.match(await page.textContent("main"), /Chiado 01/);
    assert.equal(await page.locator("main a[href*='devices/command']").count(), 0);
    assert.equal((await page.goto(readOnly + command)).status(), 403);
    assert.equal(await post(readOnly + command), 403);

    const filtered = await openPortal(page, { customer_resources_filters: [{ field: "owner", operation: "=", value: "nobody" }] });
    await page.goto(`${filtered}devices`);
    assert.doesNotMatch(await page.textContent("main"), /Spare lock/);
    assert.equal((await page.goto(`${filtered}devices/view${spare}`)).status(), 404);
    assert.equal(await post(`${filtered}devices/command${spare}&do=unlock`), 404);

    const restricted = await openPortal(page, { navigation_mode: "restricted", landing_page: { manage: { site_key: "ribeira" } } });
    await page.goto(`${restricted}devices`);
    assert.match(await page.textContent("main"), /Ribeira 01/);
    assert.doesNotMatch(await page.textContent("main"), /Chiado/);
    assert.equal(await post(restricted + command), 404);

    const other = await openPortal(page, {}, "multi_family");
    assert.equal((await page.goto(`${other}devices/view${query}`)).status(), 404);
    assert.equal(await post(other + command), 404);
    assert.equal((await device("lock-01")).locked, true);
    assert.equal((await device("spare")).locked, true);
  });
});

for (const look of ["desktop", "dark phone"]) {
  test(`the pages of devices, ${look}`, async () => {
    await visit(chromium, server, looks[look], async (page) => {
      const home = await open(page, server.links.full);
      const pages = ["", "devices", "devices?q=nothing", "spaces?view=all", "spaces/view?key=chiado-01"];
      await openDevice(page, home, "Heating Chiado 01");
      pages.push(`devices/view${new URL(page.url()).search}`, `devices/climate${new URL(page.url()).search}`);
      await openDevice(page, home, "Front door Chiado");
      pages.push(`devices/view${new URL(page.url()).search}`, `devices/command${new URL(page.url()).search}&do=unlock`);
      for (const path of pages) {
        await page.goto(home + path);
        const what = `devices ${look} ${path.replace(/id=[^&]*/, "")}`;
        await check(page, what);
        await fits(page, what);
        await shoot(page, what);
      }
    });
  });
}

// The pages with most text, in languages with long words.
for (const locale of ["de-DE", "el-GR", "ru-RU"]) {
  test(`the pages of devices in ${locale}, phone`, async () => {
    await visit(chromium, server, looks.phone, async (page) => {
      const home = await open(page, server.links[locale]);
      await openDevice(page, home, "Heating Chiado 01");
      const query = new URL(page.url()).search;
      for (const path of ["", "devices", `devices/view${query}`, `devices/climate${query}`, "spaces?view=all", "spaces/view?key=chiado-01"]) {
        await page.goto(home + path);
        await fits(page, `${locale} phone ${path}`);
        await shoot(page, `${locale} phone ${path}`);
      }
    });
  });
}
