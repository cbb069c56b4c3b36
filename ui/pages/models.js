// Which model answers for which of Claude's names, with what effort and tier, and which models there are.

import { api } from '../verbs.js';
import { amount, took } from '../format.js';
import { Button, Line, Menu, Select } from '../parts/controls.js';
import { Empty, ErrorNote, Group, Note, Page, Row, Table } from '../parts/layout.js';
import { inWords, told, useSettings, useSnapshot } from '../store.js';
import { text } from '../strings.js';
import { html, useState } from '../vendor/ui.js';
import { EFFORTS, presets, read, write } from '../rules.js';

/** @typedef {import('../api.d.ts').Mapped} Mapped */
/** @typedef {import('../api.d.ts').Listed} Listed */
/** @typedef {import('../api.d.ts').Scenario} Scenario */
/** @typedef {import('../rules.js').Rule} Rule */

const words = text.models;
const TIERS = /** @type {const} */ (['fast', 'standard']);

/** Writes rules, and offers the way back. @param {[asks: string, target: string | null][]} wanted @param {Mapped[]} rows @param {string} said */
async function change(wanted, rows, said) {
  const before = wanted.map(([asks]) => /** @type {[string, string | null]} */ ([asks, rows.find((row) => row.asks === asks)?.rule ?? null]));
  const all = async (/** @type {[string, string | null][]} */ rules) => {
    for (const [asks, target] of rules) await api.models.rule(asks, target);
  };
  await all(wanted);
  told(said, () => all(before));
}

export function Models() {
  const snapshot = useSnapshot();
  if (!snapshot) return html`<${Page} title=${words.title} />`;
  const { families, scenarios, names, listed, source, window } = snapshot.models;
  const rows = [...families, ...scenarios, ...names];
  const ruled = rows.filter(({ rule }) => rule != null);
  // Who pays is a question only then.
  const both = new Set(snapshot.accounts.map(({ kind }) => kind === 'api_key')).size > 1;
  const reset = () => change(ruled.map(({ asks }) => [asks, null]), rows, words.isReset);
  return html`<${Page} title=${words.title} action=${html`
    <${Menu} label=${words.presets}>
      ${presets(listed).map(({ name, rules }) => html`<${Button} key=${name} kind="quiet" onPress=${() => change(rules, rows, words.isPreset(words.presetNames[name]))}>${words.presetNames[name]}<//>`)}
    <//>
    <${Button} id="reset-models" disabled=${ruled.length === 0} onPress=${reset}>${words.reset}<//>
  `}>
    <p class="muted">${words.about(amount(window))}</p>
    <${Group}>
      <${Head} />
      ${families.map((mapped) => html`<${Rule} key=${mapped.asks} mapped=${mapped} listed=${listed} both=${both} />`)}
    <//>
    <${Group} title=${words.scenarios}>
      <${Head} />
      ${scenarios.map((mapped) => html`<${Rule} key=${mapped.asks} mapped=${mapped} listed=${listed} both=${both} kind="scenario" />`)}
    <//>
    <${Group} title=${words.names} id="names">
      ${names.length > 0 && html`<${Head} />`}
      ${names.map((mapped) => html`<${Rule} key=${mapped.asks} mapped=${mapped} listed=${listed} both=${both} kind="name" />`)}
      <${NewName} listed=${listed} />
    <//>
    <${Group} title=${words.resolve}><${Resolve} /><//>
    <${Override} />
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
  <span>${words.asks}</span><span>${words.gets}</span><span>${words.wishes}</span><span></span>
</div>`;

/**
 * One row of the map.
 * @param {{ mapped: Mapped, listed: Listed[], both: boolean, kind?: 'family' | 'scenario' | 'name' }} props `both`: subscriptions and API keys
 */
function Rule({ mapped, listed, both, kind = 'family' }) {
  const [result, setResult] = useState(/** @type {{ tone: '' | 'bad', words: string } | null} */ (null));
  const { asks, problem, why } = mapped;
  const rule = read(mapped.rule, listed);
  const title = words.families[asks] ?? asks;
  const model = listed.find((model) => model.id === mapped.model);
  const known = !rule.model || listed.some((model) => model.id === rule.model);
  /** @type {[string, string][]} */
  const models = [
    ...(kind === 'name' ? [] : [/** @type {[string, string]} */ (['', words.automatic(mapped.rule || !model ? '' : model.name)])]),
    ...listed.map((model) => /** @type {[string, string]} */ ([model.id, model.name])),
    ...(known ? [] : [/** @type {[string, string]} */ ([rule.model, words.missing(rule.model)])]),
  ];
  const efforts = (model?.efforts ?? []).filter((effort) => EFFORTS.includes(effort));
  /** @param {Partial<Rule>} change */
  const set = (change) => api.models.rule(asks, write({ ...rule, ...change }));
  const base = rule.model || mapped.model || '';
  /** @param {AbortSignal} signal */
  const test = async (signal) => {
    setResult(null);
    let [who, said] = ['', ''];
    const prompt = kind === 'scenario' ? { scenario: /** @type {Scenario} */ (asks) } : { model: asks === 'default' ? 'claude' : asks };
    await api.ask({ text: words.question, ...prompt }, (event) => {
      if (event.type === 'asked') who = event.model;
      if (event.type === 'text') said += event.text;
      if (event.type === 'failed') setResult({ tone: 'bad', words: event.message });
      if (event.type === 'done') setResult({ tone: '', words: words.tested(who, said.trim(), took(event.duration_ms)) });
    }, signal);
  };
  const failed = (/** @type {unknown} */ error) => setResult({ tone: 'bad', words: inWords(error) });
  return html`<div class="map" data-family=${asks}>
    <span class="map-name">${kind === 'name' ? html`<code>${asks}</code>` : html`<strong>${title}</strong>`}</span>
    <${Select} id=${`model-${asks}`} label=${words.modelFor(title)} value=${rule.model} options=${models}
      onPick=${(/** @type {string} */ picked) => set(picked ? { model: picked } : { model: '' })} />
    <span class="map-wishes">
      <${Select} id=${`effort-${asks}`} label=${words.effortFor(title)} value=${rule.effort} disabled=${efforts.length === 0}
        options=${[['', words.asAskedShort], ...efforts.map((effort) => [effort, words.efforts[effort] ?? effort])]}
        onPick=${(/** @type {string} */ effort) => set({ model: base, effort })} />
      <${Select} id=${`tier-${asks}`} label=${words.tierFor(title)} value=${rule.tier} disabled=${!base}
        options=${[['', words.asAskedShort], ...TIERS.map((tier) => [tier, words.tierNames[tier]])]}
        onPick=${(/** @type {string} */ tier) => set({ model: base, tier })} />
      ${(both || rule.pool) && html`<${Select} id=${`pool-${asks}`} label=${words.poolFor(title)} value=${rule.pool} disabled=${!base} options=${words.pools}
        onPick=${(/** @type {string} */ pool) => set({ model: base, pool })} />`}
    </span>
    <span class="map-test">${(kind === 'family' || (kind === 'scenario' && mapped.model)) && html`<${Button} kind="quiet" label=${words.testThis(title)} onPress=${test} onError=${failed}>${words.test}<//>`}
      ${kind === 'name' && html`<${Button} kind="quiet" label=${words.removeThis(title)} onPress=${() => change([[asks, null]], [mapped], words.isRemoved(asks))}>${words.remove}<//>`}</span>
    <p class=${`why small ${problem ? 'bad' : 'muted'}`}>${problem ?? [why, ...rule.more].join(' · ')}</p>
    ${result && html`<div class="why"><${Note} tone=${result.tone} role="status">${result.words}<//></div>`}
  </div>`;
}

/** A rule for one name, or for all that match a pattern. @param {{ listed: Listed[] }} props */
function NewName({ listed }) {
  const [name, setName] = useState('');
  const [model, setModel] = useState('');
  const picked = model || (listed[0]?.id ?? '');
  const add = async () => {
    await api.models.rule(name.trim(), picked);
    setName('');
  };
  return html`<form class="row" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
    <div class="row-words">
      <input id="new-name" class="mono input-wide" aria-label=${words.newName} placeholder=${words.newNameHint} value=${name} autocomplete="off" spellcheck=${false}
        onInput=${(/** @type {any} */ event) => setName(event.target.value)} />
    </div>
    <div class="row-end">
      <${Select} id="new-name-model" label=${words.modelFor(name || words.newName)} value=${picked} options=${listed.map((model) => [model.id, model.name])} onPick=${setModel} />
      <${Button} id="add-name" submit disabled=${!name.trim() || !picked} onPress=${add}>${words.add}<//>
    </div>
  </form>`;
}

/** What a name that a client could ask for would become now. */
function Resolve() {
  const [row, setRow] = useState(/** @type {Mapped | null} */ (null));
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const ask = async (/** @type {string} */ name) => {
    setError(null);
    setRow(name.trim() ? await api.models.resolve(name.trim()).catch((error) => (setError(error), null)) : null);
  };
  return html`
    <${Row} about=${words.resolveAbout}><${Line} id="resolve" mono value="" label=${words.resolveName} hint="claude-opus-5-5[1m]" onDone=${ask} /><//>
    ${error != null && html`<${ErrorNote} error=${error} />`}
    ${row && html`<div class="row" id="resolved" role="status"><div class="row-words">
      <p><code>${row.asks}</code> → ${row.model ? html`<strong>${row.model}</strong>` : text.none} ${row.model && words.resolved(row.effort, row.default_effort, row.tier, row.pool)}</p>
      <p class=${`small ${row.problem ? 'bad' : 'muted'}`}>${row.problem ?? row.why}</p>
    </div></div>`}
  `;
}

/** An effort for everything. */
function Override() {
  const settings = useSettings();
  const chosen = settings.value?.find(({ key }) => key === 'models.effort')?.value ?? '';
  return html`<${Group}>
    <${Row} title=${words.override} about=${words.overrideAbout}>
      <${Select} id="effort-override" label=${words.override} value=${chosen}
        options=${[['', words.asAsked], ...EFFORTS.map((effort) => [effort, words.efforts[effort] ?? effort])]}
        onPick=${async (/** @type {string} */ value) => {
          await api.settings.set('models.effort', value || null);
          settings.again();
        }} />
    <//>
  <//>`;
}
