// What a person presses, flips, picks and fills in. Every control that does something shows that it is at it, cannot be
// pressed twice meanwhile, and after five seconds offers to stop.

import { complain, told } from '../store.js';
import { text } from '../strings.js';
import { html, useEffect, useRef, useState } from '../vendor/ui.js';

/** @typedef {import('../vendor/ui.js').Children} Children */

/** After so long something is said to be under way, and after so long it can be stopped, in milliseconds. */
const [SHOWN, STOPPABLE] = [300, 5_000];

/**
 * Runs one thing at a time and tells how far it is. What is stopped is not waited for any more.
 * @param {(signal: AbortSignal) => unknown} act
 * @param {(error: unknown) => void} [failed] told of what went wrong; otherwise a toast tells
 */
export function useAct(act, failed = complain) {
  const [stage, setStage] = useState(/** @type {'idle' | 'begun' | 'shown' | 'stoppable'} */ ('idle'));
  const running = useRef(/** @type {AbortController | null} */ (null));
  useEffect(() => () => running.current?.abort(), []);
  async function run() {
    if (running.current) return;
    const end = new AbortController();
    running.current = end;
    const stages = [setTimeout(() => setStage('shown'), SHOWN), setTimeout(() => setStage('stoppable'), STOPPABLE)];
    const over = () => {
      stages.forEach(clearTimeout);
      if (running.current === end) running.current = null;
      if (!running.current) setStage('idle');
    };
    end.signal.addEventListener('abort', over);
    setStage('begun');
    try {
      await act(end.signal);
    } catch (error) {
      if (!end.signal.aborted) failed(error);
    }
    over();
  }
  return { run, stage, stop: () => running.current?.abort() };
}

/**
 * @param {{ children: Children, onPress: (signal: AbortSignal) => unknown, onError?: (error: unknown) => void,
 *   kind?: '' | 'primary' | 'quiet' | 'danger' | 'danger primary', disabled?: boolean, id?: string, label?: string,
 *   submit?: boolean }} props
 */
export function Button({ children, onPress, onError, kind = '', disabled = false, id, label, submit = false }) {
  const { run, stage, stop } = useAct(onPress, onError);
  const busy = stage === 'shown' || stage === 'stoppable';
  return html`
    <button type=${submit ? 'submit' : 'button'} id=${id} class=${`button ${kind}`} aria-label=${label}
      aria-disabled=${disabled || undefined} aria-busy=${busy || undefined} onClick=${(/** @type {Event} */ event) => {
        if (submit) event.preventDefault();
        if (!disabled) run();
      }}>${children}</button>
    ${stage === 'stoppable' && html`<button type="button" class="button quiet" onClick=${stop}>${text.cancel}</button>`}
  `;
}

/**
 * @param {{ on: boolean, label: string, onFlip: (on: boolean) => unknown, id?: string, large?: boolean, disabled?: boolean }} props
 */
export function Toggle({ on, label, onFlip, id, large = false, disabled = false }) {
  const { run } = useAct(() => onFlip(!on));
  return html`
    <button type="button" role="switch" id=${id} class=${large ? 'switch large' : 'switch'} aria-checked=${String(on)}
      aria-label=${label} aria-disabled=${disabled || undefined} onClick=${() => disabled || run()}>
      <span class="knob" aria-hidden="true"></span>
    </button>
  `;
}

/**
 * @param {{ value: string, options: [value: string, words: string][], label: string, onPick: (value: string) => unknown,
 *   id?: string, disabled?: boolean }} props
 */
export function Select({ value, options, label, onPick, id, disabled }) {
  const picked = useRef(value);
  const element = useRef(/** @type {HTMLSelectElement | null} */ (null));
  const { run } = useAct(
    () => onPick(picked.current),
    (error) => {
      if (element.current) element.current.value = value; // it was not taken
      complain(error);
    },
  );
  return html`
    <select ref=${element} id=${id} aria-label=${label} disabled=${disabled} value=${value} onChange=${(/** @type {any} */ event) => {
      picked.current = event.target.value;
      run();
    }}>
      ${options.map(([value, words]) => html`<option key=${value} value=${value}>${words}</option>`)}
    </select>
  `;
}

/**
 * A line of text. `onDone` is called with what was typed at Enter, or when the field is left.
 * @param {{ value: string, label: string, onDone: (value: string) => unknown, hint?: string, id?: string, type?: string,
 *   disabled?: boolean, mono?: boolean }} props
 */
export function Line({ value, label, onDone, hint, id, type = 'text', disabled = false, mono = false }) {
  const [typed, setTyped] = useState(value);
  useEffect(() => setTyped(value), [value]);
  const { run } = useAct(
    () => onDone(typed),
    (error) => {
      setTyped(value);
      complain(error);
    },
  );
  const done = () => typed === value || run();
  return html`
    <input id=${id} type=${type} class=${mono ? 'mono input-wide' : 'input-wide'} aria-label=${label} placeholder=${hint}
      disabled=${disabled} value=${typed} autocomplete="off" spellcheck=${false}
      onInput=${(/** @type {any} */ event) => setTyped(event.target.value)} onBlur=${done}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
        if (event.key === 'Enter') done();
        if (event.key === 'Escape') setTyped(value);
      }} />
  `;
}

/**
 * The field that `/` leads to.
 * @param {{ value: string, onInput: (value: string) => void, label: string }} props
 */
export const Filter = ({ value, onInput, label }) => html`
  <input type="search" class="filter" data-filter aria-label=${label} placeholder=${label} value=${value}
    onInput=${(/** @type {any} */ event) => onInput(event.target.value)}
    onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
      if (event.key === 'Escape' && value) {
        event.stopPropagation();
        onInput('');
      }
    }} />
`;

/**
 * Buttons that are pressed seldom, behind one. It closes when one is pressed, when it is left, and at Escape.
 * @param {{ label: string, children: Children }} props
 */
export function Menu({ label, children }) {
  const element = useRef(/** @type {HTMLDetailsElement | null} */ (null));
  const close = () => element.current?.removeAttribute('open');
  const inside = (/** @type {EventTarget | null} */ target) => element.current?.contains(/** @type {Node | null} */ (target));
  useEffect(() => {
    const leave = (/** @type {Event} */ event) => inside(event.target) || close();
    document.addEventListener('pointerdown', leave);
    return () => document.removeEventListener('pointerdown', leave);
  }, []);
  return html`<details class="menu" ref=${element}
    onFocusOut=${(/** @type {FocusEvent} */ event) => event.relatedTarget && !inside(event.relatedTarget) && close()}
    onKeyDown=${(/** @type {KeyboardEvent} */ event) => {
      if (event.key !== 'Escape' || !element.current?.open) return;
      event.stopPropagation();
      close();
      element.current.querySelector('summary')?.focus();
    }}>
    <summary class="button">${label}</summary>
    <div onClick=${close}>${children}</div>
  </details>`;
}

/**
 * A button that copies and says so in its own place.
 * @param {{ words: () => string | Promise<string>, children?: Children, kind?: '' | 'quiet', id?: string, failed?: string }} props
 */
export function Copy({ words, children = text.copy, kind = '', id, failed = text.copyFailed }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    const timer = done ? setTimeout(() => setDone(false), 4_000) : 0;
    return () => clearTimeout(timer);
  }, [done]);
  return html`<${Button} id=${id} kind=${kind} onPress=${async () => {
    const given = words();
    if (await copied(typeof given === 'string' ? given : await given)) {
      setDone(true);
      told(text.copied);
    } else told(failed);
  }}>${done ? text.copied : children}<//>`;
}

/**
 * Copies. The old command first: WebKit on Linux leaves the promise of the clipboard API open for ever.
 * @param {string} words
 */
async function copied(words) {
  const area = document.createElement('textarea');
  area.value = words;
  area.className = 'unseen';
  area.setAttribute('aria-hidden', 'true');
  const host = document.querySelector('dialog[open]') ?? document.body; // outside of an open dialog nothing can be selected
  const before = document.activeElement;
  host.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  if (before instanceof HTMLElement) before.focus();
  return done || navigator.clipboard?.writeText(words).then(() => true, () => false);
}
