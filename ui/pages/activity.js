// The requests, those that run and those that ended, newest first; and one that ended in detail: with both sides, if it
// was recorded.

import { api } from '../verbs.js';
import { amount, moment, number, size, took } from '../format.js';
import { Button, Copy, Filter, Toggle } from '../parts/controls.js';
import { Awaiting, Dialog, Empty, ErrorNote, Group, Note, Page, Row, useKeys } from '../parts/layout.js';
import { Sides } from '../parts/sides.js';
import { useAsked, useExchanges, useNow, useSnapshot } from '../store.js';
import { text, units } from '../strings.js';
import { html, useState } from '../vendor/ui.js';

/** @typedef {import('../api.d.ts').Exchange} Exchange */
/** @typedef {import('../api.d.ts').Ongoing} Ongoing */

const words = text.activity;

/** @param {{ id: string | undefined }} props */
export const Activity = ({ id }) => (id ? html`<${Detail} key=${id} id=${id} />` : html`<${List} />`);

function List() {
  const snapshot = useSnapshot();
  const [filter, setFilter] = useState('');
  const list = useExchanges();
  const ended = list.value ?? [];
  const all = inOrder(snapshot?.activity.running ?? [], ended);
  const shown = all.filter((request) => inLine(request).toLowerCase().includes(filter.trim().toLowerCase()));
  return html`<${Page} title=${words.title} wide action=${html`<${Filter} value=${filter} onInput=${setFilter} label=${words.filter} />`}>
    ${list.error != null && html`<${ErrorNote} error=${list.error} again=${list.again} />`}
    <${Recording} ended=${ended[0]?.id} />
    <${Group} title=${words.requests} end=${html`<span class="muted small" id="running">${words.count(all.length - ended.length, ended.length)}</span>`}>
      ${!list.value
        ? !list.error && html`<${Awaiting} words=${words.awaiting} />`
        : shown.length === 0
        ? html`<${Empty} title=${all.length ? words.nothingFound : words.empty}>${all.length ? words.nothingFoundAbout : words.emptyAbout}<//>`
        : html`
            <div class="request request-head muted small" aria-hidden="true">
              <span>${words.time}</span><span>${words.models}</span><span class="end">${words.tokens}</span><span class="end">${words.times}</span><span>${words.status}</span>
            </div>
            <ul class="requests" id="requests" onKeyDown=${walk}>
              ${shown.map((request) => html`<li key=${request.id}>${hasEnded(request) ? html`<${Ended} exchange=${request} />` : html`<${Running} ongoing=${request} />`}</li>`)}
            </ul>
          `}
    <//>
  <//>`;
}

/** Whether contents are kept, and how many are. @param {{ ended: string | undefined }} props `ended`: the newest request */
function Recording({ ended }) {
  const asked = useAsked('recording', api.activity.recording, [ended]);
  const state = asked.value;
  const about = state && (state.on ? words.recordOn(number(state.exchanges), size(state.bytes), size(state.most_bytes)) : words.recordOff);
  return html`<${Group} label=${words.record}>
    <${Row} title=${words.record} about=${about} id="recording">
      ${state && html`<${Toggle} id="record" on=${state.on} label=${words.record} onFlip=${async (/** @type {boolean} */ on) => asked.put(await api.activity.record(on))} />`}
    <//>
  <//>`;
}

/** Up and down the list with the arrow keys. @param {KeyboardEvent} event */
function walk(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || !(event.target instanceof HTMLElement)) return;
  const links = [.../** @type {HTMLElement} */ (event.currentTarget).querySelectorAll('a')];
  const next = links[links.indexOf(/** @type {any} */ (event.target)) + step];
  if (next) {
    event.preventDefault();
    next.focus();
  }
}

/** What a row says from the beginning. @param {{ request: Exchange | Ongoing }} props */
const Asked = ({ request }) => html`
  <span><span>${moment(beganAt(request))}</span><span class="muted small cut">${request.client || words.someone}</span></span>
  <span>
    <span class="cut">${request.model}</span>
    <span class="muted small cut">→ ${answered(request)}</span>
    <span class="muted small cut">${words.decided(request.decider)}</span>
  </span>
`;

/** @param {{ ongoing: Ongoing }} props */
function Running({ ongoing }) {
  const now = useNow(1);
  const first = ongoing.first_output_ms;
  return html`<div class="request">
    <${Asked} request=${ongoing} />
    <span class="end"><span class="muted">${text.none}</span></span>
    <span class="end"><span>${units.seconds(number(Math.max(0, now - ongoing.began_at / 1_000)))}</span><span class="muted small">${first == null ? words.waits : words.first(took(first))}</span></span>
    <span><span class="working">${words.running}</span></span>
  </div>`;
}

/** @param {{ exchange: Exchange }} props */
function Ended({ exchange }) {
  const { tokens } = exchange;
  const state = standing(exchange);
  return html`<a class="request" href=${`#/activity/${exchange.id}`}>
    <${Asked} request=${exchange} />
    <span class="end">${tokens
      ? html`<span>${words.inOut(amount(tokens.input), amount(tokens.output))}</span><span class="muted small">${words.cached(amount(tokens.cached))}</span>`
      : html`<span class="muted">${text.none}</span>`}</span>
    <span class="end"><span>${took(exchange.duration_ms)}</span><span class="muted small">${words.first(took(exchange.first_output_ms))}</span></span>
    <span><span class=${state.tone}>${state.words}</span><span class="muted small">${exchange.notes_in_all > 0 ? words.notes(exchange.notes_in_all) : ''}</span></span>
  </a>`;
}

/** @param {{ id: string }} props */
function Detail({ id }) {
  const asked = useAsked(`activity ${id}`, (signal) => api.activity.one(id, signal));
  const recorded = useAsked(`recorded ${id}`, (signal) => api.activity.recorded(id, signal));
  useKeys((event) => {
    if (event.key === 'Escape' && !document.querySelector('dialog[open]')) location.hash = '#/activity';
  });
  const exchange = asked.value;
  const back = html`<a class="button" href="#/activity">${words.back}</a>`;
  if (!exchange)
    return html`<${Page} title=${words.detail} action=${back}>${asked.error != null && html`<${ErrorNote} error=${asked.error} again=${asked.again} />`}<//>`;
  const { tokens } = exchange;
  const state = standing(exchange);
  /** @type {[string, string][]} */
  const facts = [
    [words.at, moment(exchange.ended_at)],
    [words.result, state.words],
    [words.client, exchange.client || words.someone],
    [words.asked, exchange.model],
    [words.answered, answered(exchange)],
    [words.rule, words.decided(exchange.decider)],
    [words.firstOutput, took(exchange.first_output_ms)],
    [words.duration, took(exchange.duration_ms)],
    [words.tokensInAll, tokens ? words.tokensLong(number(tokens.input), number(tokens.cached), number(tokens.output)) : text.none],
  ];
  return html`<${Page} title=${words.detail} wide action=${html`${recorded.value && html`<${Export} id=${id} obstacle=${recorded.value.obstacle} />`}${back}`}>
    ${exchange.error && html`<${Note} tone="warn"><strong>${state.words}</strong> · ${words.todo(exchange.error)}<//>`}
    <${Group}><dl class="facts pad" id="facts">${facts.map(([name, value]) => html`<div key=${name}><dt class="muted small">${name}</dt><dd>${value}</dd></div>`)}</dl><//>
    <${Notes} exchange=${exchange} />
    ${recorded.value
      ? html`<${Sides} recorded=${recorded.value} notes=${exchange.notes} />`
      : !recorded.asking && html`<${Group}><${Empty} title=${words.notRecorded}>${words.notRecordedAbout}<//><//>`}
  <//>`;
}

/** Makes a case of it, and says where it lies. @param {{ id: string, obstacle: string | null }} props */
function Export({ id, obstacle }) {
  const [exported, setExported] = useState(/** @type {import('../api.d.ts').Exported | null} */ (null));
  const [why, setWhy] = useState(false);
  const press = async () => (obstacle ? setWhy(true) : setExported(await api.activity.export(id)));
  return html`<${Button} id="export" onPress=${press}>${words.export}<//>
    ${exported && html`<${Dialog} id="exported" title=${words.exported} onClose=${() => setExported(null)}
      actions=${html`<${Copy} words=${() => exported.directory} /><${Button} onPress=${() => setExported(null)}>${text.done}<//>`}>
      <p>${words.exportedAbout(exported.files.length)}</p>
      <pre class="code">${exported.directory}</pre>
      ${!exported.whole && html`<${Note} tone="warn">${words.notWhole}<//>`}
    <//>`}
    ${why && html`<${Dialog} id="obstacle" title=${words.notExported} onClose=${() => setWhy(false)} actions=${html`<${Button} onPress=${() => setWhy(false)}>${text.close}<//>`}>
      <p>${words.because(obstacle ?? '')}</p>
    <//>`}`;
}

/** What was changed or left out on the way. @param {{ exchange: Exchange }} props */
function Notes({ exchange: { notes, notes_in_all: all } }) {
  return html`<${Group} title=${words.changed} id="notes" end=${all > notes.length && html`<span class="muted small">${words.firstOf(notes.length, all)}</span>`}>
    ${notes.length === 0
      ? html`<${Empty} title=${words.unchanged}>${words.unchangedAbout}<//>`
      : notes.map(({ what, place, detail }, at) => html`<${Row} key=${at} title=${html`${words.what[what]} · <code>${place}</code>`} about=${detail} />`)}
  <//>`;
}

/** One list, newest first by when they came: a row stays where it is when its request ends. @param {Ongoing[]} running @param {Exchange[]} ended @returns {(Exchange | Ongoing)[]} */
function inOrder(running, ended) {
  const told = new Set(ended.map(({ id }) => id));
  return [...running.filter(({ id }) => !told.has(id)), ...ended].sort((one, other) => beganAt(other) - beganAt(one));
}

/** @param {Exchange | Ongoing} request @returns {request is Exchange} */
const hasEnded = (request) => 'ended_at' in request;

/** @param {Exchange | Ongoing} request milliseconds since 1970 */
const beganAt = (request) => (hasEnded(request) ? request.ended_at - request.duration_ms : request.began_at);

/** @param {Exchange | Ongoing} request */
const answered = (request) => (hasEnded(request) && request.effort ? `${request.upstream_model} · ${request.effort}` : request.upstream_model);

/** @param {Exchange} exchange @returns {{ words: string, tone: string }} */
function standing({ status, error }) {
  if (status === 499) return { words: words.left, tone: 'muted' };
  return status < 400 && !error ? { words: words.ok, tone: 'ok' } : { words: words.failed(error ?? '', status), tone: 'bad' };
}

/** What the filter looks at. @param {Exchange | Ongoing} request */
const inLine = (request) =>
  [request.client, request.session, request.model, answered(request), words.decided(request.decider), request.id]
    .concat(hasEnded(request) ? [standing(request).words, String(request.status)] : [words.running])
    .join(' ');
