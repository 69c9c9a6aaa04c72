// Tests of forms that are interrupted: by another tab, a push, a double click, Back, another language or the end of the
// session. No input is lost, nothing is created twice, and no newer change is overwritten.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browse, open, serve } from "./browser.mjs";

let server, chromium;
before(async () => { server = await serve(); chromium = await browse(); });
after(async () => { await chromium?.close(); await server?.stop(); });

/** Runs a function with a new browser context and the path of an open portal. */
async function visit(javaScriptEnabled, work) {
  const context = await chromium.context({ viewport: { width: 1280, height: 900 }, javaScriptEnabled, locale: "en-US" });
  try {
    const page = await context.newPage();
    await work(page, await open(page, server.links.full), context);
  } finally {
    await context.close();
  }
}

async function ask(path, body) {
  const answer = await fetch(`${server.origin}/-/${path}${path.includes("?") ? "&" : "?"}vertical=hospitality`, body ? { method: "POST", body: JSON.stringify(body) } : {});
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
}
const grant = (key) => ask(`grant?key=${key}`);
const counts = () => ask("counts");
const push = (booking) => ask("push", { customer_key: "Casa Lusitana Hotels", bookings: [booking] });

let filled = 0;

/** Fills in the form for a new booking, but does not submit it. */
async function fillBooking(page, home, guest) {
  await page.goto(`${home}reservations/new`);
  const year = 2031 + filled++; // so that the room is free
  await page.fill("[name=starts_at]", `${year}-03-01T15:00`);
  await page.fill("[name=ends_at]", `${year}-03-03T11:00`);
  await page.click("details.more summary");
  await page.fill("[name=guest_name]", guest);
  await page.check("[name=space] >> nth=0");
}

for (const script of [false, true]) {
  const on = script ? "script on" : "script off";
  const n = script ? 1 : 0;

  test(`two tabs edit one booking, ${on}`, async () => {
    await visit(script, async (page, home, context) => {
      const key = `b-${n}-04`;
      const other = await context.newPage();
      await page.goto(`${home}reservations/edit?key=${key}`);
      await other.goto(`${home}reservations/edit?key=${key}`);
      await page.fill("[name=name]", "First tab");
      await other.fill("[name=preferred_code]", "445566");
      await page.click("button.primary");
      await other.click("button.primary");
      assert.match(await other.textContent("[role=status].done"), /saved/);
      const both = await grant(key);
      assert.equal(both.name, "First tab", "the second tab does not set it back");
      assert.equal(both.preferred_code, "445566");

      // Both change the title: the second user has to choose.
      await page.goto(`${home}reservations/edit?key=${key}`);
      await other.goto(`${home}reservations/edit?key=${key}`);
      await page.fill("[name=name]", "Of the first");
      await other.fill("[name=name]", "Of the second");
      await page.click("button.primary");
      await other.click("button.primary");
      assert.match(await other.textContent("h1"), /Somebody else changed this too/);
      assert.match(await other.textContent("main"), /Of the first/);
      assert.match(await other.textContent("main"), /Of the second/);
      await other.waitForSelector("h1:focus"); // the focus is on the message
      assert.equal((await grant(key)).name, "Of the first");
      await other.check("[name='choose.name'][value=typed]");
      await other.click("button.primary");
      assert.equal((await grant(key)).name, "Of the second");
    });
  });

  test(`a push while a form is open keeps both changes, ${on}`, async () => {
    await visit(script, async (page, home) => {
      const key = `b-${n}-05`;
      await page.goto(`${home}reservations/edit?key=${key}`);
      await push({ booking_key: key, ends_at: "2031-05-05T11:00:00Z", starts_at: "2031-05-01T15:00:00Z" });
      await page.fill("[name=name]", "Only the title");
      await page.click("button.primary");
      const after = await grant(key);
      assert.equal(after.name, "Only the title");
      assert.equal(after.starts_at, "2031-05-01T15:00:00.000000Z");
      assert.equal(after.ends_at, "2031-05-05T11:00:00.000000Z");
    });
  });

  test(`a double click creates one booking, ${on}`, async () => {
    await visit(script, async (page, home) => {
      await fillBooking(page, home, `Double ${on}`);
      const was = await counts();
      await page.dblclick("button.primary");
      await page.waitForURL(/reservations\/view/);
      assert.match(await page.textContent("h1"), new RegExp(`Double ${on}`));
      const now = await counts();
      assert.equal(now.booking, was.booking + 1);
      assert.equal(now.guest, was.guest + 1);
    });
  });

  test(`changing the language keeps the input of a form, ${on}`, async () => {
    await visit(script, async (page, home) => {
      await fillBooking(page, home, `Language ${on}`);
      const starts = await page.inputValue("[name=starts_at]");
      const was = await counts();
      await page.selectOption("#set_locale", "de-DE");
      await page.click(".locale button");
      assert.equal(await page.getAttribute("html", "lang"), "de-DE");
      assert.equal(await page.inputValue("[name=guest_name]"), `Language ${on}`);
      assert.equal(await page.inputValue("[name=starts_at]"), starts);
      assert.ok(await page.isChecked("[name=space] >> nth=0"));
      assert.ok(!page.url().includes("Language"), "nothing that was typed is in the address");
      assert.deepEqual(await counts(), was);
      await page.click("button.primary");
      await page.waitForURL(/reservations\/view/);
      assert.equal((await counts()).booking, was.booking + 1);
    });
  });

  test(`the end of the session keeps the input of a form, ${on}`, async () => {
    await visit(script, async (page, home, context) => {
      await fillBooking(page, home, `Session ${on}`);
      const was = await counts();
      await context.clearCookies();
      await page.click("button.primary");
      assert.match(await page.textContent("h1"), /No portal is open in this browser/);
      assert.deepEqual(await counts(), was);
      const other = await context.newPage();
      await open(other, server.links.full);
      await page.click("button.primary");
      await page.waitForURL(/reservations\/view/);
      assert.match(await page.textContent("h1"), new RegExp(`Session ${on}`));
      assert.equal((await counts()).booking, was.booking + 1);
    });
  });

  test(`searching for a guest keeps the input of a form, ${on}`, async () => {
    await visit(script, async (page, home) => {
      await fillBooking(page, home, "Typed before");
      await page.fill("[name=name]", `Looked for ${on}`);
      const was = await counts();
      await page.fill("[name=guest_text]", "a");
      await page.click("[name=guest_find]");
      assert.equal(await page.inputValue("[name=guest_name]"), "Typed before");
      assert.equal(await page.inputValue("[name=name]"), `Looked for ${on}`);
      await page.check("[name=guest] >> nth=1");
      await page.click("button.primary");
      await page.waitForURL(/reservations\/view/);
      const now = await counts();
      assert.equal(now.booking, was.booking + 1);
      assert.equal(now.guest, was.guest, "nobody new is made");
    });
  });

  test(`the focus is on the first invalid field, ${on}`, async () => {
    await visit(script, async (page, home) => {
      await fillBooking(page, home, "Faults");
      await page.fill("[name=ends_at]", "2031-02-01T11:00");
      await page.fill("[name=preferred_code]", "12");
      await page.click("button.primary");
      await page.waitForSelector("[name=ends_at]:focus");
      await page.click("main a[href='#f-preferred_code']");
      await page.waitForSelector("[name=preferred_code]:focus");
    });
  });
}

test("Back and Create again after creating a booking", async () => {
  await visit(true, async (page, home) => {
    await fillBooking(page, home, "Back again");
    const was = await counts();
    await page.click("button.primary");
    await page.waitForURL(/reservations\/view/);
    const made = page.url();
    await page.goBack();
    assert.equal(await page.inputValue("[name=guest_name]"), "Back again", "what was typed is there");
    await page.click("button.primary");
    await page.waitForURL(/reservations\/view/);
    assert.equal(page.url(), made, "the same booking");
    assert.equal((await counts()).booking, was.booking + 1);

    await page.goBack();
    await page.fill("[name=guest_name]", "Another guest");
    await page.click("button.primary");
    assert.match(await page.textContent("h1"), /created already/);
    assert.equal((await counts()).booking, was.booking + 1);
    await page.click("text=Create another one");
    await page.click("text=Book anyway"); // the first booking has the room
    await page.waitForURL(/reservations\/view/);
    assert.match(await page.textContent("h1"), /Another guest/);
    assert.equal((await counts()).booking, was.booking + 2);
  });
});

test("Back after creating a booking does not create another, script off", async () => {
  await visit(false, async (page, home) => {
    await fillBooking(page, home, "Back without script");
    const was = await counts();
    await page.click("button.primary");
    await page.waitForURL(/reservations\/view/);
    await page.goBack();
    await page.click("button.primary"); // the browser has lost the input and asks for it
    assert.match(page.url(), /reservations\/new/);
    assert.equal((await counts()).booking, was.booking + 1);
  });
});

test("Back to an abandoned form, and to an edit of a resource that was changed since", async () => {
  await visit(true, async (page, home) => {
    await fillBooking(page, home, "Left behind");
    await page.click("nav >> text=Bookings");
    await page.goBack();
    assert.equal(await page.inputValue("[name=guest_name]"), "Left behind");
    assert.ok(await page.isChecked("[name=space] >> nth=0"));

    await page.goto(`${home}reservations/edit?key=b-1-06`);
    await page.fill("[name=name]", "Mine");
    await page.click("button.primary");
    await page.waitForURL(/reservations\/view/);
    await push({ booking_key: "b-1-06", name: "Theirs" });
    await page.goBack();
    assert.equal(await page.inputValue("[name=name]"), "Mine");
    await page.click("button.primary");
    assert.match(await page.textContent("h1"), /Somebody else changed this too/);
    assert.equal((await grant("b-1-06")).name, "Theirs");

    await page.goto(`${home}reservations/edit?key=b-1-06`);
    assert.equal(await page.inputValue("[name=name]"), "Theirs", "a form that is opened anew shows what there is");
  });
});

test("closing the portal discards the input of forms", async () => {
  await visit(true, async (page, home) => {
    await fillBooking(page, home, "Forgotten");
    await page.goto(`${home}end`);
    assert.ok(await page.evaluate(() => Object.keys(sessionStorage).length) > 0);
    await page.click("main button");
    await page.waitForSelector("[data-problem=ended]");
    await page.waitForFunction(() => Object.keys(sessionStorage).length === 0);
  });
});
