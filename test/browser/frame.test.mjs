// Tests of portals in a frame of another site, and of portals that end while a page is open.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { browse, home, serve, shoot } from "./browser.mjs";

let server, chromium, host, hostOrigin;
before(async () => {
  server = await serve("--host", "localhost"); // the host page is on 127.0.0.1, which is another site
  chromium = await browse();
  host = createServer((request, response) => {
    const link = new URL(request.url, "http://x").searchParams.get("link");
    response.setHeader("Content-Type", "text/html; charset=utf-8");
    response.end(`<!doctype html><html lang="en"><title>Host</title><h1>A host's page</h1>
<script>window.heard = []; addEventListener("message", (e) => heard.push({ origin: e.origin, data: e.data }))</script>
<iframe title="portal" width="900" height="700" src="${link ?? "about:blank"}"></iframe>`);
  });
  await new Promise((resolve) => host.listen(0, "127.0.0.1", resolve));
  hostOrigin = `http://127.0.0.1:${host.address().port}`;
});
after(async () => {
  await chromium?.close();
  await server?.stop();
  await new Promise((resolve) => host?.close(resolve));
});

async function visit(options, work) {
  const context = await chromium.context({ viewport: { width: 1000, height: 860 }, ...options });
  try { return await work(await context.newPage()); } finally { await context.close(); }
}

/** Shows a link in a frame of the host's page, and returns the frame. */
async function embed(page, url) {
  await page.goto(`${hostOrigin}/?link=${encodeURIComponent(url)}`);
  const element = await page.waitForSelector("iframe");
  const frame = await element.contentFrame();
  await frame.waitForLoadState();
  return frame;
}

/** Creates a portal with a configuration, through the control endpoint of the server. */
async function make(config, ttl) {
  const asked = new URLSearchParams({ vertical: "hospitality", config: JSON.stringify(config), ttl });
  const answer = await fetch(`${server.origin}/-/portal?${asked}`);
  assert.equal(answer.status, 200, await answer.clone().text());
  return (await answer.json()).url;
}

test("a deep link in a frame of another site shows its reservation, and only that", async () => {
  await visit({}, async (page) => {
    const frame = await embed(page, server.links.deeplink.URL);
    await frame.waitForSelector("text=Reservation 48203");
    assert.equal(await frame.locator("nav").count(), 0);
    assert.equal(await frame.locator("text=Reservation 48204").count(), 0);
    await shoot(page, "embedded deeplink");
    const home = /^.*\/p\/[0-9a-f]+\//.exec(frame.url())[0];
    for (const [path, status] of [["reservations/view?key=b-0-04", 404], ["staff", 403], ["spaces/new", 403]]) {
      const got = await frame.evaluate(async (url) => (await fetch(url)).status, home + path);
      assert.equal(got, status, path);
    }
    const list = await frame.evaluate(async (url) => (await fetch(url)).text(), `${home}reservations?state=all`);
    assert.ok(list.includes("48203") && !list.includes("48204"));

    // The reservation can be edited in the frame.
    await frame.click("main >> text=Edit");
    await frame.fill("[name=preferred_code]", "445566");
    await frame.click("button.primary");
    await frame.waitForSelector("text=Your changes are saved.");
    assert.match(await frame.textContent("main"), /445566/);
  });
});

test("a portal sends messages only to its allowed origins", async () => {
  for (const [origins, hears] of [[[], true], [["ORIGIN"], true]]) {
    const url = await make({ is_embedded: true, allowed_frame_origins: origins.map(() => hostOrigin) }, "1h");
    await visit({}, async (page) => {
      const frame = await embed(page, url);
      await frame.waitForSelector("h1");
      await page.waitForFunction(() => window.heard.length > 0);
      const [first] = await page.evaluate(() => window.heard);
      assert.equal(first.origin, server.origin);
      assert.equal(first.data.type, "ready");
      assert.equal(first.data.source, "customer-portal");
      assert.ok(hears);
    });
  }
  const url = await make({ is_embedded: true, allowed_frame_origins: ["https://elsewhere.example"] }, "1h");
  await visit({}, async (page) => {
    await page.goto(`${hostOrigin}/?link=${encodeURIComponent(url)}`);
    await page.waitForLoadState("networkidle");
    const frame = page.frames().find((f) => f !== page.mainFrame());
    assert.ok(!frame.url().startsWith(server.origin), `no other origin may frame it: ${frame.url()}`);
    assert.deepEqual(await page.evaluate(() => window.heard), []);
  });
});

test("a portal tells the height of each page, and has the colour scheme of its configuration", async () => {
  for (const scheme of ["light", "dark"]) {
    const url = await make({ is_embedded: true, allowed_frame_origins: [hostOrigin], color_scheme: scheme }, "1h");
    await visit({ colorScheme: scheme === "light" ? "dark" : "light" }, async (page) => {
      const frame = await embed(page, url);
      const told = async () => {
        await frame.waitForSelector("h1");
        const height = await frame.evaluate(() => Math.ceil(document.body.getBoundingClientRect().height));
        await page.waitForFunction((height) => window.heard.findLast((m) => m.data.type === "height")?.data.height === height, height);
        return height;
      };
      const high = await told();
      // A frame as high as its page has no scroll bar, and a lower page makes it lower again.
      await page.$eval("iframe", (e, height) => { e.height = height; }, high);
      await frame.waitForFunction((height) => window.innerHeight === height && document.documentElement.scrollHeight === height, high);
      await frame.click("nav >> text=Settings");
      await frame.waitForURL(/configure/);
      assert.ok(await told() < high);
      assert.equal(await frame.locator(".brand, .bottom").count(), 0, "no second header");
      const background = await frame.evaluate(() => getComputedStyle(document.body).backgroundColor);
      assert.equal(background, scheme === "light" ? "rgb(246, 245, 242)" : "rgb(23, 22, 20)");
      await shoot(page, `embedded ${scheme}`);
    });
  }
});

/**
 * Calls work with a portal that ends after some seconds. If work returns false because the portal ended before it was
 * open, which happens on a slow machine, it is called again with a portal that lasts longer.
 */
async function untilItEnds(config, options, work) {
  for (let seconds = 4; seconds <= 256; seconds *= 4) {
    const url = await make(config, `${seconds}s`);
    if (await visit(options, (page) => work(page, url)) !== false) return;
  }
  assert.fail("no portal was open before it ended");
}

test("a page shows that its portal has ended and notifies the host", async () => {
  await untilItEnds({ is_embedded: true, return_url: "https://host.example/trips" }, {}, async (page, url) => {
    const frame = await embed(page, url);
    await frame.waitForSelector("h1");
    const [title, soon, over, back] = await frame.evaluate(() => [document.querySelector("h1").textContent,
      ...["#soon", "#over"].map((id) => document.querySelector(id)?.checkVisibility()), document.querySelector("#soon a")?.href]);
    if (over || /has expired/.test(title)) return false;
    assert.equal(soon, true, "it closes soon");
    assert.equal(back, "https://host.example/trips");
    await frame.waitForSelector("#over:not([hidden])");
    await shoot(page, "embedded expired while open");
    await page.waitForFunction(() => window.heard.some((m) => m.data.type === "expired"));
    const types = (await page.evaluate(() => window.heard)).map((m) => m.data.type).filter((type) => type !== "height");
    assert.deepEqual(types.filter((t, i) => types.indexOf(t) === i), ["ready", "expiring", "expired"]);
    await frame.click("nav >> text=Guests");
    await frame.waitForSelector("text=This link has expired");
  });
});

test("without script, the next page shows that the portal has ended", async () => {
  await untilItEnds({}, { javaScriptEnabled: false }, async (page, url) => {
    const opened = await page.goto(url);
    if (opened.status() === 410) return false;
    const guests = `${home(page.url())}guests`;
    let status = 200;
    while (status === 200) status = (await page.goto(guests)).status();
    assert.equal(status, 410);
    assert.match(await page.textContent("h1"), /has expired/);
    await shoot(page, "expired while open");
  });
});

test("a portal that is not embedded shows a message in a frame", async () => {
  await visit({}, async (page) => {
    const frame = await embed(page, server.links.full.URL);
    await frame.waitForSelector("text=does not open inside another page");
    const [tab] = await Promise.all([page.context().waitForEvent("page"), frame.click("text=Open in a new tab")]);
    await tab.waitForLoadState();
    assert.match(await tab.textContent("h1"), /Today/);
    await shoot(page, "wrong mode");
  });
});

test("a frame without cookies offers to open a tab", async () => {
  await visit({}, async (page) => {
    // Simulate a browser that drops cookies: remove the header before the browser reads it.
    await page.route(`${server.origin}/**`, async (route) => {
      if (!route.request().frame().parentFrame()) return route.continue();
      const answer = await route.fetch({ maxRedirects: 0 });
      const headers = answer.headers();
      delete headers["set-cookie"];
      return route.fulfill({ response: answer, headers });
    });
    const frame = await embed(page, server.links.embedded.URL);
    await frame.waitForSelector("text=keeps no cookies here");
    await shoot(page, "embedded without cookies");
    const link = await frame.getAttribute("text=Open in a new tab", "href");
    assert.equal(new URL(link, server.base).href, server.links.embedded.URL);
  });
});
