// Tests of every page of the preview: no findings of axe-core, no horizontal overflow at any supported size, with script
// on and off, and no requests to other origins.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { browse, open, pagesOf, serve, shoot } from "./browser.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const desktop = { width: 1280, height: 900 };
const phone = { width: 390, height: 844 };

let server, chromium;
before(async () => { server = await serve(); chromium = await browse(); });
after(async () => { await chromium?.close(); await server?.stop(); });

/** Opens a page in a new browser context. Every error on the page fails the test. */
async function visit(options, work) {
  const context = await chromium.context(options);
  const wrong = [];
  const page = await context.newPage();
  page.on("request", (r) => {
    if (new URL(r.url()).origin !== server.origin && !r.url().startsWith("data:")) wrong.push(`asked for ${r.url()}`);
  });
  page.on("console", (m) => {
    // The console shows the status of a page that is expected to fail. No other error is expected.
    if (m.type() === "error" && !/status of 4\d\d/.test(m.text())) wrong.push(m.text());
  });
  page.on("pageerror", (e) => wrong.push(String(e)));
  try {
    await work(page);
    assert.deepEqual(wrong, []);
  } finally {
    await context.close();
  }
}

/** Checks a page with all rules of axe-core. */
async function check(page, what) {
  // The content security policy forbids inline script, so run axe-core through the debugger.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const told = violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target} ${n.failureSummary}`));
  assert.deepEqual(told, [], what);
}

/** Checks that no element is wider than the window. */
async function fits(page, what) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(over <= 0, `${what} is ${over}px too wide`);
}

const looks = {
  desktop: { viewport: desktop, colorScheme: "light" },
  phone: { viewport: phone, colorScheme: "light", hasTouch: true },
  dark: { viewport: desktop, colorScheme: "dark" },
  "dark phone": { viewport: phone, colorScheme: "dark", hasTouch: true },
};
const all = Object.keys(looks);

// The portals and the settings with which they are tested.
const portals = {
  soon: all, full: all, brand: ["desktop", "dark"], rental: ["desktop", "dark"], empty: ["desktop", "phone"], embedded: ["desktop", "phone"],
  hostile: ["desktop", "phone"], deeplink: ["desktop", "phone"], readonly: ["desktop"], restricted: ["phone"], nodetails: ["desktop"],
  organize: ["desktop"], homes: ["desktop"], gym: ["dark"], tours: ["desktop"], neutral: ["desktop"],
  "de-DE": ["desktop", "phone"], "el-GR": ["desktop", "phone"], "ru-RU": ["phone"], "fr-FR": ["phone"],
};

for (const [name, how] of Object.entries(portals)) {
  for (const look of how) {
    test(`every page of ${name}, ${look}`, async () => {
      await visit(looks[look], async (page) => {
        const link = await server.link(name);
        const home = await open(page, link);
        for (const url of pagesOf(home, link)) {
          await page.goto(url);
          const what = `${name} ${look} ${url.slice(home.length)}`;
          await check(page, what);
          await fits(page, what);
          await shoot(page, what);
        }
      });
    });
  }
}

// The pages with most text, in the languages whose other pages are not tested.
for (const locale of ["pt-PT", "it-IT", "es-ES", "nl-NL", "pl-PL"]) {
  test(`the longest pages of ${locale}, phone`, async () => {
    await visit(looks.phone, async (page) => {
      const home = await open(page, server.links[locale]);
      for (const path of ["", "reservations", "reservations/view?key=b-0-03", "reservations/new", "guests/view?key=g-0-03", "spaces/view?key=chiado"]) {
        await page.goto(home + path);
        const what = `${locale} phone ${path}`;
        await fits(page, what);
        await shoot(page, what);
      }
    });
  });
}

for (const name of ["forged", "expired", "revoked", "used", "click"]) {
  test(`the page of a link: ${name}`, async () => {
    for (const [look, options] of Object.entries(looks)) {
      await visit(options, async (page) => {
        await page.goto(server.links[name].URL);
        const expected = { forged: "does not exist", expired: "has expired", revoked: "withdrawn", used: "used already", click: "Open your portal" };
        assert.match(await page.textContent("main"), new RegExp(expected[name]));
        await check(page, `${name} ${look}`);
        await fits(page, `${name} ${look}`);
        await shoot(page, `${name} ${look}`);
      });
    }
  });
}

test("a session that does not exist, and one that was closed", async () => {
  await visit({ viewport: desktop }, async (page) => {
    await page.goto(`${server.base}p/000000000000/`);
    assert.match(await page.textContent("h1"), /No portal is open in this browser/);
    await check(page, "over");
    await shoot(page, "over desktop");
    const home = await open(page, server.links.full);
    await page.goto(`${home}end`);
    await page.click("main button");
    assert.match(await page.textContent("h1"), /is closed/);
    await check(page, "ended");
    await page.goto(home);
    assert.match(await page.textContent("h1"), /closed/);
  });
});

test("an error message is the accessible description of its field", async () => {
  await visit({ viewport: desktop }, async (page) => {
    const home = await open(page, server.links.full);
    await page.goto(`${home}reservations/new`);
    await page.fill("[name=starts_at]", "2030-01-02T15:00");
    await page.fill("[name=ends_at]", "2030-01-01T15:00");
    await page.fill("[name=preferred_code]", "12");
    await page.fill("[name=guest_name]", "Grace");
    await page.click("button.primary");
    assert.equal(await page.inputValue("[name=ends_at]"), "2030-01-01T15:00");
    const described = await page.getAttribute("[name=ends_at]", "aria-describedby");
    assert.match(await page.textContent(`#${described.trim().split(" ")[0]}`), /after the start/);
    await check(page, "faults");
    await shoot(page, "faults desktop");
  });
});

test("markup in names is shown as text", async () => {
  await visit({ viewport: desktop }, async (page) => {
    let ran = false;
    page.on("dialog", (d) => { ran = true; return d.dismiss(); });
    const home = await open(page, server.links.hostile);
    // The content security policy would block injected code, so look for elements and attributes that no template has.
    const foreign = () => page.$$eval("*", (all) => all.filter((e) => /^(iframe|object|embed|base|b|u|font)$/i.test(e.tagName)
      || e.tagName === "SCRIPT" && (!e.src || e.textContent) || e.tagName === "IMG" && e.getAttribute("src") === "x"
      || [...e.attributes].some((a) => /^on|^srcdoc$|^style$/i.test(a.name) || /^\s*javascript:/i.test(a.value) && /^(href|action|formaction|src)$/i.test(a.name)))
      .map((e) => e.outerHTML.slice(0, 200)));
    const seen = new Set(), todo = [home];
    while (todo.length > 0) {
      const answer = await page.goto(todo.shift());
      const at = page.url();
      assert.equal(answer.status(), 200, at);
      assert.deepEqual(await foreign(), [], at);
      for (const form of await page.$$eval("form[action]", (all) => all.map((f) => f.action))) assert.ok(form.startsWith(home), form);
      for (let link of await page.$$eval("main a[href]", (all) => all.map((a) => a.href))) {
        link = link.split("#")[0];
        if (/^(mailto|tel):/.test(link) || link === "https://host.example/") continue;
        assert.ok(link.startsWith(home), link);
        if (!seen.has(link)) { seen.add(link); todo.push(link); }
      }
      for (const path of seen.size ? [] : ["reservations", "guests", "staff", "spaces?view=all"]) todo.push(home + path);
    }
    assert.ok(seen.size > 30, `${seen.size} pages`);
    assert.equal(ran, false);
  });
});

/** Returns the visible links, buttons and fields of a page. */
function controls(page) {
  return page.$$eval("a[href], button, input:not([type=hidden]), select, textarea, summary", (all) => all
    .filter((e) => e.checkVisibility() && e.getBoundingClientRect().width > 0)
    .map((e) => `${e.tagName} ${e.name || e.textContent.trim()}`));
}

for (const name of Object.keys(portals)) {
  test(`every page of ${name} has all its controls without script`, async () => {
    await visit({ ...looks.desktop, javaScriptEnabled: false }, async (plain) => {
      await visit(looks.desktop, async (scripted) => {
        const link = await server.link(name);
        const [plainHome, scriptedHome] = [await open(plain, link), await open(scripted, link)];
        let seen = 0;
        for (const path of link.Pages ?? []) {
          const status = (await plain.goto(plainHome + path)).status();
          assert.equal(status, (await scripted.goto(scriptedHome + path)).status(), path);
          assert.ok(await plain.isVisible("h1"), path);
          const without = await controls(plain);
          const missing = (await controls(scripted)).filter((control) => !without.includes(control));
          assert.deepEqual(missing, [], path);
          seen += without.length;
        }
        assert.ok(seen > 0);
      });
    });
  });
}
