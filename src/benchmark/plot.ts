import type { Report, Round } from './report.ts';
import { shapeText } from './show.ts';
import { document, places, text } from './svg.ts';
import { short } from './table.ts';

/** Plots of one run or two, as SVG without any part from elsewhere: latency by percentile, and answers a second or latency by round. */

export interface Series {
  readonly name: string;
  readonly report: Report;
}

const WIDTH = 760;
const PANEL = 260;
const LEFT = 70;
const RIGHT = 20;
const TOP = 40;
const BOTTOM = 40;
/** Seen apart by most eyes, on white and on black. */
const COLOURS = ['#1f77b4', '#ff7f0e'];

/** A whole document: SVG, or HTML with the figures below it. */
export function plot(series: readonly Series[], isHtml: boolean, words: string): string {
  return document({ title: 'carpool bench', svg: svgOf(series), words, isHtml });
}

function svgOf(series: readonly Series[]): string {
  const height = 2 * (PANEL + TOP + BOTTOM) + 20 * series.length;
  const legend = series.map(({ name, report }, index) =>
    text(
      { x: LEFT, y: height - 20 * (series.length - index) + 12 },
      `${name}: ${shapeText(report.load)}, ${short(report.perSecond)} answers a second`,
      COLOURS[index % 2],
    ),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="system-ui, sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    ...latencyPanel(series),
    ...roundsPanel(series, TOP + PANEL + BOTTOM),
    ...legend,
    '</svg>\n',
  ].join('\n');
}

interface Axes {
  readonly top: number;
  readonly title: string;
  readonly most: number;
  /** Places on the axis below: 0 to 1, and what stands there. */
  readonly marks: readonly (readonly [number, string])[];
}

/** The axis below spreads the percentiles towards 100, as the tail is what is looked for: the place of p is log10(100 / (100 - p)). */
function latencyPanel(series: readonly Series[]): string[] {
  const most = Math.max(1e-9, ...series.flatMap(({ report }) => report.curve.map(([, ms]) => ms)));
  const tail = (percent: number): number => Math.min(1, Math.log10(100 / Math.max(0.01, 100 - percent)) / 4);
  const axes: Axes = {
    top: TOP,
    title: 'latency in ms, by percentile of the answers',
    most,
    marks: [0, 50, 90, 99, 99.9, 99.99].map((percent) => [tail(percent), `${percent}`]),
  };
  return [
    ...frame(axes),
    ...series.map(({ report }, index) =>
      line(
        axes,
        report.curve.map(([percent, ms]) => [tail(percent), ms]),
        index,
      ),
    ),
  ];
}

/**
 * What went on over the time: of closed loops answers a second, of an open one latency, because answers count where their requests were due, and those are as
 * many a second as were asked for, also while the server stands still.
 */
function roundsPanel(series: readonly Series[], below: number): string[] {
  const isOpen = series.some(({ report }) => report.load.loop.kind === 'open');
  const valueOf = ({ perSecond, p99Ms }: Round): number => (isOpen ? p99Ms : perSecond);
  const axes: Axes = {
    top: below + TOP,
    title: isOpen
      ? 'p99 of latency in ms, by when requests were due'
      : 'answers a second, over the time of the measurement',
    most: Math.max(1e-9, ...series.flatMap(({ report }) => report.rounds.map(valueOf))),
    marks: [0, 0.25, 0.5, 0.75, 1].map((part) => [part, `${100 * part} %`]),
  };
  return [
    ...frame(axes),
    ...series.map(({ report: { rounds } }, index) =>
      line(
        axes,
        rounds.map((round, place) => [(place + 0.5) / rounds.length, valueOf(round)]),
        index,
      ),
    ),
  ];
}

function frame({ top, title, most, marks }: Axes): string[] {
  const grey = '#888888';
  const across = (share: number): string => {
    const y = top + PANEL * (1 - share);
    return `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y}" y2="${y}" stroke="${grey}" stroke-opacity="0.3"/>`;
  };
  return [
    text({ x: LEFT, y: top - 12 }, title),
    ...[0, 0.25, 0.5, 0.75, 1].flatMap((share) => [
      across(share),
      text({ x: LEFT - 8, y: top + PANEL * (1 - share) + 4, anchor: 'end' }, short(most * share)),
    ]),
    ...marks.map(([share, mark]) => text({ x: placeOf(share), y: top + PANEL + 18, anchor: 'middle' }, mark)),
  ];
}

function placeOf(share: number): number {
  return LEFT + share * (WIDTH - LEFT - RIGHT);
}

function line({ top, most }: Axes, points: readonly (readonly [number, number])[], index: number): string {
  const at = points.map(([share, value]) => [placeOf(share), top + PANEL * (1 - value / most)] as const);
  return `<polyline fill="none" stroke="${COLOURS[index % 2] ?? ''}" stroke-width="2" points="${places(at)}"/>`;
}
