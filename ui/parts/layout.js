// How things are put together: pages, groups of rows, bars, notes, empty places, dialogs, tables. No words of their own
// but those of every page.

import { percent, span, time } from '../format.js';
import { inWords, useNow } from '../store.js';
import { text } from '../strings.js';
import { html, useEffect, useLayoutEffect, useRef } from '../vendor/ui.js';
import { Button } from './controls.js';
import { Icon } from './icons.js';

/** @typedef {import('../vendor/ui.js').Children} Children */
/** @typedef {import('../api.d.ts').LimitWindow} LimitWindow */

/**
 * @param {{ title: string, children: Children, action?: Children, wide?: boolean }} props `action`: the page's one primary
 *   action, or what filters it
 */
export const Page = ({ title, children, action, wide = false }) => html`
  <div class=${wide ? 'page wide' : 'page'}>
    <header class="page-head"><h1 tabindex="-1">${title}</h1>${action}</header>
    ${children}
  </div>
`;

/** @param {{ title?: string, label?: string, end?: Children, children: Children, id?: string, bare?: boolean }} props `label`: where what is in it says what it is */
export const Group = ({ title, label = title, end, children, id, bare = false }) => html`
  <section class="group" id=${id} aria-label=${label}>
    ${(title || end) && html`<div class="group-head"><h2>${title}</h2>${end && html`<div class="line">${end}</div>`}</div>`}
    ${bare ? children : html`<div class="card">${children}</div>`}
  </section>
`;

/** @param {{ title?: Children, about?: Children, children?: Children, id?: string }} props */
export const Row = ({ title, about, children, id }) => html`
  <div class="row" id=${id}>
    <div class="row-words">${title && html`<p>${title}</p>`}${about && html`<p class="muted small">${about}</p>`}</div>
    ${children && html`<div class="row-end">${children}</div>`}
  </div>
`;

/** `resets 16:10 (in 1 h 12 min)`, true for as long as it stands there. @param {{ at: number }} props */
export function Countdown({ at }) {
  const now = useNow();
  return html`<span>${at > now ? text.limits.resets(time(at, now), span(at - now)) : text.limits.anew}</span>`;
}

/** How long something is still waited for. @param {{ at: number }} props */
export function Remaining({ at }) {
  const now = useNow();
  return html`<span>${at > now ? text.remaining(span(at - now)) : text.timeUp}</span>`;
}

/** How full a window is: a bar, a number, and from 80 % on also a word. @param {{ window: LimitWindow }} props */
export function Meter({ window }) {
  const now = useNow(60);
  const over = window.resets_at != null && window.resets_at <= now;
  const used = over ? 0 : window.used_percent;
  const tone = used >= 100 ? 'bad' : used >= 80 ? 'warn' : '';
  const name = window.name ? `${window.name} · ${text.limits.window(window.minutes)}` : text.limits.window(window.minutes);
  return html`
    <div class="meter">
      <span>${name}</span>
      <div class=${`bar ${tone}`} role="meter" aria-label=${text.limits.label(name)} aria-valuemin="0" aria-valuemax="100"
        aria-valuenow=${Math.round(used)} aria-valuetext=${text.limits.used(percent(used))}>
        <span style=${{ width: `${Math.min(100, used)}%` }}></span>
      </div>
      <span class="number">${percent(used)}</span>
      <span class="when">${tone && html`<strong class=${tone}>${tone === 'bad' ? text.limits.reached : text.limits.near}</strong> · `}
        ${window.resets_at != null && html`<${Countdown} at=${window.resets_at} />`}</span>
    </div>
  `;
}

/**
 * Something is up. It says what happened and what to do, with a button where there is one.
 * @param {{ tone?: 'bad' | 'warn' | '', children: Children, action?: Children, id?: string, role?: string, asks?: boolean }} props
 *   `asks`: it has several answers, which stand below the words
 */
export const Note = ({ tone = '', children, action, id, role, asks = false }) => html`
  <div class=${`note ${tone}${asks ? ' asks' : ''}`} id=${id} role=${role}>
    <${Icon} name=${tone ? 'bad' : 'info'} /><div>${children}</div>${action && html`<div class="line">${action}</div>`}
  </div>
`;

/** An error and a way on. @param {{ error: unknown, again?: () => unknown, id?: string }} props */
export const ErrorNote = ({ error, again, id }) => html`
  <${Note} tone="bad" role="alert" id=${id} action=${again && html`<${Button} kind="quiet" onPress=${again}>${text.again}<//>`}>
    ${inWords(error)}
  <//>
`;

/** @param {{ title: string, children?: Children, action?: Children }} props */
export const Empty = ({ title, children, action }) => html`
  <div class="empty"><h2>${title}</h2><p>${children}</p>${action}</div>
`;

/** What is awaited, once it takes long enough to be noticed. @param {{ words: string }} props */
export const Awaiting = ({ words }) => html`<p class="muted pad awaiting" role="status">${words}</p>`;

/**
 * @param {{ title: string, children: Children, actions?: Children, onClose: () => void, id?: string, wide?: boolean }} props
 */
export function Dialog({ title, children, actions, onClose, id, wide = false }) {
  const element = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const before = useRef(document.activeElement);
  useLayoutEffect(() => {
    element.current?.showModal();
    /** @type {HTMLElement | null | undefined} */ (element.current?.querySelector('input, h2'))?.focus();
    return () => {
      element.current?.close();
      if (before.current instanceof HTMLElement) before.current.focus();
    };
  }, []);
  return html`
    <dialog ref=${element} id=${id} class=${wide ? 'wide' : ''} aria-label=${title} onCancel=${(/** @type {Event} */ event) => {
      event.preventDefault();
      onClose();
    }}>
      <div class="dialog-body">
        <h2 tabindex="-1">${title}</h2>
        ${children}
        ${actions && html`<div class="dialog-foot">${actions}</div>`}
      </div>
    </dialog>
  `;
}

/**
 * Asks before something that can't be taken back.
 * @param {{ title: string, children: Children, yes: string, onYes: () => unknown, onClose: () => void }} props
 */
export const Ask = ({ title, children, yes, onYes, onClose }) => html`
  <${Dialog} title=${title} onClose=${onClose} id="ask" actions=${html`
    <${Button} onPress=${onClose}>${text.cancel}<//>
    <${Button} kind="danger primary" id="yes" onPress=${async () => {
      await onYes();
      onClose();
    }}>${yes}<//>
  `}>
    ${children}
  <//>
`;

/**
 * @param {{ caption: string, head: { words: string, end?: boolean }[], children: Children, id?: string }} props
 */
export const Table = ({ caption, head, children, id }) => html`
  <div class="scroll-x" tabindex="0" role="group" aria-label=${caption}>
    <table id=${id}>
      <caption class="unseen">${caption}</caption>
      <thead><tr>${head.map(({ words, end }) => html`<th key=${words} scope="col" class=${end ? 'end' : ''}>${words}</th>`)}</tr></thead>
      <tbody>${children}</tbody>
    </table>
  </div>
`;

/** Runs when a key is pressed anywhere. @param {(event: KeyboardEvent) => void} press */
export function useKeys(press) {
  const last = useRef(press);
  last.current = press;
  useEffect(() => {
    const listen = (/** @type {KeyboardEvent} */ event) => last.current(event);
    document.addEventListener('keydown', listen);
    return () => document.removeEventListener('keydown', listen);
  }, []);
}
