// How it stands: the account and its limits, Claude Code, today, what went wrong last.

import { api } from '../verbs.js';
import { amount, number, share, time } from '../format.js';
import { ClaudeCodeRow } from '../parts/claude_code.js';
import { Group, Meter, Note, Page, Row } from '../parts/layout.js';
import { account as accountWords } from '../parts/account.js';
import { useAsked, useExchanges, useSnapshot } from '../store.js';
import { text } from '../strings.js';
import { html } from '../vendor/ui.js';

/** @typedef {import('../api.d.ts').UsagePoint} UsagePoint */

const words = text.overview;

export function Overview() {
  const snapshot = useSnapshot();
  if (!snapshot) return html`<${Page} title=${words.title} />`;
  const { account, today, accounts, activity, hints, limits } = snapshot;
  const standing = accountWords(account, snapshot);
  const working = activity.running.length > 0 && html`<span class="working small" id="working">${words.working(activity.running.length, activity.tokens_per_second)}</span>`;
  return html`<${Page} title=${words.title} action=${working}>
    <${Group} label=${words.account} id="account">
      <${Row} title=${html`<strong>${standing.title}</strong>`} about=${standing.about}>
        <span class=${standing.tone}>${standing.state}</span>
        ${standing.tone !== 'ok' || accounts.length > 1 ? html`<a class="button" href="#/accounts">${accounts.length > 1 ? words.switchAccount : words.toAccounts}</a>` : null}
      <//>
      ${limits.windows.length > 0 &&
      html`<div class="row"><div class="meters">${limits.windows.map((window) => html`<${Meter} key=${`${window.name} ${window.minutes}`} window=${window} />`)}</div></div>`}
    <//>
    <${Group} label=${words.claudeCode}><${ClaudeCodeRow} /><//>
    <${Group} title=${words.today} end=${html`<a class="small" href="#/usage">${words.usage}</a>`}>
      <div class="row today" id="today">
        ${[
          [amount(today.input_tokens), words.in],
          [share(today.cached_tokens, today.input_tokens), words.cached],
          [amount(today.output_tokens), words.out],
          [number(today.requests), words.requests(today.requests)],
        ].map(([value, name]) => html`<div key=${name}><strong>${value}</strong><span class="muted small">${name}</span></div>`)}
      </div>
      <${Hours} requests=${today.requests} />
    <//>
    <${LastProblem} />
    ${hints.length > 0 && html`<${Group} title=${words.hints} id="hints">${hints.map((hint) => html`<${Row} key=${hint} about=${hint} />`)}<//>`}
  <//>`;
}

/** Tokens per hour since midnight, as small bars; asked again when a request has ended. @param {{ requests: number }} props */
function Hours({ requests }) {
  const midnight = new Date().setHours(0, 0, 0, 0) / 1_000;
  const series = useAsked('hours', (signal) => api.usage({ since: midnight, every: 'hour' }, signal), [requests]);
  const sums = Array.from({ length: 24 }, () => 0);
  for (const point of series.value ?? []) {
    const hour = point.start == null ? -1 : Math.floor((point.start - midnight) / 3_600);
    if (hour >= 0 && hour < 24) sums[hour] += point.input_tokens + point.output_tokens;
  }
  const most = Math.max(...sums, 1);
  const busiest = sums.indexOf(Math.max(...sums));
  const about = sums[busiest] > 0 ? words.hours(amount(sums[busiest]), time(midnight + busiest * 3_600)) : words.noHours;
  return html`<div class="row hours">
    <svg viewBox="0 0 240 32" preserveAspectRatio="none" role="img" aria-label=${about}>
      ${sums.map((sum, hour) => {
        const height = sum > 0 ? Math.max(2, (sum / most) * 32) : 1;
        return html`<rect key=${hour} class=${sum > 0 ? 'some' : ''} x=${hour * 10 + 1} y=${32 - height} width="8" height=${height} />`;
      })}
    </svg>
    <p class="muted small">${about}</p>
  </div>`;
}

/** The newest request that failed, and what to do about it. */
function LastProblem() {
  const problem = useExchanges().value?.find(({ error }) => error != null);
  if (!problem?.error) return null;
  return html`<${Group} title=${words.lastProblem} bare id="last-problem">
    <${Note} tone="warn" action=${html`<a class="button quiet" href=${`#/activity/${problem.id}`}>${words.show}</a>`}>
      <span class="muted">${time(problem.ended_at / 1_000)}</span> <strong>${text.activity.failed(problem.error, problem.status)}</strong> · ${text.activity.todo(problem.error)}
    <//>
  <//>`;
}
