// The pages in a real browser: headless Chromium, driven by Playwright, looked over by axe.
//
//   node tests/ui/suite.mjs      every scene of fixture.mjs
//
// One line for each check, `ok` or `FAILED`; it ends with 1 if one failed. Pictures go to target/screenshots.

import { mkdir, readFile, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serve } from './fixture.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const tools = createRequire(join(ROOT, 'target/tools/clients/'));
const { chromium } = tools('playwright-core');
const AXE = await readFile(tools.resolve('axe-core/axe.min.js'), 'utf8');
const PICTURES = join(ROOT, 'target/screenshots');

const PAGES = ['overview', 'accounts', 'models', 'activity', 'usage', 'settings', 'logs', 'about'];
const SIZES = [
  { width: 880, height: 600 },
  { width: 640, height: 480 },
];
const THEMES = ['light', 'dark'];
/** By these the page must have painted, in milliseconds: it waits for nobody. */
const PAINT = 500;

let [passed, failed] = [0, 0];

/** @param {string} name @param {() => Promise<void>} hold */
async function check(name, hold) {
  try {
    await hold();
    passed += 1;
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    const words = error instanceof Unmet ? error.message : String(error?.stack ?? error);
    console.log(`FAILED  ${name}\n        ${words.replaceAll('\n', '\n        ')}`);
  }
}

/** A claim that does not hold. */
class Unmet extends Error {}

function assert(claim, words) {
  if (!claim) throw new Unmet(words);
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });

/** A fresh browser profile whose complaints are kept. */
async function visitor(options = {}) {
  const context = await browser.newContext({ viewport: SIZES[0], ...options });
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (message) => message.type() === 'error' && complaints.push(`${message.text()} ${message.location().url}`));
  page.on('pageerror', (error) => complaints.push(String(error.stack ?? error)));
  return { context, page, complaints };
}

/** Opens a page of the window and waits for its heading. */
async function open(page, address, name) {
  await page.goto(`${address}#/${name}`);
  await page.locator('main h1').waitFor();
}

/** What axe calls serious or worse, as one line each. */
async function findings(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  const bad = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  return bad.map(({ id, nodes }) => `${id}: ${nodes.map(({ target, failureSummary }) => `${target} (${failureSummary?.split('\n')[1]?.trim()})`).join('; ')}`);
}

/** What lies outside of its place: the page itself, and every control. */
const overflow = () => {
  const stage = document.querySelector('.stage');
  const wrong = [];
  if (document.documentElement.scrollWidth > innerWidth) wrong.push('the window scrolls sideways');
  if (document.documentElement.scrollHeight > innerHeight) wrong.push('the window scrolls beside its stage');
  if (stage.scrollWidth > stage.clientWidth) wrong.push('the stage scrolls sideways');
  for (const control of document.querySelectorAll('.button, select, input, h1, .tag')) {
    const { left, right, width } = control.getBoundingClientRect();
    if (width > 0 && !control.closest('.unseen, .scroll-x, details:not([open])') && (left < 0 || right > innerWidth + 1))
      wrong.push(`${control.className || control.tagName} "${control.textContent.trim()}" reaches from ${left} to ${right}`);
    if (control.matches('.button') && control.scrollWidth > control.clientWidth + 1) wrong.push(`"${control.textContent.trim()}" is cut`);
  }
  return wrong;
};

/** Every page in every size and both colours: clean console, no serious finding, nothing cut; with a picture. */
async function look(scene, address, names, prepare) {
  for (const theme of THEMES)
    for (const viewport of SIZES) {
      const { context, page, complaints } = await visitor({ viewport, colorScheme: theme, reducedMotion: 'reduce' });
      await prepare?.(page);
      for (const name of names) {
        const called = `${scene} ${name} ${viewport.width}×${viewport.height} ${theme}`;
        await check(`${called}: whole, readable, no complaint`, async () => {
          complaints.length = 0;
          await open(page, address, name);
          await page.waitForTimeout(250); // answers of the fixture are there at once; charts draw in a frame
          const file = join(PICTURES, `${scene}-${name.replaceAll('/', '-')}-${viewport.width}-${theme}.png`);
          await page.screenshot({ path: file });
          assert((await stat(file)).size > 5_000, 'the picture is empty');
          const wrong = [...(await page.evaluate(overflow)), ...(await findings(page)), ...complaints];
          assert(wrong.length === 0, wrong.join('\n'));
        });
      }
      await context.close();
    }
}

/** As after the first steps. */
const settled = (page) => page.addInitScript(() => localStorage.setItem('dragoman.first-steps', 'hello'));

// === with the fixture ===

async function fixture() {
  for (const [scene, names] of [
    ['used', [...PAGES, 'activity/req_1001', 'activity/req_1005']],
    ['fresh', PAGES],
    ['odd', ['models']],
    ['off', ['overview']],
    ['failed', ['overview']],
  ]) {
    const { address, close } = await serve(scene);
    await look(scene, address, names, scene === 'fresh' ? undefined : settled);
    await close();
  }
  await firstSteps();
  await dialogs();
  await keyboard();
  await remembers();
  await silent();
  await activity();
  await logs();
  await themes();
  await noLanguage();
}

/** The three steps, by keys alone: skip, set up, ask; then the overview. */
async function firstSteps() {
  for (const theme of THEMES) {
    const { address, close } = await serve('fresh');
    const { context, page, complaints } = await visitor({ colorScheme: theme, viewport: SIZES[1], reducedMotion: 'reduce' });
    await check(`the first steps lead to the overview, ${theme}`, async () => {
      await open(page, address, 'overview');
      await page.getByRole('button', { name: 'Skip: Sign in with ChatGPT' }).press('Enter');
      await page.locator('#plan-file').waitFor();
      assert((await page.evaluate(() => document.activeElement?.tagName)) === 'H2', 'the focus is lost with the step');
      await page.screenshot({ path: join(PICTURES, `first-plan-${theme}.png`) });
      const wrong = await findings(page);
      await page.locator('#set-up').press('Enter');
      await page.locator('#say-hello').press('Enter');
      await page.locator('#answer', { hasText: 'Hello from the other side.' }).waitFor();
      await page.locator('#answer-facts', { hasText: 'first word after 640 ms · 12 tokens' }).waitFor();
      await page.screenshot({ path: join(PICTURES, `first-answer-${theme}.png`) });
      wrong.push(...(await findings(page)), ...(await page.evaluate(overflow)), ...complaints);
      assert(wrong.length === 0, wrong.join('\n'));
      await page.locator('#first-run-done').press('Enter');
      await page.locator('#standing', { hasText: 'set up ✓' }).waitFor();
      await page.reload();
      await page.locator('#standing', { hasText: 'set up ✓' }).waitFor();
    });
    await context.close();
    await close();
  }
}

/** Dialogs are looked over too, and Esc closes them and gives the focus back. */
async function dialogs() {
  const { address, close } = await serve('used');
  for (const theme of THEMES) {
    const { context, page, complaints } = await visitor({ colorScheme: theme });
    await settled(page);
    for (const [name, opener, seen] of [
      ['accounts', '#add-account', '#adding'],
      ['overview', '#set-up-details', '#details'],
    ])
      await check(`the dialog of ${opener}, ${theme}: readable, and Esc leaves it`, async () => {
        await open(page, address, name);
        await page.locator(opener).click();
        await page.locator(`${seen}[open]`).waitFor();
        await page.waitForTimeout(150);
        await page.screenshot({ path: join(PICTURES, `dialog${seen.replace('#', '-')}-${theme}.png`) });
        const wrong = [...(await findings(page)), ...complaints];
        assert(wrong.length === 0, wrong.join('\n'));
        await page.keyboard.press('Escape');
        await page.locator(seen).waitFor({ state: 'detached' });
        assert(await page.locator(opener).evaluate((element) => element === document.activeElement), 'the focus is lost');
      });
    await context.close();
  }
  const { context, page } = await visitor();
  await settled(page);
  await check('a sign-in shows its code and can be cancelled', async () => {
    await open(page, address, 'accounts');
    await page.locator('#add-account').click();
    await page.locator('[data-way=device]').click();
    await page.locator('#device-code', { hasText: 'ABCD-12345' }).waitFor();
    await page.locator('#cancel-sign-in').click();
    await page.locator('#sign-in').waitFor();
  });
  await context.close();
  await close();
}

/** Everything can be reached and done with keys alone. */
async function keyboard() {
  const { address, close } = await serve('used');
  const { context, page } = await visitor();
  await settled(page);
  await check('Control and a digit opens each page, and its heading has the focus', async () => {
    await open(page, address, 'about');
    for (const [at, name] of PAGES.slice(0, 6).entries()) {
      await page.keyboard.press(`Control+${at + 1}`);
      await page.locator(`main[data-page=${name}]`).waitFor();
      await page.waitForFunction(() => document.activeElement?.tagName === 'H1');
    }
  });
  for (const name of PAGES)
    await check(`every control of ${name} is reached with Tab, in the order of the page, and shows it`, async () => {
      await open(page, address, name);
      await page.waitForTimeout(200);
      const wanted = await page.evaluate(() => {
        const all = [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')];
        const there = all.filter((element) => element.checkVisibility() && !element.disabled && !element.closest('details:not([open]) > :not(summary)'));
        there.forEach((element, at) => (element.dataset.stop = String(at)));
        return there.length;
      });
      await page.evaluate(() => (document.activeElement instanceof HTMLElement ? document.activeElement.blur() : undefined, scrollTo(0, 0)));
      await page.locator('body').evaluate((body) => (body.tabIndex = -1, body.focus(), body.removeAttribute('tabindex')));
      const reached = [];
      for (let press = 0; press < wanted + 4; press += 1) {
        await page.keyboard.press('Tab');
        const [stop, shown] = await page.evaluate(() => {
          const element = document.activeElement;
          return [element?.dataset?.stop, element ? getComputedStyle(element).outlineStyle !== 'none' : false];
        });
        if (stop === undefined || reached.includes(Number(stop))) break;
        assert(shown, `stop ${stop} shows no focus`);
        reached.push(Number(stop));
      }
      assert(reached.length === wanted, `${reached.length} of ${wanted} were reached: ${reached}`);
      assert(reached.every((stop, at) => at === 0 || stop > reached[at - 1]), `out of order: ${reached}`);
    });
  await check('a slash leads to the filter, and Esc empties it', async () => {
    await open(page, address, 'settings');
    await page.locator('[data-key]').first().waitFor();
    const all = await page.locator('[data-key]').count();
    await page.keyboard.press('/');
    await page.keyboard.type('compress');
    await page.waitForFunction(() => document.querySelectorAll('[data-key]').length === 1);
    await page.keyboard.press('Escape');
    await page.waitForFunction((all) => document.querySelectorAll('[data-key]').length === all, all);
  });
  await check('the settings show how each MCP server fares', async () => {
    await open(page, address, 'settings');
    const servers = page.locator('[data-mcp] li');
    await servers.first().waitFor();
    assert((await servers.count()) === 2, 'not two servers');
    assert((await servers.nth(0).textContent())?.includes('ready, 12 tools'), 'no count of tools');
    assert((await servers.nth(1).textContent())?.includes('it did not answer within 30 s'), 'no reason');
  });
  await check('the switch turns with Space', async () => {
    await open(page, address, 'overview');
    await page.locator('#switch').focus();
    await page.keyboard.press('Space');
    await page.locator('#state', { hasText: 'Off' }).waitFor();
    assert((await page.locator('#live').textContent())?.includes('Off'), 'it is not announced');
  });
  await context.close();
  await close();
}

/** The last known state is painted at once, with nobody to ask; then the page says that it is out of date. */
async function remembers() {
  await check('a page paints what it knew last although nobody answers, and says so when nobody can', async () => {
    const { address, close, hush } = await serve('used');
    const { context, page } = await visitor();
    await settled(page);
    await open(page, address, 'overview');
    await page.getByText('you@example.com').waitFor();
    hush(); // files still come, but no request for data is answered any more
    await page.reload();
    await page.getByText('you@example.com').waitFor();
    await close();
    await page.locator('#lost').waitFor();
    assert(await page.getByText('you@example.com').isVisible(), 'what was known is gone');
    await context.close();
  });
}

/** With a program that never answers every page has its heading at once. */
async function silent() {
  const { address, close, hush } = await serve('used');
  hush();
  const { context, page } = await visitor();
  await open(page, address, 'about');
  for (const name of PAGES)
    await check(`${name} shows its heading within ${PAINT} ms although nothing is answered`, async () => {
      // Told by the page's own clock. The quickest of three: other programs may keep this machine busy.
      const took = [];
      for (let at = 0; at < 3; at += 1)
        took.push(
          await page.evaluate(async (name) => {
            location.hash = name === 'about' ? '#/usage' : '#/about';
            const there = (page) => document.querySelector(`main[data-page=${page}] h1`)?.textContent;
            const frame = () => new Promise(requestAnimationFrame);
            while (there(name)) await frame();
            const begun = performance.now();
            location.hash = `#/${name}`;
            while (!there(name)) await frame();
            return performance.now() - begun;
          }, name),
        );
      assert(Math.min(...took) < PAINT, `after ${took} ms`);
    });
  await context.close();
  await close();
}

/** Requests appear when they end, are found, walked through and opened by keys. */
async function activity() {
  const { address, close, ends } = await serve('used');
  const { context, page } = await visitor();
  await settled(page);
  const first = page.locator('#requests a').first();
  await check('a request that ends is on top of the list at once, and once', async () => {
    await open(page, address, 'activity');
    await page.locator('#requests a').nth(5).waitFor();
    ends({ id: 'req_new', model: 'claude-sonnet-5' });
    await first.filter({ hasText: 'claude-sonnet-5' }).waitFor();
    await page.locator('#requests a[href$=req_1001]', { hasText: '2 notes' }).waitFor();
    await open(page, address, 'about');
    await open(page, address, 'activity');
    await first.filter({ hasText: 'claude-sonnet-5' }).waitFor();
    const links = await page.locator('#requests a').evaluateAll((all) => all.map((link) => link.hash));
    assert(new Set(links).size === links.length, `one stands there twice: ${links}`);
  });
  await check('a row says who asked, what answered and why, and what it cost', async () => {
    const row = page.locator('#requests a[href$=req_1003]');
    for (const words of ['claude-cli', 'claude-haiku-4-5-20251001', '→ gpt-6.1-luna', 'models.background', '32.9 k in · 315 out', '31.1 k cached', 'first 733 ms', '4.23 s', 'answered ✓'])
      assert((await row.textContent()).includes(words), `${words} is not in: ${await row.textContent()}`);
  });
  await check('the list is filtered by rule, walked with arrows, opened with Enter and left with Esc', async () => {
    await page.keyboard.press('/');
    await page.keyboard.type('models.background');
    await page.waitForFunction(() => [...document.querySelectorAll('#requests a')].every((row) => row.textContent.includes('models.background')));
    await first.focus();
    await page.keyboard.press('ArrowDown');
    const there = await page.evaluate(() => document.activeElement.hash);
    assert(there === '#/activity/req_1007', `the second row has not the focus: ${there}`);
    await page.keyboard.press('Enter');
    await page.locator('#facts', { hasText: 'models.background' }).waitFor();
    await page.locator('#notes', { hasText: 'tools.0.input_examples' }).waitFor();
    await page.keyboard.press('Escape');
    await page.locator('#requests').waitFor();
  });
  await check('the overview tells the last problem and leads to it', async () => {
    await open(page, address, 'overview');
    await page.locator('#last-problem', { hasText: 'overloaded' }).getByRole('link').click();
    await page.locator('.note', { hasText: 'Claude Code tries again by itself' }).waitFor();
  });
  await context.close();
  await close();
}

/** The log stands still while it is read, and is filtered and copied as it is shown. */
async function logs() {
  const { address, close, ends } = await serve('used');
  const { context, page } = await visitor({ permissions: ['clipboard-read', 'clipboard-write'] });
  await settled(page);
  const lines = page.locator('.log-line');
  await check('the log is live, and its end is in sight until one scrolls', async () => {
    await open(page, address, 'logs');
    await lines.nth(59).waitFor();
    ends({ id: 'req_live' });
    await lines.last().filter({ hasText: 'req_live' }).waitFor();
    const hidden = () => page.locator('#log').evaluate((log) => log.scrollHeight - log.scrollTop - log.clientHeight);
    assert((await hidden()) < 2, 'the last line is out of sight');
    await page.locator('#log').evaluate((log) => log.scrollTo(0, 0));
    await page.waitForTimeout(50); // the scroll event comes with the next frame
    ends({ id: 'req_below' });
    await lines.last().filter({ hasText: 'req_below' }).waitFor();
    assert((await hidden()) > 100, 'the page scrolled away from the reader');
  });
  await check('a paused log stands still, counts what waits, and goes on', async () => {
    await page.locator('#hold').press('Enter');
    ends({ id: 'req_held' });
    await page.locator('#hold', { hasText: '1 new' }).waitFor();
    assert(!(await page.locator('#log').textContent()).includes('req_held'), 'it did not stand still');
    await page.locator('#hold').press('Enter');
    await lines.last().filter({ hasText: 'req_held' }).waitFor();
  });
  await check('the log is filtered by level and words, and copied as it is shown', async () => {
    await page.locator('#level').selectOption('warn');
    await page.waitForFunction(() => [...document.querySelectorAll('.log-line')].every((line) => line.matches('.warn, .error')));
    await page.keyboard.press('/');
    await page.keyboard.type('503');
    await page.waitForFunction(() => [...document.querySelectorAll('.log-line')].every((line) => line.matches('.warn')));
    const shown = await lines.count();
    await page.locator('#copy-lines').click();
    await page.locator('#copy-lines', { hasText: 'Copied' }).waitFor();
    const copied = (await page.evaluate(() => navigator.clipboard.readText())).split('\n');
    assert(copied.length === shown && copied.every((line) => /^20.*Z WARN dragoman_proxy::activity: the backend answered 503/.test(line)), copied.join('\n'));
  });
  await context.close();
  await close();
}

/** The choice of colours holds against the system's, and over a reload. */
async function themes() {
  await check('a chosen colour scheme goes before the system’s and is remembered', async () => {
    const { address, close } = await serve('used');
    const { context, page } = await visitor({ colorScheme: 'light' });
    await open(page, address, 'settings');
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    await page.locator('#theme').selectOption('dark');
    await page.waitForFunction((light) => getComputedStyle(document.body).backgroundColor !== light, light);
    const dark = await ground();
    await page.reload();
    await page.locator('main h1').waitFor();
    assert((await ground()) === dark, 'it was forgotten');
    await context.close();
    await close();
  });
}

/** WebKit calls the language "C" on a Linux that has none, and that is no language to any library. */
async function noLanguage() {
  await check('charts are drawn where the browser has no language', async () => {
    const { address, close } = await serve('used');
    const { context, page, complaints } = await visitor();
    await page.addInitScript(() => Object.defineProperty(navigator, 'language', { value: 'C', configurable: true }));
    await open(page, address, 'usage');
    await page.locator('.chart canvas').first().waitFor();
    assert(complaints.length === 0, complaints.join('\n'));
    await context.close();
    await close();
  });
}

await mkdir(PICTURES, { recursive: true });
await fixture();
await browser.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
