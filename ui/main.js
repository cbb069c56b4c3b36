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
    const lines = exports(await backend.environment());
    const done = await copied(lines);
    view.told(done ? text.environment.copied : text.environment.failed);
  },
});

/** The lines for bash and zsh. @param {[string, string][]} variables */
function exports(variables) {
  return variables.map(([name, value]) => `export ${name}=${quoted(value)}\n`).join('');
}

/** @param {string} value */
function quoted(value) {
  return /^[\w./:@%+,-]+$/.test(value) ? value : `'${value.replaceAll("'", "'\\''")}'`;
}

/** Copies; WebKit on Linux may refuse the clipboard API to a page, but not the older command. @param {string} words */
async function copied(words) {
  try {
    await navigator.clipboard.writeText(words);
    return true;
  } catch {
    const area = document.createElement('textarea');
    area.value = words;
    area.className = 'unseen';
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    return done;
  }
}

/** @param {import('./view.js').Snapshot} snapshot */
async function draw(snapshot) {
  view.draw(snapshot);
  view.drawEnvironment(await backend.environment()); // the address in it follows the listener
}

await backend.onSnapshot(draw);
await backend.onNotice((notice) => view.drawNotice(notice));
view.drawNotice(await backend.notice());
await draw(await backend.snapshot());
