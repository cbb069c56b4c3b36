// How soon each page of the dashboard shows its heading, in headless Chromium. The bench of tests/desktop runs it.
//
//   node tests/ui/paint.mjs LINK TIMES MOVED SEEN PAGE…
//
// LINK lets the browser in, once. MOVED and SEEN are functions of a page's name, told as text, that answer with
// milliseconds. Prints a list of what was measured and the figures, TIMES each.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const { chromium } = createRequire(join(ROOT, 'target/tools/clients/'))('playwright-core');
const [link, times, moved, seen, ...pages] = process.argv.slice(2);

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
const page = await (await browser.newContext()).newPage();
await page.addInitScript(() => localStorage.setItem('dragoman.first-steps', 'hello'));
await page.goto(link);
await page.locator('main h1').waitFor();
const measured = [];
for (const name of pages) {
  const [clicked, loaded] = [[], []];
  for (let round = 0; round < Number(times); round += 1) {
    clicked.push(await page.evaluate(`(${moved})('${name}')`));
    await page.reload({ waitUntil: 'commit' });
    loaded.push(await page.evaluate(`(${seen})('${name}')`));
  }
  measured.push([`${name}, from the rail`, clicked], [`${name}, loaded`, loaded]);
}
console.log(JSON.stringify(measured));
await browser.close();
