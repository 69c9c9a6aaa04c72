// Tests of the standalone example: data is pushed through its API, a link is created with its API, and changes of a
// visitor are visible in its API.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { apiKey, startStandalone } from "../sdk/programs.js";
import { browse, open } from "./browser.mjs";

let program, chromium;
before(async () => {
  program = await startStandalone();
  chromium = await browse();
  await push();
});
after(async () => { await chromium?.close(); await program?.stop(); });

async function api(path, body) {
  const answer = await fetch(program.endpoint + path, {
    method: "POST", body: JSON.stringify(body),
    headers: { "content-type": "application/json", authorization: `Bearer ${apiKey}` },
  });
  return { status: answer.status, body: await answer.json() };
}

/** Opens a portal of the hotel with a configuration. */
async function visit(config, work) {
  const made = await api("/customers/create_portal", { customer_data: { customer_key: "hotel" }, ...config });
  assert.equal(made.status, 200, JSON.stringify(made.body));
  const context = await chromium.context();
  try {
    const page = await context.newPage();
    const home = await open(page, { URL: made.body.customer_portal.url });
    await work(page, home);
  } finally { await context.close(); }
}

async function push() {
  const pushed = await api("/customers/push_data", {
    customer_key: "hotel",
    rooms: [{ room_key: "101", name: "Room 101" }, { room_key: "102", name: "Room 102" }],
    guests: [{ guest_key: "ada", name: "Ada Lovelace" }],
    reservations: ["r1", "r2"].map((reservation_key, i) => ({
      reservation_key, name: `Stay ${i + 1}`, guest_key: "ada", room_keys: ["101"],
      starts_at: "2030-06-16T15:00:00Z", ends_at: "2030-06-18T11:00:00Z",
    })),
  });
  assert.equal(pushed.status, 200, JSON.stringify(pushed.body));
}

test("find a reservation, edit it, cancel it, and see it in the API", async () => {
  await visit({}, async (page, home) => {
    await page.goto(`${home}reservations?q=r1`);
    await page.click("main tbody th a");
    await page.click("main >> text=Edit");
    await page.fill("[name=name]", "A longer stay");
    await page.click("button.primary");
    const edited = await api("/access_grants/get", { access_grant_key: "r1" });
    assert.equal(edited.body.access_grant.name, "A longer stay");
    assert.equal(edited.body.access_grant.ends_at, "2030-06-18T11:00:00.000000Z");
    await page.click("main >> text=Cancel");
    await page.click("text=Cancel now");
    assert.equal((await api("/access_grants/get", { access_grant_key: "r1" })).status, 404);
    assert.equal((await api("/access_grants/get", { access_grant_key: "r2" })).status, 200);
  });
});

test("a read-only portal has no forms that write", async () => {
  await visit({ read_only: true }, async (page, home) => {
    for (const path of ["", "reservations", "reservations/view?key=r2", "spaces", "spaces/view?key=101", "staff", "guests"]) {
      assert.equal((await page.goto(home + path)).status(), 200, path);
      const forms = await page.$$eval("main form[method=post]", (all) => all.length);
      assert.equal(forms, 0, `a form on ${path}`);
      const links = await page.$$eval("main a", (all) => all.map((a) => new URL(a.href).pathname));
      assert.deepEqual(links.filter((to) => /\/(new|edit|cancel|rename|move|delete|remove)$/.test(to)), [], path);
    }
    assert.notEqual((await page.goto(`${home}reservations/edit?key=r2`)).status(), 200);
  });
});

test("a revoked link opens a page with a message", async () => {
  await visit({}, async (page, home) => {
    await api("/customers/portals/revoke_all", { customer_key: "hotel" });
    assert.equal((await page.goto(home)).status(), 410);
  });
});
