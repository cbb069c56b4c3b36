// What Dragoman writes down about itself, as it happens.

import { api } from '../verbs.js';
import { moment } from '../format.js';
import { Button, Copy, Filter, Select } from '../parts/controls.js';
import { Awaiting, Empty, ErrorNote, Group, Page } from '../parts/layout.js';
import { text } from '../strings.js';
import { html, useEffect, useLayoutEffect, useRef, useState } from '../vendor/ui.js';

/** @typedef {import('../api.d.ts').LogLine} LogLine */
/** @typedef {import('../api.d.ts').LogLevel} LogLevel */

const words = text.logs;
/** So many lines are kept in the page, as in the program. */
const MOST = 2_000;
/** The most important first. @type {LogLevel[]} */
const LEVELS = ['error', 'warn', 'info', 'debug', 'trace'];
/** So many pixels above the last line still follow it. */
const NEAR = 24;

export function Logs() {
  const [filter, setFilter] = useState('');
  const [level, setLevel] = useState(/** @type {LogLevel} */ ('trace'));
  const [round, setRound] = useState(0);
  const { lines, error, quiet } = useLines(round);
  /** What stands still while it is read. */
  const [held, setHeld] = useState(/** @type {LogLine[] | null} */ (null));
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const follows = useRef(true);

  const all = held ?? lines;
  const wanted = filter.trim().toLowerCase();
  const shown = all.filter((line) => LEVELS.indexOf(line.level) <= LEVELS.indexOf(level) && inLine(line).toLowerCase().includes(wanted));
  const last = lines.at(-1)?.number ?? 0;
  const waiting = held ? last - (held.at(-1)?.number ?? 0) : 0;
  useLayoutEffect(() => {
    if (follows.current && list.current) list.current.scrollTop = list.current.scrollHeight;
  }, [shown.length, shown.at(-1)?.number]);

  return html`<${Page} title=${words.title} wide action=${html`
    <${Button} id="hold" onPress=${() => setHeld(held ? null : lines)}>${held ? words.goOn(waiting) : words.pause}<//>
    <${Copy} id="copy-lines" words=${() => shown.map(inLine).join('\n')}>${words.copy}<//>
  `}>
    <div class="line">
      <${Filter} value=${filter} onInput=${setFilter} label=${words.filter} />
      <${Select} id="level" value=${level} label=${words.level} onPick=${setLevel} options=${LEVELS.map((level) => [level, words.levels[level]])} />
    </div>
    ${error != null && html`<${ErrorNote} error=${error} again=${() => setRound((round) => round + 1)} />`}
    <${Group}>
      ${all.length === 0 && !quiet
        ? html`<${Awaiting} words=${words.awaiting} />`
        : shown.length === 0
        ? html`<${Empty} title=${all.length ? words.nothingFound : words.empty}>${all.length ? words.nothingFoundAbout : words.emptyAbout}<//>`
        : html`<div class="log" id="log" ref=${list} tabindex="0" role="log" aria-live="off" aria-label=${words.title}
            onScroll=${() => list.current && (follows.current = list.current.scrollHeight - list.current.scrollTop - list.current.clientHeight < NEAR)}>
            ${shown.map((line) => html`<div key=${line.number} class=${`log-line ${line.level}`}>
              <span class="muted">${moment(line.at)}</span><span class="log-level">${line.level.toUpperCase()}</span><span>${line.text}</span>
            </div>`)}
          </div>`}
    <//>
    <p class="muted small">${words.about}</p>
  <//>`;
}

/** The newest lines, oldest first, drawn once a frame however fast they come. @param {number} round asked anew when it changes */
function useLines(round) {
  const [lines, setLines] = useState(/** @type {LogLine[]} */ ([]));
  const [error, setError] = useState(/** @type {unknown} */ (null));
  /** Nothing came for so long that there seems to be nothing. */
  const [quiet, setQuiet] = useState(false);
  useEffect(() => {
    const end = new AbortController();
    /** @type {LogLine[]} */
    let come = [];
    let frame = 0;
    setLines([]);
    setError(null);
    setQuiet(false);
    const silence = setTimeout(() => setQuiet(true), 1_000);
    const draw = () => {
      const drawn = come;
      [come, frame] = [[], 0];
      setLines((lines) => [...lines, ...drawn].slice(-MOST));
    };
    const tell = (/** @type {LogLine} */ line) => {
      come.push(line);
      frame ||= requestAnimationFrame(draw);
    };
    api.logs(tell, end.signal).then(
      () => setError(new Error(words.ended)),
      (error) => end.signal.aborted || setError(error),
    );
    return () => {
      clearTimeout(silence);
      cancelAnimationFrame(frame);
      end.abort();
    };
  }, [round]);
  return { lines, error, quiet };
}

/** A line as text, with the part of the program that says it. @param {LogLine} line */
const inLine = ({ at, level, target, text }) => `${new Date(at).toISOString()} ${level.toUpperCase()} ${target}: ${text}`;
