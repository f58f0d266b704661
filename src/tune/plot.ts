import { document, places, rounded, text } from '../benchmark/svg.ts';
import { short } from '../benchmark/table.ts';
import { frontier, type Measured } from './curve.ts';
import { settingText, type Setting } from './setting.ts';

/** A plot of what `carpool tune` measured: answers a second against latency, with the limit, the curve of the best and the chosen setting. */

const WIDTH = 760;
const HEIGHT = 420;
const LEFT = 70;
const RIGHT = 20;
const TOP = 40;
const BOTTOM = 50;
const ROW = 18;
const GREY = '#888888';
/** Seen apart by most eyes, on white and on black; more pairs of lanes and threads share them. */
const COLOURS = ['#1f77b4', '#ff7f0e', '#2ca02c', '#d62728', '#9467bd', '#8c564b'];

export interface TunePlot {
  readonly model: string;
  readonly p99Ms: number;
  readonly measured: readonly Measured[];
  readonly chosen: Setting | undefined;
}

/** A whole document: SVG, or HTML with the words below it. */
export function plotTune(drawn: TunePlot, isHtml: boolean, words: string): string {
  return document({ title: `carpool tune ${drawn.model}`, svg: svgOf(drawn), words, isHtml });
}

function svgOf({ model, p99Ms, measured, chosen }: TunePlot): string {
  const lanes = [...new Set(measured.map(({ setting }) => lanesText(setting)))];
  const place = placesOf(measured, p99Ms);
  const colourOf = (setting: Setting): string => COLOURS[lanes.indexOf(lanesText(setting)) % COLOURS.length] ?? GREY;
  const height = HEIGHT + ROW * (lanes.length + 1);
  const legend = [
    ...lanes.map((words, index) => [words, COLOURS[index % COLOURS.length] ?? GREY] as const),
    [
      `large: measured in turns; line: the best for each latency; ring: ${chosen === undefined ? 'none' : settingText(chosen)}`,
      '#333333',
    ] as const,
  ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    text({ x: LEFT, y: TOP - 14 }, `${model}: answers a second, by the p99 of latency in ms`),
    ...place.frame(),
    `<polyline fill="none" stroke="${GREY}" points="${places(frontier(measured).map(place.of))}"/>`,
    ...measured.map((one) =>
      dotOf(one, place.of(one), colourOf(one.setting), one.isCompared && isSame(one.setting, chosen)),
    ),
    ...legend.map(([words, colour], index) => text({ x: LEFT, y: HEIGHT + ROW * index }, words, colour)),
    '</svg>\n',
  ].join('\n');
}

function isSame(one: Setting, other: Setting | undefined): boolean {
  return other !== undefined && settingText(one) === settingText(other);
}

function lanesText({ lanes, threads }: Setting): string {
  return lanes === 0 ? 'on the GPU' : `${lanes} x ${threads} thread${threads === 1 ? '' : 's'}`;
}

/** A point; what it is stands in its title, which browsers show under the pointer. */
function dotOf(one: Measured, [x, y]: readonly [number, number], colour: string, isChosen: boolean): string {
  const { setting, clients, perSecond, p99Ms, isCompared } = one;
  const words = `${settingText(setting)}, ${clients} clients: ${short(perSecond)} a second, p99 ${short(p99Ms)} ms`;
  const at = `cx="${rounded(x)}" cy="${rounded(y)}"`;
  const ring = isChosen ? `<circle ${at} r="10" fill="none" stroke="#333333" stroke-width="2"/>` : '';
  return `<g><title>${words}</title><circle ${at} r="${isCompared ? 5 : 2.5}" fill="${colour}"/>${ring}</g>`;
}

interface Places {
  readonly of: (point: Pick<Measured, 'perSecond' | 'p99Ms'>) => readonly [number, number];
  readonly frame: () => string[];
}

/** The axis of latency is logarithmic, in factors of two: it reaches from a client's own to many times the limit. */
function placesOf(measured: readonly Measured[], p99Ms: number): Places {
  const latencies = [p99Ms, ...measured.map((one) => one.p99Ms)].filter((ms) => ms > 0 && Number.isFinite(ms));
  const [least, most] = [
    Math.floor(Math.log2(Math.min(...latencies))),
    Math.ceil(Math.log2(Math.max(...latencies)) + 0.01),
  ];
  const top = Math.max(1e-9, ...measured.map(({ perSecond }) => perSecond));
  const xOf = (ms: number): number => {
    const share = (Math.log2(Math.min(2 ** most, Math.max(2 ** least, ms))) - least) / (most - least);
    return LEFT + share * (WIDTH - LEFT - RIGHT);
  };
  const yOf = (perSecond: number): number => TOP + (HEIGHT - TOP - BOTTOM) * (1 - perSecond / top);
  const marks = Array.from({ length: most - least + 1 }, (_, index) => 2 ** (least + index));
  return {
    of: ({ perSecond, p99Ms: ms }) => [xOf(ms), yOf(perSecond)],
    frame: () => [
      ...[0, 0.25, 0.5, 0.75, 1].flatMap((share) => {
        const y = yOf(top * share);
        const across = `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${rounded(y)}" y2="${rounded(y)}" stroke="${GREY}" stroke-opacity="0.3"/>`;
        return [across, text({ x: LEFT - 8, y: y + 4, anchor: 'end' }, short(top * share))];
      }),
      ...marks.map((ms) => text({ x: xOf(ms), y: yOf(0) + 18, anchor: 'middle' }, short(ms))),
      `<line x1="${rounded(xOf(p99Ms))}" x2="${rounded(xOf(p99Ms))}" y1="${TOP}" y2="${yOf(0)}" stroke="#d62728" stroke-dasharray="4 4"/>`,
      text({ x: xOf(p99Ms) + 4, y: TOP + 10 }, 'limit', '#d62728'),
    ],
  };
}
