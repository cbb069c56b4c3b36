// What this is, which version, what it is made of, and whether everything is well.

import { api } from '../verbs.js';
import { took } from '../format.js';
import { Button, Copy } from '../parts/controls.js';
import { Icon } from '../parts/icons.js';
import { Dialog, ErrorNote, Group, Page, Row } from '../parts/layout.js';
import { Newer } from '../parts/update.js';
import { announce, complain, useAsked, useSnapshot } from '../store.js';
import { text } from '../strings.js';
import { html, useState } from '../vendor/ui.js';

/** @typedef {import('../api.d.ts').Check} Check */

const words = text.about;

export function About() {
  const snapshot = useSnapshot();
  const [shown, setShown] = useState(/** @type {[name: string, licence: string] | null} */ (null));
  const asked = useAsked('about', (signal) => api.about(signal));
  const about = asked.value;
  // All of it at once: what came later would push the buttons from under the pointer.
  if (!snapshot || !about) return html`<${Page} title=${words.title}>${asked.error != null && html`<${ErrorNote} error=${asked.error} again=${asked.again} />`}<//>`;
  return html`<${Page} title=${words.title}>
    <${Group}>
      <${Row} title=${html`<strong>Dragoman</strong> <span id="version">${snapshot.version}</span>`} about=${words.what} />
      <${Row} about=${about.disclaimer} />
    <//>
    <${Newer} />
    <${Doctor} />
    <${Group} title=${words.files}>
      ${/** @type {const} */ (['config_file', 'logs', 'history']).map((file) => html`<${Row} key=${file} title=${words.places[file]} about=${html`<code>${about[file]}</code>`}><${Copy} kind="quiet" words=${() => about[file]} /><//>`)}
    <//>
    <${Group} title=${words.licences}>
      <${Row} title="Dragoman" about=${words.ours} />
      <${Row} title=${words.inside} about=${words.insideAbout}>
        <${Button} id="all-licences" kind="quiet" label=${words.licencesTitle} onPress=${async (/** @type {AbortSignal} */ signal) => setShown([words.licencesTitle, (await api.licences(signal)).text ?? words.noLicences])} onError=${complain}>${words.licences}<//>
      <//>
      ${words.vendored.map(([name, licence, file]) => html`<${Row} key=${name} title=${name} about=${licence}><${Button} kind="quiet" label=${words.licenceOf(name)} onPress=${async () => setShown([name, await (await fetch(`vendor/${file}`)).text()])}>${words.licence}<//><//>`)}
    <//>
    ${shown && html`<${Dialog} title=${shown[0]} id="licence-text" wide onClose=${() => setShown(null)} actions=${html`<${Button} onPress=${() => setShown(null)}>${text.close}<//>`}><pre class="code" tabindex="0">${shown[1]}</pre><//>`}
  <//>`;
}

/** The check-up, each check as soon as it is done. */
function Doctor() {
  const [checks, setChecks] = useState(/** @type {Check[]} */ ([]));
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const [done, setDone] = useState(false);
  /** @param {boolean} quick */
  const run = (quick) => async (/** @type {AbortSignal} */ signal) => {
    setChecks([]);
    setError(null);
    setDone(false);
    await api.doctor(quick, (check) => setChecks((checks) => [...checks, check]), signal);
    setDone(true);
    announce(words.checked);
  };
  const lines = () => checks.map((check) => [words.outcomes[check.outcome], check.name, check.seen, check.todo].filter(Boolean).join(' · ')).join('\n');
  return html`<${Group} title=${words.doctor} id="doctor" end=${done && html`<${Copy} kind="quiet" words=${lines} />`}>
    <${Row} about=${words.doctorAbout}>
      <${Button} id="check" kind="primary" onPress=${run(true)} onError=${setError}>${words.check}<//>
      <${Button} onPress=${run(false)} onError=${setError}>${words.checkAll}<//>
    <//>
    ${error != null && html`<div class="pad"><${ErrorNote} error=${error} /></div>`}
    ${checks.map(
      (check) => html`<div class="row check" key=${check.name} data-outcome=${check.outcome}>
        <span class=${tone(check.outcome)}><${Icon} name=${icon(check.outcome)} /></span>
        <div class="row-words"><p><strong>${check.name}</strong> <span class="unseen">${words.outcomes[check.outcome]}</span> ${check.seen}</p>
          ${check.todo && html`<p class="small">${check.todo}</p>`}</div>
        <span class="muted small">${took(check.milliseconds)}</span>
      </div>`,
    )}
  <//>`;
}

/** @param {Check['outcome']} outcome */
const tone = (outcome) => /** @type {const} */ ({ good: 'ok', odd: 'warn', bad: 'bad', skipped: 'muted' })[outcome];

/** @param {Check['outcome']} outcome */
const icon = (outcome) => /** @type {const} */ ({ good: 'tick', odd: 'bad', bad: 'cross', skipped: 'info' })[outcome];
