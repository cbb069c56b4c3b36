// Signing in, by each way there is: what to do now, how far it is, and a way out. Used by the first steps and by Accounts.

import { api } from '../verbs.js';
import { backend } from '../backend.js';
import { announce, inWords } from '../store.js';
import { text } from '../strings.js';
import { html, useEffect, useRef, useState } from '../vendor/ui.js';
import { Button, Copy } from './controls.js';
import { ErrorNote, Note, Remaining } from './layout.js';

/** @typedef {import('../api.d.ts').LoginStep} Step */
/** @typedef {import('../api.d.ts').LoginWay} Way */

const words = text.signIn;

/** The small alternatives, in the order in which they are offered. */
const others = /** @type {const} */ (['device', 'manual', 'linked', 'api_key']);

/** @param {{ onDone?: () => void, onBegin?: () => void }} props */
export function SignIn({ onDone, onBegin }) {
  const [steps, setSteps] = useState(/** @type {Step[]} */ ([]));
  const [stage, setStage] = useState(/** @type {'choose' | 'key' | 'run' | 'over'} */ ('choose'));
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const running = useRef(/** @type {{ end: AbortController, id: number | null } | null} */ (null));
  const leave = () => {
    const run = running.current;
    running.current = null;
    run?.end.abort();
    if (run?.id) api.login.cancel(run.id).catch(() => {});
  };
  useEffect(() => leave, []);

  /** @param {Way} way */
  async function begin(way) {
    const run = { end: new AbortController(), id: /** @type {number | null} */ (null) };
    running.current = run;
    setSteps([]);
    setError(null);
    setStage('run');
    onBegin?.();
    try {
      run.id = (await api.login.begin(way)).id;
      if (run.end.signal.aborted) return void api.login.cancel(run.id);
      await api.login.watch(run.id, next, run.end.signal);
    } catch (error) {
      if (run.end.signal.aborted) return;
      running.current = null;
      setError(error);
      setStage('over');
    }
  }

  /** @param {Step} step */
  function next(step) {
    setSteps((steps) => [...steps, step]);
    announce(words.announced(step));
    const over = step.step === 'done' || step.step === 'failed' || step.step === 'cancelled';
    if (!over) return;
    running.current = null;
    setStage(step.step === 'cancelled' ? 'choose' : 'over');
    if (step.step === 'done') onDone?.();
  }

  const choose = () => {
    leave();
    setError(null);
    setSteps([]);
    setStage('choose');
  };
  const last = steps.at(-1);
  const frame = useRef(/** @type {HTMLElement | null} */ (null));
  // What was pressed is gone: the focus goes to what came in its place.
  useEffect(() => {
    if (frame.current && document.activeElement === document.body) frame.current.focus({ preventScroll: true });
  }, [stage]);
  return html`<div class="sign-in" tabindex="-1" ref=${frame}>${inside()}</div>`;

  function inside() {
    if (stage === 'choose')
      return html`<div class="stack">
        <div><${Button} kind="primary" id="sign-in" onPress=${() => void begin({ kind: 'browser', open: backend.inWindow })}>${words.button}<//></div>
        <p class="small muted alternatives">${words.or} ${others.map(
          (way, at) => html`${at > 0 && ' · '}<button type="button" class="link" data-way=${way} key=${way}
            onClick=${() => (way === 'api_key' ? setStage('key') : void begin({ kind: way }))}>${words.ways[way]}</button>`,
        )}</p>
      </div>`;
    if (stage === 'key') return html`<${KeyForm} onKey=${(/** @type {string} */ key) => void begin({ kind: 'api_key', key })} onBack=${choose} />`;
    if (stage === 'over' && last?.step === 'done')
      return html`<${Note} id="signed-in"><strong>${words.done(last)}</strong><//>`;
    if (stage === 'over') {
      const failure = error ?? (last?.step === 'failed' ? new Error(last.message) : new Error(words.ended));
      return html`<${ErrorNote} id="sign-in-failed" error=${new Error(inWords(failure))} again=${choose} />`;
    }
    return html`<div class="stack" id="signing-in">
      ${steps.length === 0 && html`<p class="muted">${words.beginning}</p>`}
      ${steps.map((step, at) => html`<${StepView} key=${at} step=${step} now=${steps.slice(at + 1).every(isAside)} id=${running.current?.id ?? 0} />`)}
      <div class="line">
        ${last?.step === 'storing' ? null : html`<${Button} id="cancel-sign-in" onPress=${choose}>${text.cancel}<//>`}
      </div>
    </div>`;
  }
}

/** Says something about the step before it, which goes on. @param {Step} step */
const isAside = ({ step }) => step === 'not_accepted' || step === 'browser_not_opened' || step === 'codex_says';

/** @param {{ step: Step, now: boolean, id: number }} props `now`: it has not been passed */
function StepView({ step, now, id }) {
  if (!now && !isAside(step)) return null;
  switch (step.step) {
    case 'waiting_for_browser':
      return html`<p>${backend.inWindow ? words.inBrowser : words.hereOrThere} <span class="muted"><${Remaining} at=${step.expires_at} /></span></p>
        <${Address} url=${step.url} />`;
    case 'browser_not_opened':
      return html`<${Note} tone="warn">${words.notOpened(step.why)}<//>`;
    case 'waiting_for_paste':
      return html`<p>${words.anywhere} <span class="muted"><${Remaining} at=${step.expires_at} /></span></p>
        <${Address} url=${step.url} /><${PasteForm} id=${id} />`;
    case 'not_accepted':
      return html`<${Note} tone="warn" id="not-accepted">${words.notAccepted[step.why]}<//>`;
    case 'device_code':
      return html`<p>${words.device} <span class="muted"><${Remaining} at=${step.expires_at} /></span></p>
        <p class="line"><code class="device-code" id="device-code">${step.code}</code><${Copy} words=${() => step.code} /></p>
        <${Address} url=${step.url} />`;
    case 'codex_says':
      return html`<p class="mono small">${step.line}</p>`;
    default:
      return html`<p>${words.announced(step)}</p>`;
  }
}

/** A page to be opened: as a link where links open, and to be copied. @param {{ url: string }} props */
const Address = ({ url }) => html`<p class="line">
  ${!backend.inWindow && html`<a class="button primary" href=${url} target="_blank" rel="noreferrer" id="open-page">${words.open}</a>`}
  <${Copy} words=${() => url} id="copy-page">${words.copyAddress}<//>
  <code class="address-bar muted" id="page-address">${url}</code>
</p>`;

/** @param {{ id: number }} props */
function PasteForm({ id }) {
  const [pasted, setPasted] = useState('');
  const enter = async () => {
    if (pasted.trim()) await api.login.paste(id, pasted.trim());
    setPasted('');
  };
  return html`<form class="line" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
    <input id="paste" class="filter" aria-label=${words.pasted} placeholder=${words.pasted} value=${pasted} autocomplete="off"
      onInput=${(/** @type {any} */ event) => setPasted(event.target.value)} />
    <${Button} kind="primary" id="paste-done" submit disabled=${!pasted.trim()} onPress=${enter}>${words.enter}<//>
  </form>`;
}

/** @param {{ onKey: (key: string) => void, onBack: () => void }} props */
function KeyForm({ onKey, onBack }) {
  const [key, setKey] = useState('');
  return html`<form class="stack" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
    <p>${words.keyHint}</p>
    <div class="line">
      <input id="api-key" type="password" class="filter" aria-label=${words.key} placeholder=${words.key} value=${key}
        autocomplete="off" onInput=${(/** @type {any} */ event) => setKey(event.target.value)} />
      <${Button} kind="primary" submit id="key-done" disabled=${!key.trim()} onPress=${() => onKey(key.trim())}>${words.add}<//>
      <${Button} onPress=${onBack}>${text.cancel}<//>
    </div>
  </form>`;
}
