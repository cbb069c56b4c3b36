// Draws a snapshot. The elements are made once and then only changed, so that focus and selection stay.

import { text } from './strings.js';

/** @typedef {{ state: 'off' } | { state: 'on', address: string } | { state: 'failed', message: string }} Server */
/** @typedef {{ label: string | null, plan: string | null, kind: 'linked' | 'own' | 'api_key' | 'demo',
 *   state: { state: 'ready' | 'none' } | { state: 'sign_in' | 'locked', message: string } }} Account */
/** @typedef {{ server: Server, account: Account, hints: string[] }} Snapshot */

/** @param {string} tag @param {Record<string, string>} attributes @param {(Node | string)[]} children */
function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export class View {
  /** @param {HTMLElement} page @param {{ toggle: (on: boolean) => void, copy: () => void }} actions */
  constructor(page, actions) {
    this.notice = element('p', { id: 'notice', class: 'card warn', hidden: '' });
    this.knob = element('span', { class: 'knob', 'aria-hidden': 'true' });
    this.switch = element(
      'button',
      { id: 'switch', class: 'switch', type: 'button', role: 'switch', 'aria-checked': 'false' },
      this.knob,
    );
    this.switch.setAttribute('aria-label', text.server.switch);
    this.state = element('strong', { id: 'state' });
    this.address = element('code', { id: 'address' });
    this.hint = element('p', { id: 'hint', class: 'muted' });
    this.account = element('p', { id: 'account' });
    this.hints = element('ul', { id: 'hints', class: 'muted' });
    this.lines = element('pre', { id: 'environment', tabindex: '0', 'aria-label': text.environment.heading });
    this.copy = element('button', { id: 'copy', class: 'button', type: 'button' }, text.environment.copy);
    this.answer = element('span', { id: 'copied', class: 'muted' });
    page.replaceChildren(
      this.notice,
      element('header', { class: 'head' }, element('h1', {}, 'Dragoman'), this.switch, this.state, this.address),
      this.hint,
      this.hints,
      element('section', { class: 'card' }, element('h2', {}, text.account.heading), this.account),
      element(
        'section',
        { class: 'card' },
        element('h2', {}, text.environment.heading),
        element('p', { class: 'muted' }, text.environment.hint),
        this.lines,
        element('div', { class: 'row' }, this.copy, this.answer),
      ),
    );
    this.switch.addEventListener('click', () => actions.toggle(this.switch.getAttribute('aria-checked') !== 'true'));
    this.copy.addEventListener('click', () => actions.copy());
  }

  /** @param {Snapshot} snapshot */
  draw({ server, account, hints }) {
    const words = text.server;
    const state = { on: words.on, off: words.off, failed: words.failed }[server.state];
    this.switch.setAttribute('aria-checked', String(server.state === 'on'));
    this.state.className = server.state;
    this.address.textContent = server.state === 'on' ? server.address : '';
    this.hint.textContent = { on: '', off: words.offHint, failed: '' }[server.state];
    if (server.state === 'failed') this.hint.textContent = `${sentence(server.message)} ${words.retryHint}`;
    this.hint.className = server.state === 'failed' ? 'bad' : 'muted';
    this.account.textContent = accountLine(account);
    this.hints.replaceChildren(...hints.map((hint) => element('li', {}, hint)));
    if (this.state.textContent !== state) {
      this.state.textContent = state;
      announce(`Dragoman: ${state}`);
    }
  }

  /** The lines to copy. The token is not shown: a window is easily photographed. @param {[string, string][]} variables */
  drawEnvironment(variables) {
    const shown = variables.map(([name, value]) => `export ${name}=${/TOKEN$/.test(name) ? '••••••••' : value}`);
    this.lines.textContent = shown.join('\n');
  }

  /** @param {string | null} notice a key of `text.notice` */
  drawNotice(notice) {
    const words = /** @type {Record<string, string>} */ (text.notice)[notice ?? ''];
    this.notice.hidden = !words;
    this.notice.textContent = words ?? '';
  }

  /** @param {string} words what came of copying */
  told(words) {
    this.answer.textContent = words;
    announce(words);
  }
}

/** @param {Account} account */
function accountLine({ kind, label, plan, state }) {
  if (kind === 'demo') return text.account.demo;
  if (state.state === 'none') return text.account.none;
  const plain = kind === 'api_key' ? text.account.apiKey : ['ChatGPT', plan && capital(plan)].filter(Boolean).join(' ');
  const standing = state.state === 'ready' ? text.account.ready : text.account.signIn;
  const parts = [plain, label, standing, 'message' in state ? state.message : null];
  return parts.filter(Boolean).join(' · ');
}

/** @param {string} word */
function capital(word) {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

/** A message as a sentence of a text. @param {string} message */
function sentence(message) {
  return capital(/[.!?]$/.test(message) ? message : `${message}.`);
}

/** To people who don't see the page. @param {string} words */
function announce(words) {
  const live = document.getElementById('live');
  if (live) live.textContent = words;
}
