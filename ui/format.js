// Numbers and times as the user's locale writes them. Pure; the words around them are in strings.js.

import { units } from './strings.js';

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const clockWithSeconds = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'short', hour: '2-digit', minute: '2-digit' });
const dayAndTime = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });

/** Every digit, grouped. @param {number} value */
export const number = (value) => whole.format(value);

/** `213`, `48 k`, `1.9 M`. @param {number} value */
export function amount(value) {
  if (value < 1_000) return whole.format(value);
  if (value < 999_500) return units.thousand(short.format(value / 1_000));
  return units.million(short.format(value / 1_000_000));
}

/** @param {number} value from 0 to 100 */
export const percent = (value) => units.percent(whole.format(value));

/** A share of 1 as percent; a dash without a whole. @param {number} part @param {number} all */
export const share = (part, all) => (all > 0 ? percent((part / all) * 100) : units.none);

/** `16:10`, with the day's name or date if it is not today. @param {number} at unix seconds @param {number} now unix seconds */
export function time(at, now = Date.now() / 1_000) {
  const [there, here] = [new Date(at * 1_000), new Date(now * 1_000)];
  if (there.toDateString() === here.toDateString()) return clock.format(there);
  return (Math.abs(at - now) < 6 * 86_400 ? weekday : dayAndTime).format(there);
}

/** With seconds, for lists of things that happened today. @param {number} milliseconds since 1970 */
export const moment = (milliseconds) => clockWithSeconds.format(new Date(milliseconds));

/** @param {number} bytes */
export const size = (bytes) => units.megabytes(short.format(bytes / (1 << 20)));

/** @param {number} at unix seconds */
export const date = (at) => day.format(new Date(at * 1_000));

/** `3 d 4 h`, `1 h 12 min`, `12 min`; two units at most, rounded up. @param {number} seconds */
export function span(seconds) {
  const minutes = Math.max(1, Math.ceil(seconds / 60));
  const [days, hours, rest] = [Math.floor(minutes / 1_440), Math.floor(minutes / 60) % 24, minutes % 60];
  if (days > 0) return units.join(units.days(days), hours ? units.hours(hours) : '');
  if (hours > 0) return units.join(units.hours(hours), rest ? units.minutes(rest) : '');
  return units.minutes(rest);
}

/** How long something took. @param {number | null | undefined} milliseconds */
export function took(milliseconds) {
  if (milliseconds == null) return units.none;
  if (milliseconds < 1_000) return units.milliseconds(whole.format(milliseconds));
  if (milliseconds < 60_000) return units.seconds(short.format(milliseconds / 1_000));
  return span(milliseconds / 1_000);
}
