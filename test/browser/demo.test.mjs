// Tests of the demo, which is the standalone example with -demo: a visitor opens the link that it prints, connects an account, assigns
// its devices and unlocks a door.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startDemo } from "../sdk/programs.js";
import { browse, open, shoot } from "./browser.mjs";

let demo, chromium;
before(async () => { demo = await startDemo(); chromium = await browse(); });
after(async () => { await chromium?.close(); await demo?.stop(); });

/** Loads a page again until it has an element. */
async function until(page, url, selector) {
  for (;;) {
    await page.goto(url);
    if (await page.$(selector)) return;
  }
}

test("connect an account, accept the suggested rooms of its devices, and unlock a door", async () => {
  const context = await chromium.context();
  const page = await context.newPage();
  const home = await open(page, { URL: demo.endpoint });
  assert.match(await page.textContent(".attention"), /Locks without connection: Double room 107 lock Hotel Lisboa/);
  assert.match(await page.textContent(".attention"), /Low batteries: Double room 203 lock Hotel Lisboa/);
  await shoot(page, "demo today");

  await page.click(".tabs >> text=Settings");
  await page.click("main .provider form button");
  await page.fill("main [name$=username]", "demo");
  await page.fill("main [name$=password]", "wrong");
  await page.click("main button.primary");
  assert.match(await page.innerText("main"), /The user name or the password is wrong/);
  await page.fill("main [name$=password]", "demo");
  await page.click("main button.primary");
  assert.match(await page.textContent("main .provider"), /demo/);

  await until(page, `${home}organize`, "main li:has-text('Entrance Hotel Porto') button"); // until the devices have been read
  await shoot(page, "demo organize");
  for (const site of ["Hotel Funchal", "Hotel Lisboa", "Hotel Porto"]) {
    await page.click(`main li:has-text("Entrance ${site}") button:has-text("Accept")`);
    assert.match(await page.textContent("main"), /The device.* assigned/);
  }
  assert.equal(await page.$("main button:has-text('Accept')"), null, "no suggestion is left");

  await page.click(".tabs >> text=Devices");
  await page.fill("main [type=search]", "Entrance");
  await page.press("main [type=search]", "Enter");
  await page.click("main tbody th a:has-text('Entrance Hotel Lisboa')");
  assert.match(await page.textContent(".facts"), /Locked/);
  await page.click("main .actions >> text=Unlock");
  await page.click("main button.primary");
  await page.waitForSelector(".result.done"); // the page loads itself again while the command is in progress
  assert.match(await page.textContent(".result"), /The device has confirmed it/);
  assert.match(await page.textContent(".facts"), /Unlocked/);
  assert.match(await page.textContent(".history li"), /Unlocked[^]*In this portal/);
  await shoot(page, "demo unlocked");

  await page.goto(`${home}spaces/view?key=lisbon`);
  assert.match(await page.textContent("main .devices"), /Entrance Hotel Lisboa[^]*Unlocked/, "the page of the site has the new state");
  await context.close();
});

test("the offline lock of the demo says what to do", async () => {
  const context = await chromium.context();
  const page = await context.newPage();
  await open(page, { URL: demo.endpoint });
  await page.click(".attention a:has-text('Double room 107 lock')");
  await page.click("main .actions >> text=Unlock");
  await page.click("main button.primary");
  await page.waitForSelector(".result.fault");
  assert.match(await page.textContent(".result.fault"), /The device cannot be reached/);
  await context.close();
});
