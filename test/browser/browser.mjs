// Common code of the browser tests: runs the server in this directory on Badger, and starts Debian's Chromium.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const serverBinary = process.env.PORTAL_TEST_SERVER;
const shots = process.env.PORTAL_SCREENSHOTS;

/** Starts the server with flags. `links` are the links that it printed; `link` creates a link that is still open. */
export async function serve(...flags) {
  if (!serverBinary) throw new Error("PORTAL_TEST_SERVER must name the built server; see run");
  const child = spawn(serverBinary, flags, { stdio: ["ignore", "pipe", "inherit"] });
  const exited = new Promise((resolve) => child.once("exit", resolve));
  const line = await Promise.race([
    new Promise((resolve) => createInterface({ input: child.stdout }).once("line", resolve)),
    exited.then((code) => { throw new Error(`the server ended with ${code}`); }),
  ]);
  const { Base: base, Links: links } = JSON.parse(line);
  const origin = new URL(base).origin;
  // Create a portal that closes soon for each test, because an older one may have closed already.
  const link = async (name) => (name === "soon" ? (await (await fetch(`${origin}/-/again`)).json())[name] : links[name]);
  return { base, links, link, origin, stop: async () => { child.kill("SIGTERM"); await exited; } };
}

/** The time limit of a step in milliseconds. It only stops tests that hang, even on a slow machine. */
const patience = 300_000;

/** Starts Chromium. `context` creates a new browser context. */
export async function browse() {
  const dir = mkdtempSync(join(tmpdir(), "portal-chromium-"));
  const browser = await chromium.launch({
    timeout: patience,
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    env: { ...process.env, XDG_CONFIG_HOME: dir, XDG_CACHE_HOME: dir },
  });
  const context = async (options) => {
    const made = await browser.newContext(options);
    made.setDefaultTimeout(patience);
    return made;
  };
  return { context, close: async () => { await browser.close(); rmSync(dir, { recursive: true, force: true }); } };
}

/** Opens a portal's link, and returns the path of its pages. */
export async function open(page, link) {
  await page.goto(link.URL);
  return home(page.url());
}

/** Returns the path of the pages of the portal to which a page belongs. */
export function home(url) {
  const found = /^(.*?\/p\/[0-9a-f]+\/)/.exec(url);
  if (!found) throw new Error(`no page of a portal: ${url}`);
  return found[1];
}

/** Waits until the page that an act opens is loaded. */
export const loads = (page, act) => Promise.all([page.waitForEvent("domcontentloaded"), act()]);

/** Presses Tab until an element that matches the selector has the focus. */
export async function reach(page, selector) {
  for (let i = 0; i < 300; i++) {
    await page.keyboard.press("Tab");
    if (await page.evaluate((s) => document.activeElement.matches(s), selector)) return;
  }
  assert.fail(`the keyboard does not reach ${selector}`);
}

/** Moves the focus with Tab to a button with a matching label, presses Enter, and waits for the next page. */
export async function press(page, label) {
  for (let i = 0; i < 300; i++) {
    await page.keyboard.press("Tab");
    const [tag, text, outline] = await page.evaluate(() => {
      const e = document.activeElement;
      return [e.tagName, e.textContent.trim().replace(/\s+/g, " "), getComputedStyle(e).outlineStyle];
    });
    if (tag !== "BUTTON" || !label.test(text)) continue;
    assert.notEqual(outline, "none", `the focus on ${text} is visible`);
    return loads(page, () => page.keyboard.press("Enter"));
  }
  assert.fail(`the keyboard does not reach ${label}`);
}

/** Writes a screenshot of the whole page if PORTAL_SCREENSHOTS names a directory. */
export async function shoot(page, name) {
  if (!shots) return;
  mkdirSync(shots, { recursive: true });
  const picture = { path: join(shots, `${name.replaceAll(/[^\w.-]+/g, "_")}.png`), fullPage: true };
  try {
    await page.screenshot(picture);
  } catch (error) { // Chromium sometimes fails to capture a tall page
    if (!/Unable to capture/.test(error.message)) throw error;
    await page.screenshot(picture);
  }
}

/** Returns the URLs of the pages of a link. */
export function pagesOf(home, link) {
  return (link.Pages ?? []).map((path) => home + path);
}
