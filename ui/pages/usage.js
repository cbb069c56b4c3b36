// What was used, from the history on this machine: three charts, and the same numbers as tables.

import { api } from '../verbs.js';
import { amount, date, number, percent, share, time } from '../format.js';
import { Chart, stacked } from '../parts/chart.js';
import { Button, Select, Toggle } from '../parts/controls.js';
import { Ask, Awaiting, Empty, ErrorNote, Group, Page, Row, Table } from '../parts/layout.js';
import { told, useAsked, useKept, useSnapshot } from '../store.js';
import { text } from '../strings.js';
import { html, useMemo, useState } from '../vendor/ui.js';

/** @typedef {import('../api.d.ts').UsagePoint} Point */
/** @typedef {import('../api.d.ts').LimitPoint} LimitPoint */

const words = text.usage;
const DAY = 86_400;
/** Models with a colour of their own; the others share one. */
const COLOURED = 4;

export function Usage() {
  const snapshot = useSnapshot();
  const [days, setDays] = useKept('usage-days', '30');
  const [by, setBy] = useKept('usage-by', 'model');
  const [tables, setTables] = useKept('usage-tables', 'no');
  const [deleting, setDeleting] = useState(false);
  const since = useMemo(() => new Date().setHours(0, 0, 0, 0) / 1_000 - (Number(days) - 1) * DAY, [days]);
  const ended = (snapshot?.activity.requests_total ?? 0) - (snapshot?.activity.running.length ?? 0);
  const usage = useAsked(`usage ${days} ${by}`, (signal) => api.usage({ since, every: 'day', by: by === 'account' ? 'account' : 'model' }, signal), [ended]);
  const limits = useAsked(`limits ${days}`, (signal) => api.limits(since, signal), [ended]);
  const points = usage.value ?? [];
  const asTables = tables === 'yes';
  const error = usage.error ?? limits.error;
  const names = by === 'account' ? (snapshot?.names ?? {}) : {};
  return html`<${Page} title=${words.title} action=${html`
    <${Select} value=${days} label=${words.range} options=${words.ranges} onPick=${setDays} />
    <${Select} value=${by} label=${words.by} options=${words.bys} onPick=${setBy} />
    <label class="line"><${Toggle} on=${asTables} id="as-tables" label=${words.asTables} onFlip=${(/** @type {boolean} */ on) => setTables(on ? 'yes' : 'no')} /><span aria-hidden="true">${words.asTables}</span></label>
  `}>
    ${error != null && html`<${ErrorNote} error=${error} again=${() => (usage.again(), limits.again())} />`}
    ${!usage.value
      ? !usage.error && html`<${Group}><${Awaiting} words=${words.awaiting} /><//>`
      : points.length === 0
      ? html`<${Group}><${Empty} title=${words.empty}>${words.emptyAbout}<//><//>`
      : html`<${Charts} points=${points} limits=${limits.value ?? []} names=${names} asTables=${asTables} since=${since} days=${Number(days)} />`}
    ${usage.value &&
    html`<${Group}>
      <${Row} title=${words.keep} about=${words.keepAbout}>
        <${Button} kind="danger" onPress=${() => setDeleting(true)} disabled=${points.length === 0}>${words.delete}<//>
      <//>
    <//>`}
    ${deleting &&
    html`<${Ask} title=${words.deleteTitle} yes=${words.delete} onClose=${() => setDeleting(false)} onYes=${async () => {
      await api.deleteHistory();
      usage.again();
      limits.again();
      told(words.deleted);
    }}><p>${words.deleteAbout}</p><//>`}
  <//>`;
}

/** @param {{ points: Point[], limits: LimitPoint[], names: Record<string, string>, asTables: boolean, since: number, days: number }} props */
function Charts({ points, limits, names, asTables, since, days }) {
  const midnights = Array.from({ length: days }, (_, at) => new Date((since + at * DAY + DAY / 2) * 1_000).setHours(0, 0, 0, 0) / 1_000);
  const at = new Map(midnights.map((midnight, index) => [midnight, index]));
  const keys = [...new Set(points.map(({ key }) => key ?? ''))];
  const total = (/** @type {string} */ key) => points.filter((point) => (point.key ?? '') === key).reduce((sum, point) => sum + tokens(point), 0);
  keys.sort((one, other) => total(other) - total(one));
  const own = keys.slice(0, keys.length > COLOURED + 1 ? COLOURED : COLOURED + 1);
  const rows = own.map((key) => ({ name: names[key] ?? (key || words.unknown), values: midnights.map(() => 0) }));
  if (own.length < keys.length) rows.push({ name: words.others, values: midnights.map(() => 0) });
  const [input, cached] = [midnights.map(() => 0), midnights.map(() => 0)];
  for (const point of points) {
    const index = at.get(point.start ?? -1);
    if (index === undefined) continue;
    const row = own.indexOf(point.key ?? '');
    rows[row < 0 ? rows.length - 1 : row].values[index] += tokens(point);
    input[index] += point.input_tokens;
    cached[index] += point.cached_tokens;
  }
  const shares = midnights.map((_, index) => (input[index] > 0 ? (cached[index] / input[index]) * 100 : null));
  const all = rows.reduce((sum, { values }) => sum + values.reduce((sum, value) => sum + value, 0), 0);
  const allInput = input.reduce((sum, value) => sum + value, 0);
  const overall = share(cached.reduce((sum, value) => sum + value, 0), allInput);
  const windows = lines(limits, names);
  const latest = midnights.map((midnight, index) => ({ midnight, index })).reverse();
  const used = latest.filter(({ index }) => rows.some(({ values }) => values[index] > 0));
  if (asTables)
    return html`
      <${Group} title=${words.tokens} end=${html`<span class="muted small">${words.sum(amount(all))}</span>`}>
        <${Table} caption=${words.tokens} head=${[{ words: words.day }, ...rows.map(({ name }) => ({ words: name, end: true }))]}>
          ${used.map(({ midnight, index }) => html`<tr key=${midnight}><th scope="row" class="nowrap">${date(midnight)}</th>${rows.map(({ name, values }) => html`<td key=${name} class="end">${number(values[index])}</td>`)}</tr>`)}
        <//>
      <//>
      <${Group} title=${words.cachedShare} end=${html`<span class="muted small">${words.overall(overall)}</span>`}>
        <${Table} caption=${words.cachedShare} head=${[{ words: words.day }, { words: words.in, end: true }, { words: words.cached, end: true }, { words: words.share, end: true }]}>
          ${used.map(({ midnight, index }) => html`<tr key=${midnight}><th scope="row" class="nowrap">${date(midnight)}</th><td class="end">${number(input[index])}</td><td class="end">${number(cached[index])}</td><td class="end">${share(cached[index], input[index])}</td></tr>`)}
        <//>
      <//>
      <${Group} title=${words.limits}>
        <${Table} caption=${words.limits} head=${[{ words: words.when }, { words: words.limit }, { words: words.used, end: true }]}>
          ${limits.slice(-200).reverse().map((point, index) => html`<tr key=${index}><th scope="row" class="nowrap">${time(point.read_at)}</th><td>${text.limits.window(point.minutes)}${point.name ? ` · ${point.name}` : ''}</td><td class="end">${percent(point.used_percent)}</td></tr>`)}
        <//>
      <//>
    `;
  return html`
    <${Group} title=${words.tokens} end=${html`<span class="muted small">${words.sum(amount(all))}</span>`}>
      <${Chart} label=${words.tokensLabel(amount(all), days)} times=${midnights} series=${stacked(rows)} bars format=${number} axis=${amount} />
    <//>
    <${Group} title=${words.cachedShare} end=${html`<span class="muted small">${words.overall(overall)}</span>`}>
      <${Chart} label=${words.cachedLabel(overall)} times=${midnights} series=${[{ name: words.share, values: shares }]} bars max=${100} format=${percent} />
    <//>
    <${Group} title=${words.limits}>
      ${windows.times.length > 1
        ? html`<${Chart} label=${words.limitsLabel} times=${windows.times} series=${windows.series} step max=${100} format=${percent} />`
        : html`<${Empty} title=${words.noLimits}>${words.noLimitsAbout}<//>`}
    <//>
  `;
}

/** @param {Point} point */
const tokens = (point) => point.input_tokens + point.output_tokens;

/** One line for each window of each account, over the times of all readings. @param {LimitPoint[]} limits @param {Record<string, string>} names */
function lines(limits, names) {
  const times = [...new Set(limits.map(({ read_at }) => read_at))].sort((one, other) => one - other);
  const place = new Map(times.map((time, at) => [time, at]));
  const several = new Set(limits.map(({ account }) => account)).size > 1;
  /** @type {Map<string, (number | null)[]>} */
  const series = new Map();
  for (const { account, name, minutes, read_at, used_percent } of limits) {
    const label = [text.limits.window(minutes), name, several && (names[account] ?? account)].filter(Boolean).join(' · ');
    if (!series.has(label)) series.set(label, times.map(() => null));
    const values = series.get(label);
    if (values) values[place.get(read_at) ?? 0] = used_percent;
  }
  // A window stays as full as it was read until the next reading.
  for (const values of series.values()) values.forEach((value, at) => (values[at] = value ?? values[at - 1] ?? null));
  return { times, series: [...series].map(([name, values], place) => ({ name, values, place })) };
}
