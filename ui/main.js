// The shell around the pages: the rail with the big switch, the page that the address names, what hangs over both, and
// the keys that work everywhere. It starts everything.

import { api } from './verbs.js';
import { WhileOff } from './parts/claude_code.js';
import { Button, Toggle } from './parts/controls.js';
import { Icon, Sign } from './parts/icons.js';
import { Note, useKeys } from './parts/layout.js';
import { About } from './pages/about.js';
import { Accounts } from './pages/accounts.js';
import { Activity } from './pages/activity.js';
import { FirstRun, remaining, useSkipped } from './pages/first_run.js';
import { Logs } from './pages/logs.js';
import { Models } from './pages/models.js';
import { Overview } from './pages/overview.js';
import { dress, Settings } from './pages/settings.js';
import { Usage } from './pages/usage.js';
import { announce, complain, dismiss, follow, forgetState, inWords, useStore } from './store.js';
import { text } from './strings.js';
import { html, render, useEffect, useRef, useState } from './vendor/ui.js';

const words = text.shell;
const pages = /** @type {const} */ (['overview', 'accounts', 'models', 'activity', 'usage', 'settings']);
const foot = /** @type {const} */ (['logs', 'about']);
/** @typedef {(typeof pages)[number] | (typeof foot)[number]} Name */

/** The page, and of what it shows one thing, from the address. @returns {[Name, string | undefined]} */
function place() {
  const [name, id] = location.hash.replace(/^#\/?/, '').split('/');
  return [[...pages, ...foot].find((page) => page === name) ?? 'overview', id && decodeURIComponent(id)];
}

function Shell() {
  const [[name, id], setPlace] = useState(place);
  const stage = useRef(/** @type {HTMLElement | null} */ (null));
  const moved = useRef(false);
  useEffect(() => {
    const move = () => {
      moved.current = true;
      setPlace(place());
    };
    addEventListener('hashchange', move);
    setPlace(place()); // it may have changed before anybody listened
    return () => removeEventListener('hashchange', move);
  }, []);
  // A new page begins at its top, and a screen reader with its heading.
  useEffect(() => {
    document.title = `${words[name]} · Dragoman`;
    if (!moved.current) return;
    stage.current?.scrollTo(0, 0);
    /** @type {HTMLElement | null | undefined} */ (stage.current?.querySelector('h1'))?.focus({ preventScroll: true });
  }, [name, id]);
  useKeys(keys);
  return html`<div class="shell">
    <header class="rail">
      <div class="rail-head"><${Name} /><${Power} /></div>
      <nav aria-label=${words.pages}>${pages.map((page) => html`<${Link} key=${page} page=${page} now=${name} icon />`)}</nav>
      <nav class="foot" aria-label=${words.more}>${foot.map((page) => html`<${Link} key=${page} page=${page} now=${name} />`)}</nav>
    </header>
    <main class="stage" ref=${stage} data-page=${name}>
      <${Banners} />
      <${View} name=${name} id=${id} />
    </main>
    <${Toast} />
  </div>`;
}

/** @param {{ page: Name, now: Name, icon?: boolean }} props */
const Link = ({ page, now, icon = false }) => html`
  <a href=${`#/${page}`} aria-current=${page === now ? 'page' : undefined}>${icon && html`<${Icon} name=${page} />`}${words[page]}</a>
`;

function Name() {
  const on = useStore((state) => state.snapshot?.server.state === 'on');
  return html`<div class="name"><${Sign} on=${on} />Dragoman</div>`;
}

function Power() {
  const server = useStore((state) => state.snapshot?.server) ?? { state: 'off' };
  const state = text.server[server.state];
  const said = useRef(/** @type {string | null} */ (null));
  useEffect(() => {
    if (said.current && said.current !== state) announce(text.server.changed(state));
    said.current = state;
  }, [state]);
  return html`<div class="power">
    <${Toggle} id="switch" large on=${server.state === 'on'} label=${text.server.switch} onFlip=${(/** @type {boolean} */ on) => api.setServer(on)} />
    <div class="power-words">
      <strong id="state" class=${server.state === 'off' ? 'muted' : server.state}>${state}</strong>
      <code id="address" class="muted">${server.state === 'on' ? server.address : ''}</code>
    </div>
  </div>`;
}

/** What is up, whatever page is open. */
function Banners() {
  const notice = useStore((state) => state.notice);
  const server = useStore((state) => state.snapshot?.server);
  const lost = useStore((state) => state.lost);
  const live = useStore((state) => state.live);
  const shown = notice && text.notice[notice];
  const failed = server?.state === 'failed' ? server.message : null;
  if (!shown && !failed && !lost && server?.state !== 'off') return null;
  return html`<div class="banners">
    ${lost && !live && html`<${Note} tone="warn" id="lost" role="status">${lost.status === 401 ? inWords(lost) : words.lost}<//>`}
    ${shown && html`<${Note} tone="warn" id="notice">${shown}<//>`}
    ${failed && html`<${Note} tone="bad" id="hint" role="alert" action=${html`<${Button} kind="quiet" onPress=${() => api.setServer(true)}>${text.server.retry}<//>`}>${sentence(failed)}<//>`}
    ${server && server.state !== 'on' && html`<${WhileOff} />`}
  </div>`;
}

/** A message as a sentence of a text. @param {string} message */
const sentence = (message) => message.charAt(0).toUpperCase() + message.slice(1) + (/[.!?]$/.test(message) ? '' : '.');

/** @param {{ name: Name, id: string | undefined }} props */
function View({ name, id }) {
  const snapshot = useStore((state) => state.snapshot);
  const setUp = useStore((state) => state.setUp);
  const [skipped] = useSkipped();
  const [left, setLeft] = useState(false);
  // Once it is there, it stays until it is left: a tick must not take the page away.
  const first = useRef(false);
  if (remaining(snapshot, setUp, skipped)?.length) first.current = true;
  switch (name) {
    case 'overview':
      return first.current && !left ? html`<${FirstRun} onLeave=${() => setLeft(true)} />` : html`<${Overview} />`;
    case 'accounts':
      return html`<${Accounts} />`;
    case 'models':
      return html`<${Models} />`;
    case 'activity':
      return html`<${Activity} id=${id} />`;
    case 'usage':
      return html`<${Usage} />`;
    case 'settings':
      return html`<${Settings} />`;
    case 'logs':
      return html`<${Logs} />`;
    case 'about':
      return html`<${About} />`;
  }
}

function Toast() {
  const toast = useStore((state) => state.toast);
  if (!toast) return null;
  const undo = async () => {
    dismiss();
    await toast.undo?.().catch(complain);
  };
  return html`<div class="toast" id="toast"><div>
    <span>${toast.words}</span>
    ${toast.undo && html`<button type="button" class="link" id="undo" onClick=${undo}>${text.undo}</button>`}
    <button type="button" class="link" aria-label=${text.dismiss} onClick=${dismiss}><${Icon} name="cross" /></button>
  </div></div>`;
}

/** Keys that work everywhere. @param {KeyboardEvent} event */
function keys(event) {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey) {
    const page = pages[Number(event.key) - 1];
    if (page && !document.querySelector('dialog[open]')) {
      event.preventDefault();
      location.hash = `#/${page}`;
    }
  }
  const typing = event.target instanceof HTMLElement && event.target.matches('input, textarea, select');
  if (event.key === '/' && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const filter = /** @type {HTMLElement | null} */ (document.querySelector('[data-filter]'));
    if (filter) {
      event.preventDefault();
      filter.focus();
    }
  }
}

dress(localStorage.getItem('dragoman.theme') ?? 'system');
const host = document.getElementById('app');
try {
  if (host) render(html`<${Shell} />`, host);
} catch (error) {
  // What an earlier version remembered may lack what this one draws. Nothing is remembered: then it is another error.
  if (!forgetState()) throw error;
  location.reload();
}
follow();
