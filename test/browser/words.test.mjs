// Tests that all texts of the pages are translated. The server puts every text of the catalogs in brackets. A text outside
// brackets must be marked as a name, a key or a code.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browse, open, pagesOf, serve } from "./browser.mjs";

let server, chromium;
before(async () => { server = await serve("--pseudo"); chromium = await browse(); });
after(async () => { await chromium?.close(); await server?.stop(); });

/** Returns the texts of a page that are neither in brackets nor marked as not translated. */
function strays() {
  const out = [];
  const bare = (text) => {
    let depth = 0;
    let rest = "";
    for (const c of text) {
      if (c === "⟦") depth++;
      else if (c === "⟧") depth--;
      else if (depth === 0) rest += c;
    }
    return rest.trim();
  };
  const kept = (element) => element.closest("[translate=no], script, style, time");
  const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const rest = bare(walker.currentNode.data);
    if (/\p{L}/u.test(rest) && !kept(walker.currentNode.parentElement) && !walker.currentNode.parentElement.closest("title")) out.push(rest);
  }
  const title = bare(document.title);
  if (/\p{L}/u.test(title.replace(/^·.*$/u, ""))) out.push(`title: ${title}`);
  for (const element of document.querySelectorAll("[aria-label], [title], [placeholder], [alt], [data-label]")) {
    for (const name of ["aria-label", "title", "placeholder", "alt", "data-label"]) {
      const rest = bare(element.getAttribute(name) ?? "");
      if (/\p{L}/u.test(rest)) out.push(`${name}: ${rest}`);
    }
  }
  return out;
}

for (const name of ["full", "readonly", "empty", "soon", "rental", "homes", "deeplink", "nodetails", "de-DE"]) {
  test(`all texts of ${name} are in the catalogs`, async () => {
    const context = await chromium.context();
    const page = await context.newPage();
    const link = await server.link(name);
    const home = await open(page, link);
    for (const url of pagesOf(home, link)) {
      await page.goto(url);
      assert.deepEqual(await page.evaluate(strays), [], url.slice(home.length));
    }
    if (name === "full") {
      for (const [path, button] of [["reservations/new", "button.primary"], ["staff/new", "button.primary"], ["spaces/rename?key=chiado-03", "button.primary"]]) {
        await page.goto(home + path);
        await page.$eval("main form", (form) => { form.noValidate = true; for (const e of form.elements) if (e.type === "text") e.value = e.name === "preferred_code" ? "x" : ""; });
        await page.click(button);
        assert.ok((await page.locator(".error").count()) > 0, path);
        assert.deepEqual(await page.evaluate(strays), [], `${path}, with faults`);
      }
    }
    await context.close();
  });
}

test("all texts of error pages are in the catalogs", async () => {
  const context = await chromium.context();
  const page = await context.newPage();
  for (const name of ["forged", "revoked", "used", "expired", "click"]) {
    await page.goto(server.links[name].URL);
    assert.deepEqual(await page.evaluate(strays), [], name);
  }
  await context.close();
});
