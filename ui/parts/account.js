// An account in words.

import { span, time } from '../format.js';
import { text } from '../strings.js';

/** @typedef {import('../api.d.ts').AccountView} AccountView */
/** @typedef {import('../api.d.ts').Snapshot} Snapshot */

const words = text.account;

/** What people call it: no two are called the same. @param {AccountView} account @param {Snapshot | null} snapshot */
export const called = ({ id, name, label }, snapshot) => snapshot?.names[id] ?? name ?? label ?? id;

/** @param {AccountView} account @param {Snapshot | null} snapshot @returns {{ title: string, about: string, state: string, tone: 'ok' | 'warn' | 'bad' | 'muted' }} */
export function account(account, snapshot) {
  const { kind, label, name, state, rest, paused } = account;
  if (kind === 'demo') return { title: words.demo, about: words.demoAbout, state: words.ready, tone: 'ok' };
  if (state.state === 'none') return { title: words.none, about: words.noneAbout, state: '', tone: 'muted' };
  const plan = account.plan && capital(account.plan);
  const who = name == null && label == null ? '' : called(account, snapshot);
  const sort = kind === 'api_key' ? words.apiKey : [words.chatGpt, !who.endsWith(`(${plan})`) && plan].filter(Boolean).join(' ');
  const title = [sort, who].filter(Boolean).join(' · ');
  const about = [name ? label : null, words.kinds[kind]].filter(Boolean).join(' · ');
  if (state.state === 'sign_in') return { title, about: state.message, state: words.signIn, tone: 'bad' };
  if (state.state === 'locked') return { title, about: state.message, state: words.locked, tone: 'warn' };
  if (paused) return { title, about, state: words.paused, tone: 'muted' };
  const now = Date.now() / 1_000;
  if (rest?.until && rest.until > now) return { title, about, state: words.rests(time(rest.until), span(rest.until - now)), tone: 'warn' };
  if (rest) return { title, about, state: words.restsOpen, tone: 'warn' };
  return { title, about, state: words.ready, tone: 'ok' };
}

/** @param {string} word */
const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);
