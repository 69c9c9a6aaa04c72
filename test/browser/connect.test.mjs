// Tests of the pages that connect accounts and assign devices. The server has a second login with devices that are named after rooms.
// The tests of this file run one after the other, and each leaves the hotel as it found it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browse, open, serve, shoot } from "./browser.mjs";
import { check, fits, looks, visit } from "./looks.mjs";

const start = "connect/start?provider=simulated";
const secret = "open sesame";

let server, chromium;
before(async () => { server = await serve("-devices"); chromium = await browse(); });
after(async () => { await chromium?.close(); await server?.stop(); });

/** Asks the control endpoint of the server. */
async function ask(path, query) {
  const answer = await fetch(`${server.origin}/-/${path}?${new URLSearchParams(query)}`);
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
}

/** Creates a portal with a configuration, and opens it. */
async function openPortal(page, config, vertical = "hospitality") {
  const { url } = await ask("portal", { vertical, config: JSON.stringify(config), ttl: "1h" });
  return open(page, { URL: url });
}

/** Does something that opens another page, and waits until that has loaded. */
async function loads(page, act) {
  const loaded = page.waitForEvent("load");
  await act();
  await loaded;
}

/** Clicks something that opens another page. */
const click = (what) => loads(what.page(), () => what.click());

/** Fills in the login form and sends it. */
async function login(page, password) {
  await page.fill("[name='answer.username']", "annex");
  await page.fill("[name='answer.password']", password);
  await click(page.locator("main button.primary"));
}

/** Opens the page that assigns devices, once the inventory of the account has been read. */
async function organize(page, home) {
  do {
    await page.goto(`${home}organize`);
  } while (await page.locator("main >> text=Side entrance").count() === 0);
}

/** Disconnects the second login. */
async function disconnect(page, home) {
  await page.goto(`${home}connect`);
  await click(page.locator("li:has-text('annex') >> text=Disconnect"));
  await click(page.locator("main button.danger"));
  assert.match(await page.textContent(".notice.done"), /annex is disconnected/);
}

const rows = (page, heading) => page.locator(`section:has(h2:text-is("${heading}")) li`);

for (const javaScriptEnabled of [false, true]) {
  test(`connect an account, assign its devices, and disconnect it, script ${javaScriptEnabled ? "on" : "off"}`, async () => {
    await visit(chromium, server, { ...looks.desktop, javaScriptEnabled }, async (page) => {
      const home = await open(page, server.links.full);
      await page.goto(`${home}connect`);
      await click(page.locator("section.provider form button"));
      await login(page, "wrong-secret");
      assert.match(await page.textContent("[id='e-answer.password']"), /The user name or the password is wrong/);
      await page.waitForSelector("[id='f-answer.password']:focus");
      assert.equal(await page.inputValue("[name='answer.username']"), "annex");
      assert.equal(await page.inputValue("[name='answer.password']"), "");
      assert.doesNotMatch(await page.content(), /wrong-secret/);
      await login(page, secret);
      assert.match(await page.textContent(".notice.done"), /annex is connected/);
      assert.doesNotMatch(await page.content(), new RegExp(secret));

      await organize(page, home);
      const suggested = rows(page, "Suggestions by name");
      assert.deepEqual((await suggested.locator("strong").allTextContents()).map((s) => s.replace(/[\u2066-\u2069]/g, "")).sort(), ["Room 204", "Room 205", "Room 206"]);
      await click(suggested.filter({ hasText: "Room 205" }).locator("button"));
      assert.match(await page.textContent(".notice.done"), /The devices are assigned/);
      assert.equal(await suggested.count(), 2);
      await click(page.locator("text=Accept all"));
      assert.match(await page.textContent(".notice.done"), /The devices are assigned/);
      assert.equal(await suggested.count(), 0);
      const without = await rows(page, "Without a lock").allTextContents();
      assert.doesNotMatch(String(without), /Room 20[45]/);
      assert.deepEqual(without, without.toSorted(), "the rooms are sorted by name");
      for (const [room, name] of [["ribeira-04", "Room 204"], ["ribeira-05", "Room 205"], ["ribeira-06", "Heating of room 206"]]) {
        await page.goto(`${home}spaces/view?key=${room}`);
        assert.match(await page.textContent("main .devices"), new RegExp(name));
      }

      await page.goto(`${home}organize`);
      await click(page.locator("a:has-text('Side entrance')"));
      await page.check("[type=checkbox][value='ribeira-pool']");
      await click(page.locator("main button.primary"));
      assert.match(await page.textContent(".notice.done"), /Side entrance: the assignment is saved/);
      const closed = rows(page, "Entrances that nobody can open").filter({ hasText: "Side entrance" });
      assert.match(await closed.textContent(), /Rooftop pool/);
      await click(closed.locator("a"));
      assert.equal(await page.isChecked("[type=checkbox][value='ribeira-pool']"), true);
      await page.uncheck("[type=checkbox][value='ribeira-pool']");
      await click(page.locator("main button.primary"));
      assert.equal(await rows(page, "Devices that are not assigned").filter({ hasText: "Side entrance" }).count(), 1);

      await page.goto(`${home}connect`);
      await click(page.locator("li:has-text('annex') >> text=Sign in again"));
      await click(page.locator("main button.primary"));
      assert.equal(await page.inputValue("[name='answer.username']"), "annex");
      await login(page, secret);
      assert.equal(await page.locator("section.provider li:has-text('annex')").count(), 1, "the same account");

      await click(page.locator("li:has-text('annex') >> text=Disconnect"));
      assert.match(await page.textContent("h1"), /Disconnect .*annex/);
      assert.match(await page.textContent("main"), /Heating of room 206[^]*Room 204[^]*Room 205[^]*Side entrance[^]*Codes that this portal has put on their locks/);
      await click(page.locator("main button.danger"));
      assert.match(await page.textContent(".notice.done"), /annex is disconnected/);
      await page.goto(`${home}organize`);
      assert.doesNotMatch(await page.textContent("main"), /Side entrance/);
      await page.goto(`${home}spaces/view?key=ribeira-04`);
      assert.equal(await page.locator("main .devices >> text=Room 204").count(), 0);
    });
  });
}

test("connect an account and accept a suggestion with the keyboard only", async () => {
  await visit(chromium, server, looks.desktop, async (page) => {
    /** Presses Tab until the focused element has a text, or is the input with this id. */
    const reach = async (text) => {
      for (let i = 0; i < 200; i++) {
        await page.keyboard.press("Tab");
        if (await page.evaluate((t) => document.activeElement.id === t || document.activeElement.textContent.replace(/[\u2066-\u2069]/g, "").replace(/\s+/g, " ").trim() === t, text)) return;
      }
      assert.fail(`the keyboard does not reach ${text}`);
    };
    const home = await open(page, server.links.full);
    await page.goto(`${home}connect`);
    await reach("Connect another account Simulated devices");
    await loads(page, () => page.keyboard.press("Enter"));
    await reach("f-answer.username");
    await page.keyboard.type("annex");
    await reach("f-answer.password");
    await page.keyboard.type(secret);
    await loads(page, () => page.keyboard.press("Enter"));
    await organize(page, home);
    await reach("Accept Room 204, Room 204");
    await loads(page, () => page.keyboard.press("Enter"));
    assert.equal(await rows(page, "Suggestions by name").count(), 2);
    await disconnect(page, home);
  });
});

test("read-only, filtered and restricted portals and other customers cannot connect, assign or disconnect", async () => {
  await visit(chromium, server, looks.desktop, async (page) => {
    const full = await open(page, server.links.full);
    await page.goto(`${full}connect`);
    const account = new URL(await page.getAttribute("a[href*='connect/remove']", "href"), page.url()).search;
    await page.goto(`${full}organize`);
    const device = new URL(await page.getAttribute("a:has-text('Spare lock')", "href"), page.url()).search;
    const id = new URLSearchParams(device).get("device");
    const before = await page.textContent("main");
    const sent = { token: "0123456789abcdef", "answer.username": "annex", "answer.password": secret, map: `${id} chiado-04`, spaces: "chiado-04" };
    /** Posts the answers of every page, and returns the statuses. */
    const post = async (home) => Promise.all([start, `connect/remove${account}`, "organize", `organize/device${device}`].map((path) => page.evaluate(
      async ([to, body]) => (await fetch(to, { method: "POST", body: new URLSearchParams(body), redirect: "manual" })).status, [home + path, sent])));

    const readOnly = await openPortal(page, { read_only: true });
    for (const [path, shown] of [["connect", /demo/], ["organize", /Spare lock/]]) {
      await page.goto(readOnly + path);
      assert.match(await page.textContent("main"), shown);
      assert.equal(await page.locator("main form, main a[href*='connect/'], main a[href*='organize/']").count(), 0, path);
    }
    assert.deepEqual(await post(readOnly), [403, 403, 403, 403]);
    const filtered = await openPortal(page, { customer_resources_filters: [{ field: "owner", operation: "=", value: "nobody" }] });
    assert.equal((await page.goto(`${filtered}connect`)).status(), 403);
    assert.deepEqual(await post(filtered), [403, 403, 403, 403]);
    const restricted = await openPortal(page, { navigation_mode: "restricted", landing_page: { manage: { site_key: "ribeira" } } });
    assert.deepEqual(await post(restricted), [403, 403, 403, 403]);
    const other = await openPortal(page, {}, "multi_family");
    for (const path of [`connect/remove${account}`, `organize/device${device}`]) {
      assert.equal((await page.goto(other + path)).status(), 404, path);
    }
    assert.deepEqual((await post(other)).slice(1), [404, 409, 404]);

    const again = await open(page, server.links.full);
    await page.goto(`${again}organize`);
    assert.equal(await page.textContent("main"), before);
    await page.goto(`${again}connect`);
    assert.deepEqual(await page.locator("section.provider li").count(), 1);
  });
});

test("a link to connect an account ends at the redirect URL", async () => {
  const context = await chromium.context(looks.phone);
  try {
    const page = await context.newPage();
    await context.route("https://host.example/**", (route) => route.fulfill({ contentType: "text/html", body: "<title>host</title>" }));
    const { url, id } = await ask("webview", { vertical: "hospitality", redirect: "https://host.example/done?order=7" });
    const link = await open(page, { URL: url });
    await check(page, "a link to connect an account");
    await fits(page, "a link to connect an account");
    assert.equal(await page.locator("nav a[href]").count(), 0);
    assert.equal((await page.goto(`${link}reservations`)).status(), 403);
    await page.goto(link);
    await click(page.locator("section.provider form button"));
    await login(page, secret);
    await page.waitForURL("https://host.example/**");
    const to = new URL(page.url()).searchParams;
    assert.equal(to.get("order"), "7");
    assert.equal(to.get("connect_webview_id"), id);
    assert.match(to.get("connected_account_id"), /^[0-9a-f-]{36}$/);
    assert.match(await (await page.request.get(link)).text(), /<h1>Account connected/);
    const full = await open(page, server.links.full);
    await page.goto(`${full}connect`);
    assert.ok((await page.getAttribute("li:has-text('annex') a[href*='connect/remove']", "href")).endsWith(to.get("connected_account_id")));
    await disconnect(page, full);
  } finally { await context.close(); }
});

/** Opens each page and calls work with its name. */
async function eachPage(page, home, work) {
  await page.goto(`${home}connect`);
  const account = new URL(await page.getAttribute("a[href*='connect/remove']", "href"), page.url()).search;
  await work("connect");
  await click(page.locator("section.provider form button"));
  await login(page, "wrong");
  await work("connect form");
  await page.goto(`${home}connect/remove${account}`);
  await work("connect remove");
  await page.goto(`${home}organize`);
  const device = await page.getAttribute("a[href*='organize/device']", "href");
  await work("organize");
  await page.goto(new URL(device, page.url()).href);
  await work("organize device");
}

for (const look of ["desktop", "phone"]) {
  test(`the pages that connect accounts and assign devices, ${look}, light and dark`, async () => {
    await visit(chromium, server, { ...looks[look], reducedMotion: "reduce" }, async (page) => {
      await eachPage(page, await open(page, server.links.full), async (name) => {
        await fits(page, `${name} ${look}`);
        for (const colorScheme of ["light", "dark"]) { // without a new load; transitions would give axe colors in between
          await page.emulateMedia({ colorScheme });
          await check(page, `${name} ${look} ${colorScheme}`);
          await shoot(page, `${name} ${look} ${colorScheme}`);
        }
      });
    });
  });
}

for (const locale of ["de-DE", "el-GR", "ru-RU"]) {
  test(`the pages that connect accounts and assign devices in ${locale}, phone`, async () => {
    await visit(chromium, server, looks.phone, async (page) => {
      await eachPage(page, await open(page, server.links[locale]), async (name) => {
        await fits(page, `${name} ${locale}`);
        await shoot(page, `${name} ${locale}`);
      });
    });
  });
}
