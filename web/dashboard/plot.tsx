import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import UPlot from 'uplot';
import { colourOf, onColours } from '../colours.ts';
import { KEPT_MS } from '../live/state.ts';

/** A line of a plot. */
export interface Line {
  readonly name: string;
  /** Variable of the style sheet. */
  readonly colour: string;
  readonly dash?: readonly number[];
  readonly values: readonly (number | undefined)[];
}

export interface PlotProps {
  readonly title: string;
  /** Seconds on the clock on the wall. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  readonly format: (value: number) => string;
  /** The upper end of the values, where they have one. */
  readonly most?: number;
}

const HEIGHT = 150;
/** A plot that has just begun is not stretched further. */
const LEAST_S = 60;

/** Lines over the last minutes, with what they are now, or where a pointer is, beside their names. */
export function Plot({ title, times, lines, format, most }: PlotProps): VNode {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot | undefined>(undefined);
  const [pointed, point] = useState<number>();
  // Read when the plot is made anew, which is not at each change of them.
  const now = useRef({ times, lines, format, most, point });
  now.current = { times, lines, format, most, point };
  useEffect(() => {
    const holder = place.current;
    if (holder === null) return undefined;
    const resize = new ResizeObserver(() => {
      if (holder.clientWidth > 0) plot.current?.setSize({ width: holder.clientWidth, height: HEIGHT });
    });
    plot.current = new UPlot(optionsOf(holder, now.current), dataOf(now.current), holder);
    resize.observe(holder);
    const leaveColours = onColours(() => plot.current?.redraw());
    return () => {
      resize.disconnect();
      leaveColours();
      plot.current?.destroy();
    };
  }, []);
  useEffect(() => plot.current?.setData(dataOf({ times, lines })), [times.at(-1), lines.length]);
  const isPointed = pointed !== undefined && pointed < times.length;
  return (
    <figure class="panel plot">
      <figcaption>
        <h3>
          {title} <span class="muted small">{isPointed ? `at ${clock(times[pointed] ?? 0)}` : ''}</span>
        </h3>
        <ul class="legend">
          {lines.map(({ name, colour, dash, values }) => {
            const value = isPointed ? values[pointed] : values.at(-1);
            return (
              <li key={name}>
                <span class={`key line ${dash === undefined ? '' : 'dashed'} ${colour.slice(2)}`} aria-hidden="true" />
                {name} <b>{value === undefined ? '–' : format(value)}</b>
              </li>
            );
          })}
        </ul>
      </figcaption>
      <div ref={place} class="plot-area" aria-hidden="true" />
    </figure>
  );
}

function dataOf({ times, lines }: Pick<PlotProps, 'times' | 'lines'>): UPlot.AlignedData {
  return [[...times], ...lines.map(({ values }) => values.map((value) => value ?? null))];
}

type Made = Omit<PlotProps, 'title' | 'most'> & {
  readonly most: number | undefined;
  readonly point: (index: number | undefined) => void;
};

function optionsOf(holder: HTMLElement, { lines, format, most, point }: Made): UPlot.Options {
  const axis: UPlot.Axis = {
    stroke: () => colourOf('--muted'),
    grid: { stroke: () => colourOf('--line'), width: 1 },
    ticks: { show: false },
    font: '12px system-ui, sans-serif',
  };
  return {
    width: Math.max(200, holder.clientWidth),
    height: HEIGHT,
    legend: { show: false },
    // A pointer on one plot shows the same moment on all.
    cursor: {
      y: false,
      points: { show: false },
      drag: { setScale: false, x: false, y: false },
      sync: { key: 'carpool' },
    },
    hooks: { setCursor: [({ cursor }) => point(cursor.idx ?? undefined)] },
    scales: {
      x: { range: rangeOf },
      // From 0, and never flat.
      y: { range: (_, __, max) => [0, most ?? (Number.isFinite(max) && max > 0 ? max * 1.08 : 1)] },
    },
    axes: [
      // Below the lowest value of the other axis, which stands beside it.
      { ...axis, size: 32, gap: 10, space: 80, values: (_, ticks) => ticks.map(clock) },
      { ...axis, size: 62, space: 30, values: (_, ticks) => ticks.map((tick) => format(tick)) },
    ],
    series: [
      {},
      ...lines.map(({ name, colour, dash }) => ({
        label: name,
        stroke: () => colourOf(colour),
        width: 1.75,
        points: { show: false },
        spanGaps: false,
        ...(dash === undefined ? {} : { dash: [...dash] }),
      })),
    ],
  };
}

/** All that there is, up to how far the page remembers. */
function rangeOf({ data: [times] }: UPlot): [from: number, to: number] {
  const to = times.at(-1) ?? 0;
  return [Math.max(to - KEPT_MS / 1000, Math.min(times[0] ?? 0, to - LEAST_S)), to];
}

function clock(seconds: number): string {
  return new Date(seconds * 1000).toLocaleTimeString('en-GB');
}
