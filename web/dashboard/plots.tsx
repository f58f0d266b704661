import type { VNode } from 'preact';
import { duration, percent, short } from '../format.ts';
import type { Figures } from '../live/figures.ts';
import type { LiveState, Point } from '../live/state.ts';
import { Plot, type Line } from './plot.tsx';

/** The second line of a plot is told from the first by more than its colour. */
const DASHED = [6, 4];

/** The last minutes, a point a second; `model`: of one, or of ALL. */
export function Plots({ state, model }: { readonly state: LiveState; readonly model: string }): VNode {
  return (
    <section class="plots" aria-label="The last five minutes">
      <WorkPlots state={state} model={model} />
      <ProcessPlots state={state} />
    </section>
  );
}

/** Times on the clock on the wall. Before the first point there is the time all the same. */
function timesOf({ welcome, atMs: nowMs }: LiveState, points: readonly { readonly atMs: number }[]): number[] {
  const seconds = (atMs: number): number => (atMs + welcome.wallMs) / 1000;
  return points.length === 0 ? [seconds(nowMs)] : points.map(({ atMs }) => seconds(atMs));
}

function lineOf<One>(
  points: readonly One[],
  [name, colour, dash]: readonly [name: string, colour: string, dash?: readonly number[]],
  read: (point: One) => number | undefined,
): Line {
  const values = points.length === 0 ? [undefined] : points.map(read);
  return { name, colour, values, ...(dash === undefined ? {} : { dash }) };
}

function WorkPlots({ state, model }: { readonly state: LiveState; readonly model: string }): VNode {
  const points = state.points.get(model) ?? [];
  const times = timesOf(state, points);
  const figure = (about: Parameters<typeof lineOf>[1], read: (figures: Figures) => number | undefined): Line =>
    lineOf(points, about, ({ figures }: Point) => (figures === undefined ? undefined : read(figures)));
  return (
    <>
      <Plot
        title="Requests"
        times={times}
        format={(value) => `${short(value)}/s`}
        lines={[
          figure(['answered', '--good'], ({ okPerS }) => okPerS),
          figure(['refused', '--warn', DASHED], ({ refusedPerS }) => refusedPerS),
          figure(['failed', '--bad', [2, 2]], ({ failedPerS }) => failedPerS),
        ]}
      />
      <Plot
        title="Latency of requests"
        times={times}
        format={duration}
        lines={[
          figure(['median', '--accent'], ({ latencyP50 }) => latencyP50),
          figure(['p99', '--model-3', DASHED], ({ latencyP99 }) => latencyP99),
        ]}
      />
      <Plot
        title="Wait for a lane"
        times={times}
        format={duration}
        lines={[
          figure(['median', '--accent'], ({ waitP50 }) => waitP50),
          figure(['p99', '--model-3', DASHED], ({ waitP99 }) => waitP99),
          lineOf(points, ['predicted for a new item', '--muted', [2, 2]], ({ predictedWaitMs }) => predictedWaitMs),
        ]}
      />
      <Plot
        title="Items"
        times={times}
        format={short}
        lines={[
          figure(['per run', '--accent'], ({ batch }) => batch),
          lineOf(points, ['waiting', '--warn', DASHED], ({ waiting }) => waiting),
        ]}
      />
    </>
  );
}

/** Of the process, whichever model is looked at. */
function ProcessPlots({ state }: { readonly state: LiveState }): VNode {
  const { processPoints: points } = state;
  const times = timesOf(state, points);
  return (
    <>
      <Plot
        title="Lanes busy"
        times={times}
        format={percent}
        most={1}
        lines={[lineOf(points, ['of all lanes', '--accent'], ({ busy }) => busy)]}
      />
      <Plot
        title="Event loop delay"
        times={times}
        format={duration}
        lines={[
          lineOf(points, ['at worst in a second', '--accent'], ({ busy, delayMaxMs }) =>
            busy === undefined ? undefined : delayMaxMs,
          ),
        ]}
      />
    </>
  );
}
