// Sends actions and hands every new state to the view. No timers: states arrive as events.

import { backend } from './backend.js';
import { text } from './strings.js';
import { View } from './view.js';

const view = new View(/** @type {HTMLElement} */ (document.getElementById('page')), {
  async toggle(on) {
    // A failure is part of the next snapshot, and the page shows that.
    await backend.setServer(on).catch(() => {});
    view.draw(await backend.snapshot());
  },
  async copy() {
    const done = await copied(exports(variables));
    view.told(done ? text.environment.copied : text.environment.failed);
  },
});

/** What is to be copied. At hand before the click: a page may copy only while it handles one. */
let variables = /** @type {[string, string][]} */ ([]);

/** The lines for bash and zsh. @param {[string, string][]} variables */
function exports(variables) {
  return variables.map(([name, value]) => `export ${name}=${quoted(value)}\n`).join('');
}

/** @param {string} value */
function quoted(value) {
  return /^[\w./:@%+,-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`;
}

/**
 * Copies. The old command first: WebKit on Linux leaves the promise of the clipboard API open for ever.
 * @param {string} words
 */
async function copied(words) {
  const area = document.createElement('textarea');
  area.value = words;
  area.className = 'unseen';
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  return done || navigator.clipboard.writeText(words).then(() => true, () => false);
}

/** @param {import('./view.js').Snapshot} snapshot */
async function draw(snapshot) {
  view.draw(snapshot);
  variables = await backend.environment(); // the address in it follows the listener
  view.drawEnvironment(variables);
}

await backend.onSnapshot(draw);
await backend.onNotice((notice) => view.drawNotice(notice));
view.drawNotice(await backend.notice());
await draw(await backend.snapshot());
