// Tests of every page of the preview: no findings of axe-core, no horizontal overflow at any supported size, and no requests to
// other origins. These tests take longest, so the name of the file comes first.
import { after, before, test } from "node:test";
import { browse, open, pagesOf, serve, shoot } from "./browser.mjs";
import { check, fits, looks, portals, visit } from "./looks.mjs";

let server, chromium;
before(async () => { server = await serve(); chromium = await browse(); });
after(async () => { await chromium?.close(); await server?.stop(); });

/** The portals of which screenshots are taken. */
const shown = new Set(["full", "embedded"]);

/** The portals that axe-core checks. The pages of the others have the same elements with other words. */
const checked = new Set(["full", "brand", "gym", "empty", "embedded", "hostile", "readonly", "deeplink"]);

for (const [name, how] of Object.entries(portals)) {
  for (const look of how) {
    test(`every page of ${name}, ${look}`, async () => {
      await visit(chromium, server, looks[look], async (page) => {
        const link = await server.link(name);
        const home = await open(page, link);
        for (const url of pagesOf(home, link)) {
          await page.goto(url);
          const what = `${name} ${look} ${url.slice(home.length)}`;
          if (checked.has(name)) await check(page, what);
          await fits(page, what);
          if (shown.has(name)) await shoot(page, what);
        }
      });
    });
  }
}

// The pages with most text, in the languages whose other pages are not tested.
for (const locale of ["pt-PT", "it-IT", "es-ES", "nl-NL", "pl-PL"]) {
  test(`the longest pages of ${locale}, phone`, async () => {
    await visit(chromium, server, looks.phone, async (page) => {
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
