// What the page knows, in one value that components watch: the snapshot, whether it is still true, and what hangs over
// the page (a notice, a dialog's answer). The last snapshot is remembered, so that a page paints at once.

import { api } from './verbs.js';
import { backend, Trouble } from './backend.js';
import { text } from './strings.js';
import { useEffect, useRef, useState } from './vendor/ui.js';

/** @typedef {import('./api.d.ts').Snapshot} Snapshot */
/** @typedef {{ words: string, undo?: () => Promise<unknown> }} Toast */
/** @typedef {import('./api.d.ts').SetUpStatus} SetUpStatus */
/** @typedef {import('./api.d.ts').Exchange} Exchange */
/** @typedef {{ snapshot: Snapshot | null, setUp: SetUpStatus | null, live: boolean, lost: Trouble | null,
 *   notice: string | null, toast: Toast | null, ended: Exchange[] }} State `ended`: requests, since we are told, newest first */

const REMEMBERED = 'dragoman.snapshot';
const SET_UP = 'dragoman.set-up';
/** So many requests are kept, as in the program. */
const EXCHANGES = 200;

/** @type {State} */
let state = {
  snapshot: remembered(REMEMBERED),
  setUp: remembered(SET_UP),
  live: false,
  lost: null,
  notice: null,
  toast: null,
  ended: [],
};
/** @type {Set<() => void>} */
const watchers = new Set();

/** @param {Partial<State>} change */
function change(change) {
  state = { ...state, ...change };
  for (const tell of watchers) tell();
}

/** A part of the state; the component is drawn anew when that part changes. @template T @param {(state: State) => T} part @returns {T} */
export function useStore(part) {
  const [, draw] = useState(0);
  const last = useRef(/** @type {{ value: T } | null} */ (null));
  last.current = { value: part(state) };
  useEffect(() => {
    const tell = () => {
      if (last.current?.value !== part(state)) draw((count) => count + 1);
    };
    watchers.add(tell);
    tell();
    return () => void watchers.delete(tell);
  }, []);
  return last.current.value;
}

export const useSnapshot = () => useStore((state) => state.snapshot);

/** The newest snapshot, for what happens outside of drawing. */
export const snapshot = () => state.snapshot;

/** @param {string} key */
function remembered(key) {
  try {
    return JSON.parse(localStorage.getItem(key) ?? 'null');
  } catch {
    return null;
  }
}

/** Forgets what the program was like; false if nothing was known. */
export function forgetState() {
  const known = [REMEMBERED, SET_UP].filter((key) => localStorage.getItem(key) !== null);
  known.forEach((key) => localStorage.removeItem(key));
  return known.length > 0;
}

/** @param {string} key @param {unknown} value */
function remember(key, value) {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // A full or forbidden store only costs the first paint of the next start.
  }
}

/** @param {Snapshot} snapshot */
function take(snapshot) {
  if (!state.live) {
    readSetUp();
    change({ ended: [] }); // it may be another program than before
  }
  // With the switch Claude Code comes and goes; it is also set up elsewhere, in the tray for example.
  else if (state.snapshot?.server.state !== snapshot.server.state || state.snapshot.claude_code !== snapshot.claude_code) readSetUp();
  change({ snapshot, live: true, lost: null });
  remember(REMEMBERED, snapshot);
}

/** How Claude Code is set up is read from its file: at the start, when it was changed, and when the switch was turned. */
export async function readSetUp() {
  try {
    const { status: setUp } = await api.claudeCode.status();
    change({ setUp });
    remember(SET_UP, setUp);
  } catch {
    // What was known stays on the page; the next look asks again.
  }
}

/** Follows the program's state for as long as the page lives. */
export async function follow() {
  backend.onNotice((notice) => change({ notice }));
  backend.notice().then((notice) => change({ notice }));
  for (let pause = 500; ; pause = Math.min(pause * 2, 8_000)) {
    try {
      await api.watch((event) => {
        pause = 500;
        if (event.type === 'snapshot') take(event.snapshot);
        if (event.type === 'exchange') change({ ended: [event.exchange, ...state.ended].slice(0, EXCHANGES) });
      }, new AbortController().signal);
      change({ live: false });
    } catch (error) {
      change({ live: false, lost: error instanceof Trouble ? error : new Trouble('') });
    }
    await new Promise((wake) => setTimeout(wake, pause));
  }
}

// === what is said once ===

let forget = 0;

/** Tells what was done, for a while, with a way back if there is one. @param {string} words @param {() => Promise<unknown>} [undo] */
export function told(words, undo) {
  say({ words, undo }, undo ? 12_000 : 5_000);
}

/** Tells what went wrong, long enough to be read. @param {unknown} error */
export function complain(error) {
  say({ words: inWords(error) }, 20_000);
}

/** @param {Toast} toast @param {number} milliseconds */
function say(toast, milliseconds) {
  clearTimeout(forget);
  change({ toast });
  announce(toast.words);
  forget = window.setTimeout(dismiss, milliseconds);
}

export function dismiss() {
  clearTimeout(forget);
  change({ toast: null });
}

/** To people who don't see the page. @param {string} words */
export function announce(words) {
  const live = document.getElementById('live');
  if (live) live.textContent = words;
}

/** An error as the sentence for the page. @param {unknown} error */
export function inWords(error) {
  if (!(error instanceof Trouble)) return error instanceof Error ? error.message : String(error);
  if (error.status === 401) return text.trouble.signedOut;
  return error.message || (error.status ? text.trouble.unreadable(error.status) : text.trouble.offline);
}

// === things that are asked for, not told ===

/** @type {Map<string, unknown>} */
const known = new Map();

/**
 * Something that is asked for when a page opens. What was known last is there at once.
 * @template T
 * @param {string} name of what is asked
 * @param {(signal: AbortSignal) => Promise<T>} ask
 * @param {unknown[]} when ask again if one of these changes
 * @returns {{ value: T | undefined, error: unknown, asking: boolean, again: () => void, put: (value: T) => void }}
 */
export function useAsked(name, ask, when = []) {
  const [, draw] = useState(0);
  const [round, setRound] = useState(0);
  const state = useRef({ error: /** @type {unknown} */ (null), asking: true });
  useEffect(() => {
    const end = new AbortController();
    const settle = (/** @type {unknown} */ error) => {
      if (end.signal.aborted) return;
      state.current = { error, asking: false };
      draw((count) => count + 1);
    };
    state.current = { ...state.current, asking: true };
    ask(end.signal).then(
      (value) => {
        if (!end.signal.aborted) known.set(name, value);
        settle(null);
      },
      (error) => settle(error),
    );
    return () => end.abort();
  }, [name, round, ...when]);
  return {
    value: /** @type {T | undefined} */ (known.get(name)),
    ...state.current,
    again: () => setRound((round) => round + 1),
    put: (value) => {
      known.set(name, value);
      draw((count) => count + 1);
    },
  };
}

/** All settings, with a way to ask again. */
export const useSettings = () => useAsked('settings', api.settings.list);

/** The requests that have ended, newest first: those that there were, and each when it ends. */
export function useExchanges() {
  const ended = useStore((state) => state.ended);
  const live = useStore((state) => state.live);
  const list = useAsked('activity', api.activity.list, [live]);
  const told = new Set(ended.map(({ id }) => id));
  const before = list.value?.filter(({ id }) => !told.has(id));
  return { ...list, value: before && [...ended, ...before].slice(0, EXCHANGES) };
}

/** Seconds since 1970, drawn anew every so many seconds. @param {number} every */
export function useNow(every = 20) {
  const [now, setNow] = useState(() => Date.now() / 1_000);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now() / 1_000), every * 1_000);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}

/** A choice of this page alone, remembered in this browser. @param {string} name @param {string} otherwise @returns {[string, (value: string) => void]} */
export function useKept(name, otherwise) {
  const key = `dragoman.${name}`;
  const [value, setValue] = useState(() => localStorage.getItem(key) ?? otherwise);
  return [
    value,
    (value) => {
      localStorage.setItem(key, value);
      setValue(value);
    },
  ];
}
