// All accounts: what each has left, which one answers, and what can be done with them.

import { api } from '../verbs.js';
import { took, time } from '../format.js';
import { account as inWords, called } from '../parts/account.js';
import { Button, Menu, Select } from '../parts/controls.js';
import { Ask, Dialog, Empty, Group, Meter, Note, Page, Row } from '../parts/layout.js';
import { SignIn } from '../parts/sign_in.js';
import { inWords as sentence, told, useSettings, useSnapshot } from '../store.js';
import { text } from '../strings.js';
import { html, useState } from '../vendor/ui.js';

/** @typedef {import('../api.d.ts').AccountView} AccountView */

const words = text.accounts;

export function Accounts() {
  const snapshot = useSnapshot();
  const [adding, setAdding] = useState(false);
  const [added, setAdded] = useState(false);
  const accounts = (snapshot?.accounts ?? []).filter((account) => account.state.state !== 'none');
  const close = () => {
    setAdding(false);
    setAdded(false);
  };
  const add = html`<${Button} kind="primary" id="add-account" onPress=${() => setAdding(true)}>${words.add}<//>`;
  return html`<${Page} title=${words.title} action=${accounts.length > 0 && html`<${Button} onPress=${readLimits}>${words.readLimits}<//>${add}`}>
    ${accounts.length === 0 &&
    html`<${Group}><${Empty} title=${words.none} action=${add}>${words.noneAbout}<//><//>`}
    ${accounts.map((account) => html`<${Account} key=${account.id} account=${account} snapshot=${snapshot} used=${account.id === snapshot?.account.id} several=${accounts.length > 1} />`)}
    ${accounts.length > 1 && html`<${Strategy} />`}
    ${adding &&
    html`<${Dialog} id="adding" title=${words.add} onClose=${close} actions=${html`<${Button} id="close-adding" onPress=${close}>${added ? text.done : text.close}<//>`}>
      <p class="muted">${words.addAbout}</p>
      <${SignIn} onDone=${() => setAdded(true)} />
    <//>`}
  <//>`;
}

/** Asks the backend how much is used; what could not be read is told. @param {AbortSignal} signal */
async function readLimits(signal) {
  const troubles = await api.readLimits(signal);
  if (troubles.length > 0) told(troubles.map(({ message }) => message).join(' '));
}

/** @param {{ account: AccountView, snapshot: import('../api.d.ts').Snapshot | null, used: boolean, several: boolean }} props */
function Account({ account, snapshot, used, several }) {
  const [naming, setNaming] = useState(false);
  const [removing, setRemoving] = useState(false);
  const [result, setResult] = useState(/** @type {{ tone: '' | 'bad', words: string } | null} */ (null));
  const { title, about, state, tone } = inWords(account, snapshot);
  const { id, kind, limits } = account;
  const name = called(account, snapshot);
  /** @param {AbortSignal} signal */
  async function test(signal) {
    setResult(null);
    const tested = await api.accounts.test(id, signal);
    setResult({ tone: '', words: words.tested(tested.model, tested.answer.trim(), took(tested.milliseconds)) });
  }
  async function renew() {
    await api.accounts.refresh(id);
    told(words.refreshed);
  }
  const failed = (/** @type {unknown} */ error) => setResult({ tone: 'bad', words: sentence(error) });
  return html`<section class="group account" aria-label=${title} data-account=${id}>
    <div class="card">
      <${Row} title=${html`<strong>${title}</strong>`} about=${about}>
        ${used && several && html`<span class="tag ok">${words.inUse}</span>`}
        <span class=${tone}>${state}</span>
      <//>
      ${(limits.windows.length > 0 || limits.credits) &&
      html`<div class="row"><div class="meters">
        ${limits.windows.map((window) => html`<${Meter} key=${`${window.name} ${window.minutes}`} window=${window} />`)}
        <p class="muted small">${[credits(account), limits.read_at != null && words.readAt(time(limits.read_at))].filter(Boolean).join(' · ')}</p>
      </div></div>`}
      ${result && html`<div class="pad"><${Note} tone=${result.tone} role="status">${result.words}<//></div>`}
      <div class="row actions">
        ${!used && several && html`<${Button} onPress=${() => api.accounts.use(id)}>${words.use}<//>`}
        <${Button} onPress=${test} onError=${failed}>${words.test}<//>
        ${account.rest && html`<${Button} onPress=${() => api.accounts.retry(id)} onError=${failed}>${words.retry}<//>`}
        ${kind !== 'demo' &&
        html`<${Menu} label=${words.more}>
          <${Button} onPress=${() => setNaming(true)}>${words.rename}<//>
          ${kind !== 'api_key' && html`<${Button} onPress=${renew} onError=${failed}>${words.refresh}<//>`}
          <${Button} onPress=${() => api.accounts.pause(id, !account.paused)}>${account.paused ? words.resume : words.pause}<//>
          <${Button} kind="danger" onPress=${() => setRemoving(true)}>${words.remove}<//>
        <//>`}
      </div>
    </div>
    ${naming && html`<${Rename} account=${account} onClose=${() => setNaming(false)} />`}
    ${removing &&
    html`<${Ask} title=${words.removeTitle(name)} yes=${words.remove} onClose=${() => setRemoving(false)}
      onYes=${async () => {
        await api.accounts.remove(id);
        told(words.removed(name));
      }}><p>${kind === 'linked' ? words.removeLinked : kind === 'api_key' ? words.removeKey : words.removeOwn}</p><//>`}
  </section>`;
}

/** @param {AccountView} account */
function credits({ limits: { credits } }) {
  if (!credits?.has_credits && !credits?.unlimited) return null;
  return credits.unlimited ? words.creditsUnlimited : credits.balance && words.credits(credits.balance);
}

/** @param {{ account: AccountView, onClose: () => void }} props */
function Rename({ account, onClose }) {
  const [name, setName] = useState(account.name ?? '');
  const save = async () => {
    await api.accounts.rename(account.id, name.trim() || null);
    onClose();
  };
  return html`<${Dialog} title=${words.renameTitle} onClose=${onClose} actions=${html`
    <${Button} onPress=${onClose}>${text.cancel}<//><${Button} kind="primary" id="save-name" onPress=${save}>${text.save}<//>
  `}>
    <p class="muted">${words.renameAbout}</p>
    <input id="account-name" class="input-wide" aria-label=${words.name} placeholder=${account.label ?? words.name} value=${name} maxlength="60"
      onInput=${(/** @type {any} */ event) => setName(event.target.value)}
      onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === 'Enter' && save()} />
  <//>`;
}

/** Which of several answers. */
function Strategy() {
  const [value, setValue] = useState(/** @type {string | null} */ (null));
  const settings = useSettings();
  const entry = settings.value?.find((entry) => entry.key === 'accounts.strategy');
  const now = value ?? entry?.value ?? 'priority';
  const options = /** @type {[string, string][]} */ (Object.entries(text.settings.choices['accounts.strategy'] ?? {}));
  return html`<${Group}><${Row} title=${words.strategy} about=${words.strategyAbout}>
    <${Select} value=${now} options=${options} label=${words.strategy} onPick=${async (/** @type {string} */ picked) => {
      setValue(picked);
      await api.settings.set('accounts.strategy', picked);
      settings.again();
    }} />
  <//><//>`;
}
