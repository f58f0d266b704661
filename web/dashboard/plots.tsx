import type { VNode } from 'preact';
import { duration, short } from '../format.ts';
import type { LiveState, Point } from '../live/state.ts';
import { Plot, type Line } from './plot.tsx';

/** The last minutes, a point a second; `model`: of one, or of ALL. */
export function Plots({ state, model }: { readonly state: LiveState; readonly model: string }): VNode {
  const points = state.points.get(model) ?? [];
  const seconds = (atMs: number): number => (atMs + state.welcome.wallMs) / 1000;
  // Before the first point there is the time all the same.
  const times = points.length === 0 ? [seconds(state.atMs)] : points.map(({ atMs }) => seconds(atMs));
  const line = (name: string, colour: string, read: (point: Point) => number | undefined): Line => ({
    name,
    colour,
    values: points.length === 0 ? [undefined] : points.map(read),
  });
  const rate = (value: number): string => `${short(value)}/s`;
  return (
    <section class="plots" aria-label="The last five minutes">
      <Plot
        title="Requests"
        times={times}
        format={rate}
        lines={[
          line('answered', '--good', ({ figures }) => figures.okPerS),
          line('refused', '--warn', ({ figures }) => figures.refusedPerS),
          line('failed', '--bad', ({ figures }) => figures.failedPerS),
        ]}
      />
      <Plot
        title="Latency of requests"
        times={times}
        format={duration}
        lines={[
          line('p50', '--accent', ({ figures }) => figures.latencyP50),
          line('p99', '--model-3', ({ figures }) => figures.latencyP99),
        ]}
      />
      <Plot
        title="Wait for a lane"
        times={times}
        format={duration}
        lines={[
          line('p50', '--accent', ({ figures }) => figures.waitP50),
          line('p99', '--model-3', ({ figures }) => figures.waitP99),
          line('predicted for a new item', '--muted', ({ predictedWaitMs }) => predictedWaitMs),
        ]}
      />
      <Plot
        title="Items"
        times={times}
        format={short}
        lines={[
          line('together in a run', '--accent', ({ figures }) => figures.batch),
          line('waiting', '--warn', ({ waiting }) => waiting),
        ]}
      />
    </section>
  );
}
