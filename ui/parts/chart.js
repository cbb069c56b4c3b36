// One chart: uPlot, dressed in the page's colours, as wide as its place. What it shows is also there as a table.

import { date, time } from '../format.js';
import { html, useEffect, useRef, useState } from '../vendor/ui.js';

/**
 * @typedef {{ name: string, values: (number | null)[], shown?: (number | null)[], place?: number }} Series `values` are
 *   drawn; `shown` are the numbers that stand for them, if those differ (stacked bars); `place` picks the colour
 * @typedef {{ label: string, times: number[], series: Series[], bars?: boolean, max?: number,
 *   format: (value: number) => string, axis?: (value: number) => string, step?: boolean }} ChartProps
 */

const COLOURS = ['--accent', '--series-2', '--series-3', '--series-4', '--muted'];
const HEIGHT = 168;
const DAY = 86_400;

/**
 * The library, loaded with the first chart. It asks for the browser's language as it loads and fails where that is none:
 * WebKit calls it "C" on a Linux without a language.
 */
async function library() {
  try {
    new Intl.NumberFormat(navigator.language);
  } catch {
    Object.defineProperty(navigator, 'language', { value: 'en', configurable: true });
  }
  return (await import('../vendor/uplot.js')).default;
}

/** A token as the colour that it is now: the canvas knows no variables. @param {HTMLElement} host @param {string} token */
function colour(host, token) {
  const probe = document.createElement('span');
  probe.style.color = `var(${token})`;
  host.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/** Changes when the page's colours do. */
function useColours() {
  const [round, setRound] = useState(0);
  useEffect(() => {
    const changed = () => setRound((round) => round + 1);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const chosen = new MutationObserver(changed);
    chosen.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    dark.addEventListener('change', changed);
    return () => {
      chosen.disconnect();
      dark.removeEventListener('change', changed);
    };
  }, []);
  return round;
}

/** @param {ChartProps} props */
export function Chart({ label, times, series, bars = false, max, format, axis = format, step = false }) {
  const host = useRef(/** @type {HTMLElement | null} */ (null));
  const colours = useColours();
  const shape = JSON.stringify([times, series]);
  useEffect(() => {
    const element = host.current;
    if (!element) return;
    /** @type {InstanceType<Awaited<ReturnType<typeof library>>> | null} */
    let chart = null;
    let gone = false;
    library().then((UPlot) => {
      if (!gone) chart = drawn(UPlot, element);
    });
    const size = new ResizeObserver(() => chart?.setSize({ width: element.clientWidth, height: HEIGHT }));
    size.observe(element);
    return () => {
      gone = true;
      size.disconnect();
      chart?.destroy();
    };
  }, [shape, colours]);

  return html`<div class="chart" ref=${host} role="img" aria-label=${label}></div>`;

  /** @param {Awaited<ReturnType<typeof library>>} UPlot @param {HTMLElement} element */
  function drawn(UPlot, element) {
    const [text, line] = [colour(element, '--muted'), colour(element, '--line')];
    const font = `11px ${getComputedStyle(document.body).fontFamily}`;
    const paths = bars ? UPlot.paths.bars?.({ size: [0.7, 48], align: 0 }) : step ? UPlot.paths.stepped?.({ align: 1 }) : undefined;
    const common = { stroke: text, font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
    return new UPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
        legend: { live: true },
        scales: {
          x: { range: (_, low, high) => (bars ? [low - DAY * 0.6, high + DAY * 0.6] : [low, high]) },
          y: { range: (_, __, high) => [0, max ?? Math.max(high * 1.05, 1)] },
        },
        axes: [
          { ...common, grid: { show: false }, size: 24, values: (_, values) => values.map(date) },
          { ...common, size: 56, values: (_, values) => values.map((value) => axis(value)) },
        ],
        series: [
          { label: '', value: (_, at) => (at == null ? '' : bars ? date(at) : time(at)) },
          ...series.map(({ name, shown, place = 0 }) => {
            const tone = colour(element, COLOURS[place % COLOURS.length]);
            return {
              label: name,
              stroke: tone,
              fill: bars ? tone : undefined,
              width: bars ? 0 : 2,
              paths,
              points: { show: !bars && times.length < 3, size: 5 },
              value: (/** @type {unknown} */ _, /** @type {number | null} */ value, /** @type {unknown} */ __, /** @type {number | null} */ index) => {
                const real = shown && index != null ? shown[index] : value;
                return real == null ? '–' : format(real);
              },
            };
          }),
        ],
      },
      [times, ...series.map(({ values }) => values)],
      element,
    );
  }
}

/** Bars on top of each other: what is drawn is the sum so far, the last series first. @param {Series[]} series @returns {Series[]} */
export function stacked(series) {
  const sums = (series[0]?.values ?? []).map(() => 0);
  const heights = series.map(({ values }) => values.map((value, at) => (sums[at] += value ?? 0)));
  return series.map(({ name, values }, at) => ({ name, values: heights[at], shown: values, place: at })).reverse();
}
