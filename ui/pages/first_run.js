// The first three steps, on one page, each of which turns into a tick or is skipped.

import { api } from '../verbs.js';
import { amount, took } from '../format.js';
import { Button } from '../parts/controls.js';
import { Icon } from '../parts/icons.js';
import { ErrorNote, Page } from '../parts/layout.js';
import { isSetUp, Plan, write } from '../parts/claude_code.js';
import { SignIn } from '../parts/sign_in.js';
import { useAsked, useKept, useSnapshot, useStore } from '../store.js';
import { text } from '../strings.js';
import { html, useEffect, useRef, useState } from '../vendor/ui.js';

/** @typedef {import('../vendor/ui.js').Children} Children */
/** @typedef {import('../api.d.ts').PromptEvent} PromptEvent */

const words = text.first;

/**
 * What is still to be done. `null` while that is not known.
 * @param {import('../api.d.ts').Snapshot | null} snapshot
 * @param {import('../api.d.ts').SetUpStatus | null} setUp
 * @param {string} skipped
 */
export function remaining(snapshot, setUp, skipped) {
  if (!snapshot || !setUp) return null;
  const done = { sign_in: snapshot.account.state.state !== 'none', set_up: isSetUp(setUp), hello: false };
  const kept = skipped.split(' ');
  return /** @type {const} */ (['sign_in', 'set_up', 'hello']).filter((step) => !done[step] && !kept.includes(step));
}

/** Remembered in this browser: steps that were skipped, and that a first answer came. */
export const useSkipped = () => useKept('first-steps', '');

/** @param {{ onLeave: () => void }} props */
export function FirstRun({ onLeave }) {
  const snapshot = useSnapshot();
  const setUp = useStore((state) => state.setUp);
  const [skipped, setSkipped] = useSkipped();
  const skip = (/** @type {string} */ step) => setSkipped(`${skipped} ${step}`.trim());
  const left = remaining(snapshot, setUp, skipped) ?? [];
  const next = left[0];
  // A step is done: the next one comes into sight. What had the focus may be gone with its step.
  const before = useRef(next);
  useEffect(() => {
    if (before.current === next) return;
    before.current = next;
    const step = document.querySelector('[aria-current=step]');
    step?.scrollIntoView({ block: 'nearest' });
    const lost = !document.activeElement || document.activeElement === document.body;
    if (lost) step?.querySelector('h2')?.focus({ preventScroll: true });
  }, [next]);
  if (!snapshot || !setUp) return html`<${Page} title=${words.title} />`;
  const signedIn = snapshot.account.state.state === 'ready';
  const standing = (/** @type {'sign_in' | 'set_up' | 'hello'} */ step, /** @type {boolean} */ done) =>
    done ? 'done' : left.includes(step) ? (left[0] === step ? 'now' : 'later') : 'skipped';
  const heard = skipped.split(' ').includes('heard');
  return html`<${Page} title=${words.title}>
    <p class="muted">${words.about}</p>
    <ol class="steps">
      <${Step} id="step-sign-in" number="1" title=${words.signIn.title} about=${words.signIn.about}
        standing=${standing('sign_in', signedIn)} done=${signedIn && words.signIn.done(snapshot.account)} onSkip=${() => skip('sign_in')}>
        <${SignIn} />
      <//>
      <${Step} id="step-set-up" number="2" title=${words.setUp.title} about=${words.setUp.about}
        standing=${standing('set_up', isSetUp(setUp))} done=${words.setUp.done} onSkip=${() => skip('set_up')}>
        <${SetUp} />
      <//>
      <${Step} id="step-hello" number="3" title=${words.hello.title} about=${words.hello.about}
        standing=${standing('hello', heard)} done=${words.hello.done} onSkip=${() => skip('hello')} open=${heard}>
        <${Hello} onHeard=${() => heard || skip('hello heard')} />
      <//>
    </ol>
    ${left.length === 0 && html`<div><${Button} kind="primary" id="first-run-done" onPress=${onLeave}>${words.leave}<//></div>`}
  <//>`;
}

/**
 * @param {{ id: string, number: string, title: string, about: string, standing: 'done' | 'now' | 'later' | 'skipped', done: string | false,
 *   onSkip: () => void, children: Children, open?: boolean }} props `open`: its content stays after it is done
 */
const Step = ({ id, number, title, about, standing, done, onSkip, children, open = false }) => html`
  <li class=${`step ${standing}`} id=${id} aria-current=${standing === 'now' ? 'step' : undefined}>
    <span class="step-mark" aria-hidden="true">${standing === 'done' ? html`<${Icon} name="tick" />` : number}</span>
    <div class="stack">
      <div class="line spread">
        <h2 tabindex="-1">${title}${standing === 'done' && html`<span class="unseen"> ${words.isDone}</span>`}</h2>
        ${(standing === 'now' || standing === 'later') &&
        html`<button type="button" class="link small" onClick=${onSkip} aria-label=${words.skipThis(title)}>${words.skip}</button>`}
      </div>
      <p class="muted">${standing === 'done' ? done : standing === 'skipped' ? words.skipped : about}</p>
      ${(standing === 'now' || open) && children}
    </div>
  </li>
`;

/** Exactly what will be written, then the writing. */
function SetUp() {
  const plan = useAsked('plan', (signal) => api.claudeCode.plan(signal));
  if (plan.error) return html`<${ErrorNote} error=${plan.error} again=${plan.again} />`;
  if (!plan.value) return html`<p class="muted">${words.setUp.looking}</p>`;
  return html`
    <${Plan} report=${plan.value} />
    <div><${Button} kind="primary" id="set-up" onPress=${write}>${words.setUp.button}<//></div>
  `;
}

/** A question on the real path, its answer as it comes. @param {{ onHeard?: () => void }} props */
export function Hello({ onHeard }) {
  const [question, setQuestion] = useState(words.hello.prompt);
  const [answer, setAnswer] = useState('');
  const [model, setModel] = useState(/** @type {string | null} */ (null));
  const [done, setDone] = useState(/** @type {Extract<PromptEvent, { type: 'done' }> | null} */ (null));
  const [error, setError] = useState(/** @type {unknown} */ (null));
  /** @param {AbortSignal} signal */
  async function ask(signal) {
    setAnswer('');
    setModel(null);
    setDone(null);
    setError(null);
    await api.ask({ text: question }, hear, signal);
  }
  /** @param {PromptEvent} event */
  function hear(event) {
    switch (event.type) {
      case 'asked':
        return setModel(event.model);
      case 'text':
        return setAnswer((answer) => answer + event.text);
      case 'failed':
        return setError(new Error(event.message));
      case 'done':
        setDone(event);
        onHeard?.();
    }
  }
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const begun = answer !== '';
  useEffect(() => place.current?.scrollIntoView({ block: 'nearest' }), [begun, done]);
  return html`<form class="stack" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
    <div class="line nowrap-line">
      <input id="prompt" class="input-wide" aria-label=${words.hello.field} value=${question} autocomplete="off"
        onInput=${(/** @type {any} */ event) => setQuestion(event.target.value)} />
      <${Button} kind="primary" submit id="say-hello" disabled=${!question.trim()} onPress=${ask} onError=${setError}>${words.hello.button}<//>
    </div>
    ${error != null && html`<${ErrorNote} id="hello-failed" error=${error} />`}
    ${(model || answer) && html`<div class="stack tight" ref=${place}>
      <p class="answer" id="answer" aria-live="polite" aria-busy=${String(!done && !error)}>${answer}</p>
      <p class="small muted" id="answer-facts">${done ? words.hello.facts(model ?? '', took(done.first_text_ms), amount(done.tokens.output)) : error ? '' : words.hello.coming(model ?? '')}</p>
    </div>`}
  </form>`;
}
