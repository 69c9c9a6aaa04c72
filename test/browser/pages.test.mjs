// Tests of the pages of links and of sessions that are over, of error messages, and of names with markup.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browse, open, serve, shoot } from "./browser.mjs";
import { check, desktop, fits, looks, visit } from "./looks.mjs";

let server, chromium;
before(async () => { server = await serve(); chromium = await browse(); });
after(async () => { await chromium?.close(); await server?.stop(); });

for (const name of ["forged", "expired", "revoked", "used", "click"]) {
  test(`the page of a link: ${name}`, async () => {
    for (const [look, options] of Object.entries(looks)) {
      await visit(chromium, server, options, async (page) => {
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
  await visit(chromium, server, { viewport: desktop }, async (page) => {
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
  await visit(chromium, server, { viewport: desktop }, async (page) => {
    const home = await open(page, server.links.full);
    await page.goto(`${home}reservations/new`);
    await page.fill("[name=starts_at]", "2030-01-02T15:00");
    await page.fill("[name=ends_at]", "2030-01-01T15:00");
    await page.click("details.more summary");
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
  await visit(chromium, server, { viewport: desktop }, async (page) => {
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
        if (/[?&]from=/.test(link)) continue; // the calendar has links for every day
        if (!seen.has(link)) { seen.add(link); todo.push(link); }
      }
      for (const path of seen.size ? [] : ["calendar", "reservations", "guests", "staff", "spaces?view=all"]) todo.push(home + path);
    }
    assert.ok(seen.size > 30, `${seen.size} pages`);
    assert.equal(ran, false);
  });
});
