// An account in words.

import { span, time } from '../format.js';
import { text } from '../strings.js';

/** @typedef {import('../api.d.ts').AccountView} AccountView */

const words = text.account;

/** @param {AccountView} account @returns {{ title: string, about: string, state: string, tone: 'ok' | 'warn' | 'bad' | 'muted' }} */
export function account(account) {
  const { kind, label, name, plan, state, rest, paused } = account;
  if (kind === 'demo') return { title: words.demo, about: words.demoAbout, state: words.ready, tone: 'ok' };
  if (state.state === 'none') return { title: words.none, about: words.noneAbout, state: '', tone: 'muted' };
  const sort = kind === 'api_key' ? words.apiKey : [words.chatGpt, plan && capital(plan)].filter(Boolean).join(' ');
  const title = [sort, name ?? label].filter(Boolean).join(' · ');
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
