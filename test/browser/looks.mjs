// The looks and the portals with which the pages are tested, and the checks of a page.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { shoot } from "./browser.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const desktop = { width: 1280, height: 900 };
const phone = { width: 390, height: 844 };

export const looks = {
  desktop: { viewport: desktop, colorScheme: "light" },
  phone: { viewport: phone, colorScheme: "light", hasTouch: true },
  dark: { viewport: desktop, colorScheme: "dark" },
  "dark phone": { viewport: phone, colorScheme: "dark", hasTouch: true },
};

/** The portals and the looks with which they are tested. */
export const portals = {
  soon: ["dark phone"], full: ["desktop", "phone", "dark"], brand: ["desktop", "dark"], rental: ["desktop", "dark"], empty: ["desktop", "phone"], embedded: ["phone"],
  hostile: ["desktop", "phone"], deeplink: ["desktop", "phone"], readonly: ["desktop"], restricted: ["phone"], nodetails: ["desktop"],
  organize: ["desktop"], homes: ["desktop"], gym: ["dark"], tours: ["desktop"], neutral: ["desktop"],
  "de-DE": ["desktop", "phone"], "el-GR": ["desktop", "phone"], "ru-RU": ["phone"], "fr-FR": ["phone"],
};

/** Opens a page of a server in a new browser context. Every error on the page fails the test. */
export async function visit(chromium, server, options, work) {
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
export async function check(page, what) {
  // The content security policy forbids inline script, so run axe-core through the debugger.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const told = violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target} ${n.failureSummary}`));
  assert.deepEqual(told, [], what);
}

/** Checks that no element is wider than the window. */
export async function fits(page, what) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(over <= 0, `${what} is ${over}px too wide`);
}

/** Checks the present page in every look, or in those with the given names, and with text of twice the size. */
export async function looksGood(page, what, names = Object.keys(looks)) {
  const size = page.viewportSize();
  for (const look of names) {
    const { viewport, colorScheme } = looks[look];
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" }); // or axe-core sees colors in transition
    await check(page, `${what} ${look}`);
    await fits(page, `${what} ${look}`);
    await shoot(page, `${what} ${look}`);
  }
  await page.evaluate(() => { document.documentElement.style.fontSize = "200%"; });
  await fits(page, `${what} with large text`);
  await page.evaluate(() => { document.documentElement.style.fontSize = ""; });
  await page.setViewportSize(size);
}
