// The pages in a real browser: headless Chromium, driven by Playwright, looked over by axe.
//
//   node tests/ui/suite.mjs              every scene of fixture.mjs
//   node tests/ui/suite.mjs mapped logs  these parts of it
//   node tests/ui/suite.mjs live LINK    a running Dragoman that is signed out; LINK lets the browser in, once
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
  page.setDefaultTimeout(15_000);
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

/** Every page in every scene. */
async function scenes() {
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
}

const PARTS = { scenes, firstSteps, dialogs, keyboard, remembers, outgrown, silent, steady, mapped, activity, twins, logs, themes, noLanguage };

/** All parts, or those that are named. @param {string[]} names */
async function fixture(names) {
  for (const name of names.length > 0 ? names : Object.keys(PARTS)) await PARTS[name]();
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
      ['about', '#all-licences', '#licence-text'],
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
  await check('turned off, it asks on every page whether Claude Code goes back to Anthropic meanwhile', async () => {
    await open(page, address, 'overview');
    const asks = page.locator('#while-off');
    if (await page.locator('#state', { hasText: 'Off' }).count()) await page.locator('#switch').click();
    await page.locator('#state', { hasText: 'Off' }).waitFor({ state: 'detached' });
    assert((await asks.count()) === 0, 'it asks while it is on');
    await page.locator('#switch').click();
    await asks.waitFor();
    await open(page, address, 'logs');
    await asks.waitFor();
    await open(page, address, 'overview');
    await page.locator('#back-to-anthropic').press('Enter');
    await page.locator('#standing', { hasText: 'waiting for Dragoman' }).waitFor();
    assert((await asks.count()) === 0, 'it still asks');
    await page.locator('#hint', { hasText: 'goes to Anthropic until Dragoman is on again' }).waitFor();
    await page.locator('#switch').click();
    await page.locator('#standing', { hasText: 'set up' }).waitFor();
    await page.locator('#switch').click();
    await page.locator('#never-back').click();
    await asks.waitFor({ state: 'detached' });
    await page.locator('#switch').click();
  });
  await check('what is saved is told, and when it counts if that is not at once', async () => {
    await open(page, address, 'settings');
    await page.locator('#set-upstream-compression').selectOption('off');
    await page.waitForFunction(() => document.querySelector('#toast span')?.textContent === 'Saved: Compress large requests');
    await page.locator('#set-accounts-token_store').selectOption('file');
    await page.locator('#toast', { hasText: 'It counts from the next start of Dragoman.' }).waitFor();
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

/** What an earlier version remembered may lack what the page draws. */
async function outgrown() {
  await check('a state that an earlier version remembered does not keep the page from its work', async () => {
    const { address, close } = await serve('used');
    const { context, page } = await visitor();
    await settled(page);
    await open(page, address, 'overview');
    await page.evaluate(() => {
      localStorage.setItem('dragoman.snapshot', JSON.stringify({ server: { state: 'on' }, account: {} }));
      document.body.remove();
      location.reload();
    });
    await page.getByText('you@example.com').waitFor();
    await context.close();
    await close();
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

/** What arrives late moves no control that is there: a click would miss it. */
async function steady() {
  const { address, close } = await serve('used');
  for (const name of PAGES)
    await check(`${name}: late answers move no control`, async () => {
      const { context, page } = await visitor({ viewport: SIZES[0] });
      await settled(page);
      await page.addInitScript(() => {
        globalThis.moves = [];
        const controls = 'button, input, select, textarea, a[href], summary';
        const told = ({ x, y, width, height }) => `${Math.round(x)},${Math.round(y)} ${Math.round(width)}×${Math.round(height)}`;
        new PerformanceObserver((list) => {
          for (const { hadRecentInput, value, sources } of list.getEntries())
            for (const { node, previousRect, currentRect } of hadRecentInput ? [] : sources)
              if (node instanceof Element && (node.matches(controls) || node.querySelector(controls))) globalThis.moves.push(`${value.toFixed(4)} ${node?.nodeName} ${node?.id || node?.className} "${node?.textContent?.trim().slice(0, 30)}" from ${told(previousRect)} to ${told(currentRect)}`);
        }).observe({ type: 'layout-shift', buffered: true });
      });
      let late = 0;
      await page.route('**/admin/**', async (route) => {
        late += 100;
        await new Promise((done) => setTimeout(done, late));
        await route.continue();
      });
      await open(page, address, name);
      await page.waitForTimeout(1_500);
      const moves = await page.evaluate(() => globalThis.moves);
      await context.close();
      assert(moves.length === 0, moves.join('\n'));
    });
  await close();
}

/** The map is changed rule by rule, by presets, for names, and each change has its way back. */
async function mapped() {
  const { address, close } = await serve('used');
  const { context, page } = await visitor();
  await settled(page);
  const sent = [];
  page.on('request', (request) => request.url().includes('/models/rules/') && sent.push(`${request.method()} ${decodeURIComponent(new URL(request.url()).pathname.split('/').at(-1))} ${JSON.parse(request.postData() ?? '{}').target ?? ''}`.trim()));
  const came = async (...wanted) => {
    for (let round = 0; round < 100 && sent.length < wanted.length; round += 1) await page.waitForTimeout(20);
    assert(JSON.stringify(sent) === JSON.stringify(wanted), `${JSON.stringify(sent)} was sent, not ${JSON.stringify(wanted)}`);
    sent.length = 0;
  };
  await check('model, effort, tier and accounts of a family are one rule, and one change leaves the rest of it alone', async () => {
    await open(page, address, 'models');
    await page.locator('#effort-sonnet').selectOption('low');
    await came('PUT sonnet gpt-5.5 effort=low');
    await page.locator('#tier-sonnet').selectOption('fast');
    await came('PUT sonnet gpt-5.5 effort=low tier=fast');
    await page.locator('#model-sonnet').selectOption('gpt-6.1-terra');
    await came('PUT sonnet gpt-6.1-terra effort=low tier=fast');
    await page.locator('#pool-sonnet').selectOption('api');
    await came('PUT sonnet api,gpt-6.1-terra effort=low tier=fast');
    await page.locator('#pool-sonnet').selectOption('');
    await came('PUT sonnet gpt-6.1-terra effort=low tier=fast');
    await page.locator('#model-sonnet').selectOption('');
    await came('DELETE sonnet');
  });
  await check('a rule for a name is added, removed, and brought back', async () => {
    await page.locator('#new-name').fill('gpt-5.3');
    await page.locator('#add-name').press('Enter');
    await page.locator('[data-family="gpt-5.3"]').waitFor();
    await came('PUT gpt-5.3 gpt-6.1-sol');
    await page.locator('[data-family="claude-*-4-?"]').getByRole('button').press('Enter');
    await came('DELETE claude-*-4-?');
    await page.locator('#undo').press('Enter');
    await came('PUT claude-*-4-? gpt-5.5 effort=low');
  });
  await check('a preset writes its rules, and Undo brings those from before back', async () => {
    await page.locator('.menu summary').press('Enter');
    await page.getByRole('button', { name: 'Sparing' }).press('Enter');
    await came('PUT opus gpt-6.1-terra', 'PUT fable gpt-6.1-terra', 'PUT sonnet gpt-6.1-terra', 'PUT haiku gpt-6.1-luna', 'PUT default gpt-6.1-terra');
    await page.locator('#undo').press('Enter');
    await came('DELETE opus', 'DELETE fable', 'DELETE sonnet', 'DELETE haiku', 'DELETE default');
  });
  await check('a situation with a model is tested, as a request of its kind', async () => {
    assert((await page.locator('[data-family=think]').getByRole('button').count()) === 0, 'there is nothing to test');
    await page.locator('#model-think').selectOption('gpt-5.5');
    await came('PUT think gpt-5.5');
    const asked = page.waitForRequest((request) => request.url().endsWith('/admin/prompt'));
    await page.locator('[data-family=think]').getByRole('button', { name: 'Test Plan mode, thinking' }).press('Enter');
    const prompt = JSON.parse((await asked).postData());
    assert(prompt.scenario === 'think' && prompt.model === undefined, JSON.stringify(prompt));
    await page.locator('[data-family=think] .note', { hasText: 'answered “Hello from the other side.”' }).waitFor();
    await page.locator('#model-think').selectOption('');
    await came('DELETE think');
  });
  await check('a name is looked up', async () => {
    await page.locator('#resolve').fill('claude-sonnet-5');
    await page.locator('#resolve').press('Enter');
    await page.locator('#resolved', { hasText: 'claude-sonnet-5 → gpt-5.5 with the effort that is asked for, else high' }).waitFor();
  });
  await context.close();
  await close();
}

/** Requests appear as they come, become what they are when they end, are found, walked through and opened by keys. */
async function activity() {
  const { address, close, ends, runs } = await serve('used');
  const { context, page } = await visitor();
  await settled(page);
  const first = page.locator('#requests a').first();
  await check('a request that runs has a row, which becomes that of its end where it stands', async () => {
    await open(page, address, 'activity');
    await page.locator('#requests a').nth(5).waitFor();
    runs(['req_slow', 3 * 3_600_000], ['req_quick', 2_000]);
    const rows = page.locator('#requests > li');
    await rows.nth(0).filter({ hasText: 'no output yet' }).waitFor();
    const at = await rows.evaluateAll((all) => all.findLastIndex((row) => row.textContent.includes('running')));
    assert(at > 1, `the one that came before others stands above them: ${at}`);
    const slow = rows.nth(at);
    assert((await slow.textContent()).includes('running'), await slow.textContent());
    await page.locator('#running', { hasText: '2 running' }).waitFor();
    runs(['req_slow', 3 * 3_600_000, 640], ['req_quick', 2_000]);
    await slow.filter({ hasText: 'first 640 ms' }).waitFor();
    ends({ id: 'req_slow', model: 'claude-opus-5-5', duration_ms: 3 * 3_600_000 });
    runs(['req_quick', 2_000]);
    await slow.locator('a[href$=req_slow]').filter({ hasText: 'answered ✓' }).waitFor();
    assert((await page.locator('#requests a[href$=req_slow]').count()) === 1, 'it stands there twice');
    await page.keyboard.press('/');
    await page.keyboard.type('running');
    await page.waitForFunction(() => document.querySelectorAll('#requests > li').length === 1);
    await page.keyboard.press('Escape');
    await open(page, address, 'overview');
    await page.locator('#working', { hasText: 'Working · 1 request · 84 tokens/s' }).waitFor();
    runs();
    await page.locator('#working').waitFor({ state: 'detached' });
  });
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
  await check('recording is switched by keys, and says what it keeps', async () => {
    await open(page, address, 'activity');
    await page.locator('#recording', { hasText: '12 kept, 3.24 MB of 64 MB' }).waitFor();
    await page.locator('#record').press('Space');
    await page.locator('#recording', { hasText: 'Only numbers and names are kept' }).waitFor();
    await open(page, address, 'activity/req_1001');
    await page.getByText('The contents were not kept').waitFor();
    await open(page, address, 'activity');
    await page.locator('#record').press('Space');
    await page.locator('#recording', { hasText: '12 kept' }).waitFor();
  });
  await check('both sides stand beside each other, block by block, with what was changed between them', async () => {
    await open(page, address, 'activity/req_1001');
    const pairs = (id) => page.locator(`#${id} .pair:not([aria-hidden])`).evaluateAll((all) => all.map((pair) => [...pair.querySelectorAll('.block')].map((block) => block.querySelector('summary')?.textContent.trim() ?? '')));
    await page.locator('#request-sides .pair').nth(3).waitFor();
    const both = (kind) => [kind, kind];
    const request = [both('parameters'), both('system'), both('user'), both('assistant'), both('tool call Bash'), both('tool result'), both('tool Bash')];
    assert(JSON.stringify(await pairs('request-sides')) === JSON.stringify(request), JSON.stringify(await pairs('request-sides')));
    const answer = [both('thinking'), both('assistant'), ['end', 'end response.completed']];
    assert(JSON.stringify(await pairs('answer-sides')) === JSON.stringify(answer), JSON.stringify(await pairs('answer-sides')));
    const words = await page.locator('#answer-sides pre').allTextContents();
    assert(words.filter((text) => text === 'There are three files.').length === 2, words.join('\n'));
    await page.locator('#request-sides .pair', { hasText: 'tool Bash' }).locator('.mark summary').press('Enter');
    await page.locator('.mark[open]', { hasText: 'upstream has no examples' }).waitFor();
    await page.locator('#backend-events summary').press('Enter');
    await page.locator('#backend-events pre', { hasText: 'response.created' }).waitFor();
    await page.screenshot({ path: join(PICTURES, 'sides-light.png'), fullPage: true });
    const wrong = [...(await findings(page)), ...(await page.evaluate(overflow))];
    assert(wrong.length === 0, wrong.join('\n'));
  });
  await check('the sides of OpenAI’s two APIs are read, too', async () => {
    const pairs = (id) => page.locator(`#${id} .pair:not([aria-hidden])`).evaluateAll((all) => all.map((pair) => [...pair.querySelectorAll('.block')].map((block) => block.querySelector('summary')?.textContent.trim() ?? '')));
    const both = (kind) => [kind, kind];
    for (const [id, end] of [['req_1002', ['end', 'end response.completed']], ['req_1003', both('end response.completed')]]) {
      await open(page, address, `activity/${id}`);
      await page.locator('#request-sides .pair').nth(3).waitFor();
      const request = [both('parameters'), both('system'), both('user'), both('assistant'), both('tool call Bash'), both('tool result'), both('tool Bash')];
      assert(JSON.stringify(await pairs('request-sides')) === JSON.stringify(request), JSON.stringify(await pairs('request-sides')));
      const answer = [both('thinking'), both('assistant'), end];
      assert(JSON.stringify(await pairs('answer-sides')) === JSON.stringify(answer), JSON.stringify(await pairs('answer-sides')));
      const words = await page.locator('#answer-sides pre').allTextContents();
      assert(words.filter((text) => text === 'There are three files.').length === 2, words.join('\n'));
      assert(words.filter((text) => text === 'A list is enough.').length === 2, words.join('\n'));
      await page.locator('#client-events pre').waitFor({ state: 'attached' });
    }
    await open(page, address, 'activity/req_1001');
    await page.locator('#request-sides .pair').nth(3).waitFor();
  });
  await check('a recorded request is exported, and one that can’t be says why', async () => {
    await page.locator('#export').press('Enter');
    await page.locator('#exported', { hasText: '/cases/X-req_1001' }).waitFor();
    assert((await page.locator('#exported').textContent()).includes('a replay may differ'), 'it is not told that the beginning is missing');
    await page.keyboard.press('Escape');
    await open(page, address, 'activity/req_1005');
    await page.locator('#export').press('Enter');
    await page.locator('#obstacle', { hasText: 'no whole answer' }).waitFor();
    await page.keyboard.press('Escape');
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

/** Two accounts of one address are told apart wherever one is named. */
async function twins() {
  const { address, close, twins } = await serve('used');
  const { context, page } = await visitor();
  await settled(page);
  await check('two accounts of one address are told apart', async () => {
    await open(page, address, 'accounts');
    twins();
    await page.getByText('ChatGPT · you@example.com (Plus)').waitFor();
    await page.getByText('ChatGPT · you@example.com (Business)').waitFor();
    await open(page, address, 'overview');
    await page.locator('#account', { hasText: 'you@example.com (Plus)' }).waitFor();
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

// === with a running program (tests/browser starts it and its backend) ===

/** Everything that a person does in the dashboard happens in the program, and what happens in it shows. */
async function live(link) {
  const { context, page, complaints } = await visitor();
  const address = new URL('/', link).href;
  const clean = () => assert(complaints.length === 0, complaints.join('\n'));
  await check('live: the link lets this browser in, and leaves no trace of its code', async () => {
    await page.goto(link);
    await page.locator('#state', { hasText: 'On' }).waitFor();
    assert(page.url() === address, `the address is ${page.url()}`);
    const [cookie, ...more] = await context.cookies(`${address}admin/`);
    assert(more.length === 0 && cookie.httpOnly && cookie.sameSite === 'Strict' && cookie.path === '/admin', JSON.stringify(cookie));
    assert((await page.evaluate(() => document.cookie)) === '', 'the page can read the cookie');
    clean();
  });
  await check('live: the same link lets nobody else in', async () => {
    const other = await visitor();
    const answer = await other.page.goto(link);
    assert(answer.status() === 403, `it was answered with ${answer.status()}`);
    await other.page.goto(address);
    await other.page.locator('#lost', { hasText: 'dragoman open' }).waitFor();
    await other.context.close();
  });
  await firstRun(context, page, clean);
  await mapping(page, address, clean);
  await licences(page, address, clean);
  await happening(context, page, address, clean);
  const cookies = await context.cookies();
  await look('live', address, [...PAGES], async (page) => {
    await page.context().addCookies(cookies);
    await settled(page);
  });
  await using(page, address);
  await context.close();
}

/** The three steps against a backend: sign in, set up, an answer that streams. */
async function firstRun(context, page, clean) {
  await check('live: the first steps lead from signing in to an answer that streams', async () => {
    await page.locator('#sign-in').click();
    const url = await page.locator('#page-address').textContent();
    const provider = await context.newPage();
    await provider.goto(url);
    await provider.close();
    await page.locator('#step-sign-in', { hasText: 'Signed in as' }).waitFor();
    await page.locator('#plan-file', { hasText: 'settings.json' }).waitFor();
    await page.locator('#set-up').click();
    await page.locator('#step-set-up', { hasText: 'Claude Code uses Dragoman' }).waitFor();
    await page.locator('#say-hello').click();
    await page.waitForFunction(() => document.getElementById('answer')?.textContent === 'Hello from ');
    await page.locator('#answer', { hasText: 'Hello from the other side.' }).waitFor();
    await page.locator('#answer-facts', { hasText: 'first word after' }).waitFor();
    await page.locator('#first-run-done').click();
    await page.locator('#standing', { hasText: 'set up ✓' }).waitFor();
    clean();
  });
}

/** The model map is what answers the next request. */
async function mapping(page, address, clean) {
  await check('live: another model for a family answers the next request', async () => {
    await open(page, address, 'models');
    const row = page.locator('[data-family=sonnet]');
    await row.getByRole('button').click();
    await row.locator('.note', { hasText: 'gpt-6.1-terra' }).waitFor();
    await page.locator('#model-sonnet').selectOption('gpt-5.5');
    await row.locator('.why', { hasText: 'your rule models.sonnet' }).waitFor();
    await page.locator('#resolve').fill('claude-sonnet-5-5');
    await page.locator('#resolve').press('Enter');
    await page.locator('#resolved', { hasText: 'gpt-5.5' }).waitFor();
    await row.getByRole('button').click();
    await row.locator('.note', { hasText: 'gpt-5.5' }).waitFor();
    clean();
  });
}

/** A question on the path of Claude Code, asked beside the page that is watched. */
const ask = (page, text) =>
  page.evaluate(async (text) => {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch('/admin/prompt', { method: 'POST', headers, body: JSON.stringify({ text, model: 'opus' }) });
    await answer.text();
  }, text);

/** What is in the program comes with a package; this one was built here. */
async function licences(page, address, clean) {
  await check('live: a build without the licence texts says so', async () => {
    await open(page, address, 'about');
    await page.locator('#all-licences').click();
    await page.locator('#licence-text', { hasText: 'carries no licence texts' }).waitFor();
    await page.keyboard.press('Escape');
    clean();
  });
}

/** Requests and log lines appear by themselves; what is recorded shows both sides. */
async function happening(context, page, address, clean) {
  const beside = await context.newPage();
  await beside.goto(`${address}#/about`);
  const rows = page.locator('#requests a');
  await check('live: a request appears in Activity and in the log when it ends', async () => {
    await open(page, address, 'activity');
    await rows.first().waitFor();
    const before = await rows.count();
    await ask(beside, 'ask beside');
    await rows.nth(before).waitFor();
    assert((await rows.first().textContent()).includes('the catalog’s order'), await rows.first().textContent());
    await open(page, address, 'logs');
    await page.locator('.log-line').first().waitFor();
    const lines = await page.locator('.log-line', { hasText: 'request finished' }).count();
    await ask(beside, 'ask beside');
    await page.waitForFunction((lines) => [...document.querySelectorAll('.log-line')].filter((line) => line.textContent.includes('request finished')).length === lines + 1, lines);
    assert(!(await page.locator('#log').textContent()).includes('beside'), 'the log holds a prompt');
    clean();
  });
  await check('live: a recorded request shows both sides and is exported', async () => {
    await open(page, address, 'activity');
    await page.locator('#record').click();
    await page.locator('#recording', { hasText: '0 kept' }).waitFor();
    const before = await rows.count();
    await ask(beside, 'ask for the record');
    await rows.nth(before).waitFor();
    await page.locator('#recording', { hasText: '1 kept' }).waitFor();
    await rows.first().click();
    await page.locator('#request-sides pre', { hasText: 'ask for the record' }).nth(1).waitFor();
    await page.locator('#answer-sides pre', { hasText: 'Said beside.' }).nth(1).waitFor();
    await page.locator('#export').click();
    await page.locator('#exported', { hasText: '/cases/X-req_' }).waitFor();
    await page.keyboard.press('Escape');
    clean();
  });
  await beside.close();
}

/** What a person changes is changed in the program. */
async function using(page, address) {
  await check('live: the switch in the dashboard turns the program off and on', async () => {
    await open(page, address, 'overview');
    await page.locator('#switch').click();
    await page.locator('#state', { hasText: 'Off' }).waitFor();
    await page.locator('#switch').click();
    await page.locator('#state', { hasText: 'On' }).waitFor();
  });
  await check('live: a setting is saved, shown with its place in the file, taken back, and refused', async () => {
    await open(page, address, 'settings');
    const row = page.locator('[data-key="history.keep_days"]');
    await row.locator('input').fill('30');
    await row.locator('input').press('Enter');
    await row.getByText('config.toml').waitFor();
    await row.locator('button.link').click();
    await row.getByText('config.toml').waitFor({ state: 'detached' });
    await row.locator('input').fill('0');
    await row.locator('input').press('Enter');
    await page.locator('#toast, .note.bad', { hasText: 'keep_days' }).first().waitFor();
  });
}

await mkdir(PICTURES, { recursive: true });
const [what, ...more] = process.argv.slice(2);
if (what === 'live' && more.length === 1) await live(more[0]);
else if ([what, ...more].every((name) => name === undefined || name in PARTS)) await fixture(what ? [what, ...more] : []);
else throw new Error(`usage: node ${process.argv[1]} [live LINK | ${Object.keys(PARTS).join(' | ')}]`);
await browser.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
