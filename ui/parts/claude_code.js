// Claude Code's set-up: how it stands, exactly what is or would be written, doing and undoing it, and the variables for
// people who rather set them themselves.

import { api } from '../verbs.js';
import { readSetUp, told, useAsked, useSettings, useSnapshot, useStore } from '../store.js';
import { text } from '../strings.js';
import { html, useState } from '../vendor/ui.js';
import { Button, Copy, Select } from './controls.js';
import { Dialog, ErrorNote, Note, Row } from './layout.js';

/** @typedef {import('../api.d.ts').SetUpReport} Report */

const words = text.claudeCode;

/** @param {import('../api.d.ts').SetUpStatus | null} setUp */
export const isSetUp = (setUp) => setUp?.state === 'connected' || setUp?.state === 'suspended';

/** Sets it up. */
export async function write() {
  const report = await api.claudeCode.connect();
  await readSetUp();
  return report;
}

async function connect() {
  const report = await write();
  told(words.written(report.file), disconnect);
}

async function disconnect() {
  const report = await api.claudeCode.disconnect();
  await readSetUp();
  told(words.undone(report.file), connect);
}

/** What will be written where. @param {{ report: Report }} props */
export const Plan = ({ report }) => html`
  <div class="stack tight" id="plan">
    <p>${words.plan} <code id="plan-file">${report.file}</code></p>
    <dl class="keys code" tabindex="0" aria-label=${words.keys}>
      ${report.changes.map(
        (change) => html`<div key=${change.key}><dt><code>${change.key}</code></dt>
          <dd><code>${change.value ?? ''}</code> ${change.what !== 'added' && html`<span class="muted small">${words.change[change.what] ?? change.what}</span>`}</dd></div>`,
      )}
    </dl>
    ${report.notes.map((note) => html`<p class="small muted" key=${note}>${note}</p>`)}
    ${report.conflicts.map(
      (conflict) => html`<${Note} key=${conflict.what + conflict.file} tone=${conflict.weight === 'notes' ? '' : 'warn'}>${words.setIn(conflict.what, conflict.file, conflict.line)} ${conflict.means} ${conflict.todo}<//>`,
    )}
    <p class="small muted">${words.backup}</p>
  </div>
`;

/** What Claude Code meets while Dragoman is off. Asks what becomes of it, unless the user has said so for good. */
export function WhileOff() {
  const server = useSnapshot()?.server.state;
  const state = useStore((state) => state.setUp?.state);
  const settings = useSettings();
  const whenOff = settings.value?.find(({ key }) => key === 'claude_code.when_off')?.value;
  if (state !== 'connected' || whenOff !== 'ask') return server === 'off' ? html`<${Note} id="hint">${words.offHints[state ?? 'not_connected']}<//>` : null;
  async function back() {
    await api.claudeCode.suspend();
    await readSetUp();
    told(words.about.suspended);
  }
  /** @param {'always' | 'never'} choice */
  async function forGood(choice) {
    await api.settings.set('claude_code.when_off', choice);
    if (choice === 'always') await back();
    settings.again();
  }
  const actions = html`
    <${Button} kind="primary" id="back-to-anthropic" onPress=${back}>${words.back}<//>
    <${Button} id="always-back" onPress=${() => forGood('always')}>${words.alwaysBack}<//>
    <${Button} kind="quiet" id="never-back" onPress=${() => forGood('never')}>${words.neverBack}<//>
  `;
  return html`<${Note} id="while-off" asks action=${actions}>${words.off}<//>`;
}

/** The row of the overview. */
export function ClaudeCodeRow() {
  const setUp = useStore((state) => state.setUp);
  const [open, setOpen] = useState(false);
  if (!setUp) return html`<${Row} id="claude-code" title=${html`<strong>${words.name}</strong>`} />`; // nobody knows yet
  const { state } = setUp;
  const about = setUp.changed.length ? words.changed(setUp.changed.join(', ')) : words.about[state];
  return html`
    <${Row} id="claude-code" title=${html`<strong>${words.name}</strong> <span class=${isSetUp(setUp) ? 'ok' : 'muted'} id="standing">${words.state[state]}</span>`} about=${about}>
      ${state === 'not_connected' || state === 'pointed_elsewhere'
        ? html`<${Button} kind="primary" id="set-up" onPress=${connect}>${words.setUp}<//>`
        : html`<${Button} id="undo-set-up" onPress=${disconnect}>${words.undo}<//>`}
      <${Button} id="set-up-details" onPress=${() => setOpen(true)}>${words.details}<//>
    <//>
    ${open && html`<${Details} onClose=${() => setOpen(false)} />`}
  `;
}

/** @param {{ onClose: () => void }} props */
function Details({ onClose }) {
  const plan = useAsked('plan', (signal) => api.claudeCode.plan(signal));
  return html`
    <${Dialog} title=${words.detailsTitle} id="details" wide onClose=${onClose} actions=${html`<${Button} onPress=${onClose}>${text.close}<//>`}>
      ${plan.error != null && html`<${ErrorNote} error=${plan.error} again=${plan.again} />`}
      ${plan.value && html`<${Plan} report=${plan.value} />`}
      <${Variables} />
    <//>
  `;
}


/** For a terminal, without writing anything. The token is not shown: a window is easily photographed. */
export function Variables() {
  const [shell, setShell] = useState('bash');
  const environment = useAsked('environment', (signal) => api.environment(signal));
  const { variables = [], shells = [] } = environment.value ?? {};
  const lines = shells.find((one) => one.shell === shell)?.text ?? '';
  const secrets = variables.filter(({ name }) => /TOKEN$/.test(name)).map(({ value }) => value);
  const shown = secrets.reduce((lines, secret) => lines.replaceAll(secret, '••••••••'), lines);
  return html`
    <div class="stack tight">
      <div class="line spread"><h3>${words.variables}</h3><${Select} value=${shell} options=${shells.map(({ shell }) => [shell, words.shells[shell] ?? shell])} label=${words.shell} onPick=${setShell} /></div>
      <p class="small muted">${words.variablesHint}</p>
      ${environment.error != null && html`<${ErrorNote} error=${environment.error} again=${environment.again} />`}
      <pre class="code" id="environment" tabindex="0" aria-label=${words.variables}>${shown}</pre>
      <div class="line"><${Copy} id="copy" words=${() => `${lines}\n`} failed=${words.copyFailed} /></div>
    </div>
  `;
}
