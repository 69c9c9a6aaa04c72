// Writes the screenshot of the README: the page Today of the sample hotel, 1280 pixels wide.
//
//	go build -o /tmp/server ./server && PORTAL_TEST_SERVER=/tmp/server node screenshot.mjs ../../docs/portal.png
import { browse, open, serve } from "./browser.mjs";

const server = await serve();
const chromium = await browse();
try {
  const context = await chromium.context({ viewport: { width: 1280, height: 800 }, colorScheme: "light", locale: "en-US" });
  const page = await context.newPage();
  await open(page, server.links.full);
  await page.screenshot({ path: process.argv[2] });
} finally {
  await chromium.close();
  await server.stop();
}
