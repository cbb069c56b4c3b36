// Which model answers for which of Claude's names, with what effort, and which models there are.

import { api } from '../verbs.js';
import { amount, took } from '../format.js';
import { Button, Select } from '../parts/controls.js';
import { Empty, Group, Note, Page, Row, Table } from '../parts/layout.js';
import { inWords, told, useSettings, useSnapshot } from '../store.js';
import { text } from '../strings.js';
import { html, useState } from '../vendor/ui.js';

/** @typedef {import('../api.d.ts').Mapped} Mapped */
/** @typedef {import('../api.d.ts').Listed} Listed */

const words = text.models;
const EFFORTS = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'];

export function Models() {
  const snapshot = useSnapshot();
  const settings = useSettings();
  if (!snapshot) return html`<${Page} title=${words.title} />`;
  const { families, scenarios, names, listed, source, window } = snapshot.models;
  const chosen = (/** @type {string} */ key) => settings.value?.find((entry) => entry.key === key)?.value ?? null;
  const set = async (/** @type {string} */ key, /** @type {string | null} */ value) => {
    await api.settings.set(key, value);
    settings.again();
  };
  const rows = [...families, ...scenarios];
  const keys = rows.map(({ asks }) => `models.${asks}`).concat('models.effort');
  const before = keys.map((key) => /** @type {[string, string | null]} */ ([key, chosen(key)])).filter(([, value]) => value != null);
  const reset = async () => {
    for (const [key] of before) await api.settings.set(key, null);
    settings.again();
    told(words.isReset, async () => {
      for (const [key, value] of before) await api.settings.set(key, value);
      settings.again();
    });
  };
  return html`<${Page} title=${words.title} action=${html`<${Button} id="reset-models" disabled=${before.length === 0} onPress=${reset}>${words.reset}<//>`}>
    <p class="muted">${words.about(amount(window))}</p>
    <${Group}>
      <${Head} />
      ${families.map((mapped) => html`<${Line} key=${mapped.asks} mapped=${mapped} listed=${listed} set=${set} />`)}
    <//>
    <${Group} title=${words.scenarios}>
      <${Head} />
      ${scenarios.map((mapped) => html`<${Line} key=${mapped.asks} mapped=${mapped} listed=${listed} set=${set} scenario />`)}
      ${names.map((mapped) => html`<${Row} key=${mapped.asks} title=${html`<code>${mapped.asks}</code> → ${mapped.model ?? text.none}`} about=${mapped.problem ?? mapped.why} />`)}
    <//>
    <${Group}>
      <${Row} title=${words.override} about=${words.overrideAbout}>
        <${Select} id="effort-override" label=${words.override} value=${chosen('models.effort') ?? ''}
          options=${[['', words.asAsked], ...EFFORTS.map((effort) => [effort, words.efforts[effort] ?? effort])]}
          onPick=${(/** @type {string} */ value) => set('models.effort', value || null)} />
      <//>
    <//>
    <${Group} title=${words.catalog} id="catalog" end=${html`<span class="muted small">${words.sources[source]}</span>
      <${Button} kind="quiet" onPress=${(/** @type {AbortSignal} */ signal) => api.models.refresh(signal)}>${words.refresh}<//>`}>
      ${listed.length === 0
        ? html`<${Empty} title=${words.noModels}>${words.noModelsAbout}<//>`
        : html`<${Table} caption=${words.catalog} head=${[{ words: words.model }, { words: words.window, end: true }, { words: words.effortsHead }, { words: words.tiers }]}>
            ${listed.map(
              (model) => html`<tr key=${model.id}>
                <th scope="row" class="model"><span>${model.name}</span> <code class="muted">${model.id}</code><p class="muted small">${model.description}</p></th>
                <td class="end">${amount(model.window)}</td>
                <td>${model.efforts.map((effort) => (effort === model.default_effort ? words.isDefault(effort) : effort)).join(', ') || text.none}</td>
                <td>${model.tiers.join(', ') || text.none}</td>
              </tr>`,
            )}
          <//>`}
    <//>
  <//>`;
}

const Head = () => html`<div class="map map-head small muted" aria-hidden="true">
  <span>${words.asks}</span><span>${words.gets}</span><span>${words.effort}</span><span></span>
</div>`;

/**
 * A rule is a model's id, perhaps with an effort: `gpt-5.5-high`, or `gpt-5.5 effort=high`.
 * @param {string | null} rule @param {Listed[]} listed @returns {{ id: string, effort: string }}
 */
function parts(rule, listed) {
  const [id = '', ...wishes] = (rule ?? '').split(' ');
  const wished = wishes.find((wish) => wish.startsWith('effort='))?.slice('effort='.length) ?? '';
  if (wished || !id || listed.some((model) => model.id === id)) return { id, effort: wished };
  const effort = EFFORTS.find((effort) => id.endsWith(`-${effort}`));
  return effort ? { id: id.slice(0, -effort.length - 1), effort } : { id, effort: '' };
}

/**
 * One row of the map.
 * @param {{ mapped: Mapped, listed: Listed[], set: (key: string, value: string | null) => Promise<void>, scenario?: boolean }} props
 */
function Line({ mapped, listed, set, scenario = false }) {
  const [result, setResult] = useState(/** @type {{ tone: '' | 'bad', words: string } | null} */ (null));
  const { asks, rule, problem, why } = mapped;
  const { id, effort } = parts(rule, listed);
  const title = words.families[asks] ?? asks;
  const model = listed.find((model) => model.id === mapped.model);
  const known = !id || listed.some((model) => model.id === id);
  /** @type {[string, string][]} */
  const models = [
    ['', words.automatic(rule || !model ? '' : model.name)],
    ...listed.map((model) => /** @type {[string, string]} */ ([model.id, model.name])),
    ...(known ? [] : [/** @type {[string, string]} */ ([id, words.missing(id)])]),
  ];
  const efforts = (model?.efforts ?? []).filter((effort) => EFFORTS.includes(effort));
  const write = (/** @type {string} */ id, /** @type {string} */ effort) => set(`models.${asks}`, id ? (effort ? `${id}-${effort}` : id) : null);
  /** @param {AbortSignal} signal */
  const test = async (signal) => {
    setResult(null);
    let [who, said] = ['', ''];
    await api.ask(words.question, asks === 'default' ? 'claude' : asks, (event) => {
      if (event.type === 'asked') who = event.model;
      if (event.type === 'text') said += event.text;
      if (event.type === 'failed') setResult({ tone: 'bad', words: event.message });
      if (event.type === 'done') setResult({ tone: '', words: words.tested(who, said.trim(), took(event.duration_ms)) });
    }, signal);
  };
  return html`<div class="map" data-family=${asks}>
    <span class="map-name"><strong>${title}</strong></span>
    <${Select} id=${`model-${asks}`} label=${words.modelFor(title)} value=${id} options=${models} onPick=${(/** @type {string} */ picked) => write(picked, picked === id ? effort : '')} />
    <${Select} id=${`effort-${asks}`} label=${words.effortFor(title)} value=${effort} disabled=${efforts.length === 0}
      options=${[['', words.asAskedShort], ...efforts.map((effort) => [effort, words.efforts[effort] ?? effort])]}
      onPick=${(/** @type {string} */ picked) => write(id || mapped.model || '', picked)} />
    <span class="map-test">${!scenario && html`<${Button} kind="quiet" label=${words.testThis(title)} onPress=${test} onError=${(/** @type {unknown} */ error) => setResult({ tone: 'bad', words: inWords(error) })}>${words.test}<//>`}</span>
    <p class=${`why small ${problem ? 'bad' : 'muted'}`}>${problem ?? why}</p>
    ${result && html`<div class="why"><${Note} tone=${result.tone} role="status">${result.words}<//></div>`}
  </div>`;
}
