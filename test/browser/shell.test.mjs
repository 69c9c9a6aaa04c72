// Tests of what all pages have in common: the search box, the navigation, the skip link, and texts that are twice as large.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browse, open, pagesOf, serve, shoot } from "./browser.mjs";
import { check, fits, looks } from "./looks.mjs";

const desktop = { width: 1280, height: 900 };
const phone = { width: 390, height: 844 };

let server, chromium;
before(async () => { server = await serve(); chromium = await browse(); });
after(async () => { await chromium?.close(); await server?.stop(); });

async function visit(options, work) {
  const context = await chromium.context({ viewport: desktop, ...options });
  try { await work(await context.newPage()); } finally { await context.close(); }
}

const focused = (page) => page.evaluate(() => document.activeElement.id);

test("the key / moves the focus to the search box, and Enter searches", async () => {
  await visit({}, async (page) => {
    const home = await open(page, server.links.full);
    await page.keyboard.press("/");
    assert.equal(await focused(page), "search");
    assert.equal(await page.inputValue("#search"), "");
    await page.keyboard.type("Lovelace/");
    assert.equal(await page.inputValue("#search"), "Lovelace/", "in a field, it is a character");
    await page.keyboard.press("Backspace");
    await page.keyboard.press("Enter");
    await page.waitForURL(/q=Lovelace/);
    assert.match(await page.textContent("main"), /Ada Lovelace/);
    await page.goto(`${home}reservations/new`);
    await page.focus("[name=guest_name]");
    await page.keyboard.type("a/b");
    assert.equal(await page.inputValue("[name=guest_name]"), "a/b");
    await page.keyboard.press("Control+/");
    assert.notEqual(await focused(page), "search");
  });
});

test("results of a search appear below the box while the visitor types", async () => {
  for (const options of [looks.desktop, looks["dark phone"]]) {
    await visit(options, async (page) => {
      const home = await open(page, server.links.full);
      const links = page.locator(".quick a");
      await page.click("#search");
      await page.keyboard.type("lovel");
      await links.first().waitFor();
      assert.deepEqual(await page.locator(".quick p").allTextContents(), ["Bookings", "Guests"]);
      assert.match(await links.first().textContent(), /^Ada Lovelace.*Room 101/);
      await check(page, "the results");
      await fits(page, "the results");
      await page.keyboard.press("ArrowDown");
      await page.keyboard.press("ArrowDown");
      assert.equal(await page.evaluate(() => [...document.querySelectorAll(".quick a")].indexOf(document.activeElement)), 1);
      await page.keyboard.press("Escape");
      assert.equal(await focused(page), "search");
      assert.equal(await links.first().isVisible(), false);
      await page.keyboard.type("a");
      await links.first().waitFor();
      await shoot(page, "quick results");
      await page.keyboard.press("Tab");
      assert.equal(await page.evaluate(() => document.activeElement.matches(".quick a")), true, "the results follow the box");
      await page.keyboard.press("Enter");
      await page.waitForURL(/reservations\/view/);
      assert.match(await page.textContent("h1"), /Ada Lovelace/);
      assert.ok(page.url().startsWith(home));
      await page.click("#search");
      await page.keyboard.type("101");
      await links.first().waitFor();
      await page.keyboard.press("Enter");
      await page.waitForURL(/search\?q=101/);
    });
  }
});

test("the search box works without script", async () => {
  await visit({ javaScriptEnabled: false }, async (page) => {
    await open(page, server.links.full);
    await page.fill("#search", "Lovelace");
    await page.press("#search", "Enter");
    await page.waitForURL(/q=Lovelace/);
    assert.match(await page.textContent("main"), /Ada Lovelace/);
  });
});

test("the first key press reaches the link to the content", async () => {
  await visit({}, async (page) => {
    await open(page, server.links.full);
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    const box = await page.locator(".skip").boundingBox();
    assert.ok(box.y >= 0, "it is visible");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.closest("main") !== null), true);
  });
});

for (const javaScriptEnabled of [false, true]) {
  test(`phones have the navigation at the bottom, script ${javaScriptEnabled ? "on" : "off"}`, async () => {
    await visit({ viewport: phone, javaScriptEnabled }, async (page) => {
      const home = await open(page, server.links.full);
      assert.equal(await page.locator(".tabs").isVisible(), false);
      const entries = await page.$$eval(".bottom > ul > li > a", (all) => all.map((a) => a.textContent));
      assert.deepEqual(entries, ["Today", "Calendar", "Bookings", "Guests"]);
      const bar = await page.locator(".bottom").boundingBox();
      assert.equal(bar.y + bar.height, phone.height, "at the bottom of the screen");
      assert.equal(await page.locator(".bottom details a").first().isVisible(), false);
      await page.click(".bottom summary");
      for (const name of ["Staff", "Settings"]) {
        const box = await page.locator(`.bottom details a >> text=${name}`).boundingBox();
        assert.ok(box.x >= 0 && box.x + box.width <= phone.width && box.y >= 0 && box.y + box.height <= bar.y + 1, name);
      }
      await page.click(".bottom details a >> text=Staff");
      assert.match(await page.textContent("h1"), /Staff/);
      assert.equal(await page.locator(".bottom summary.in").count(), 1, "the button shows that the page is behind it");

      // The current entry is on the screen on every page.
      for (const path of ["", "calendar", "reservations", "guests"]) {
        await page.goto(home + path);
        const current = await page.locator(".bottom a[aria-current]").boundingBox();
        assert.ok(current.x >= 0 && current.x + current.width <= phone.width && current.y + current.height <= phone.height, path);
      }
    });
  });
}

/** Returns the words of buttons, links of the navigation and table heads that are broken over two lines. */
function brokenWords() {
  const out = [];
  for (const element of document.querySelectorAll("button, .button, nav a, summary, thead th, .chip, label, legend, h1, h2")) {
    if (!element.checkVisibility() || element.querySelector("[translate=no]") || element.classList.contains("unseen")) continue;
    if (element.closest("thead")?.getBoundingClientRect().width <= 1) continue; // only for screen readers
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      for (const word of walker.currentNode.data.matchAll(/[\p{L}\p{N}]+/gu)) {
        const range = document.createRange();
        range.setStart(walker.currentNode, word.index);
        range.setEnd(walker.currentNode, word.index + word[0].length);
        if (new Set([...range.getClientRects()].map((r) => Math.round(r.top))).size > 1) out.push(`${word[0]} (${element.tagName} ${element.className})`);
      }
    }
  }
  return out;
}

/** Returns the elements that contain no letter, digit or control, but punctuation on a line of its own. */
function strayPunctuation() {
  const out = [];
  for (const cell of document.querySelectorAll("td, th, li, p")) {
    if (!cell.checkVisibility()) continue;
    const lines = new Map();
    const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      if (!walker.currentNode.data.trim()) continue;
      const range = document.createRange();
      range.selectNodeContents(walker.currentNode);
      for (const rect of range.getClientRects()) {
        const line = Math.round(rect.bottom / 6);
        lines.set(line, `${lines.get(line) ?? ""}${walker.currentNode.data.trim()}`);
      }
    }
    for (const text of lines.values()) if (/^[,;·]+$/.test(text)) out.push(cell.textContent.trim());
  }
  return out;
}

for (const name of ["full", "de-DE", "ru-RU"]) {
  for (const [look, viewport] of Object.entries({ phone, desktop })) {
    test(`every page of ${name} with texts of 200 %, ${look}`, async () => {
      await visit({ viewport }, async (page) => {
        const link = await server.link(name);
        const home = await open(page, link);
        for (const url of pagesOf(home, link)) {
          await page.goto(url);
          const what = `${name} ${look} ${url.slice(home.length)}`;
          assert.deepEqual(await page.evaluate(brokenWords), [], `${what}: a word is broken`);
          assert.deepEqual(await page.evaluate(strayPunctuation), [], `${what}: punctuation on a line of its own`);
          await page.evaluate(() => { document.documentElement.style.fontSize = "200%"; });
          const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
          assert.ok(over <= 0, `${what} is ${over}px too wide`);
          assert.ok((await page.locator("#search").boundingBox()).width >= 150, what);
          await shoot(page, `${what} 200`);
        }
      });
    });
  }
}
