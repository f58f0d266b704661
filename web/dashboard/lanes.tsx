import type { VNode } from 'preact';
import { duration, plural } from '../format.ts';
import type { Run } from '../live/protocol.ts';
import { ALL, type LiveState } from '../live/state.ts';
import { AXIS_HEIGHT } from './draw-lanes.ts';
import { LanesHead } from './lanes-head.tsx';
import { Legend } from './legend.tsx';
import { JourneyView, RunView } from './run-view.tsx';
import { endOf, rowHeightOf } from './timeline.ts';
import { useTimeline } from './use-timeline.ts';

/** What ran on each lane, and who rode together. */

interface LanesProps {
  readonly state: LiveState;
  readonly isLive: boolean;
  /** Of one model, or of ALL. */
  readonly model: string;
  readonly choose: (model: string) => void;
}

export function Lanes({ state, isLive, model, choose }: LanesProps): VNode {
  const timeline = useTimeline({ state, isLive, model: model === ALL ? undefined : model });
  const { canvas, journey, told, chosen, wanted, follow, onKeyDown, pointer, ...view } = timeline;
  const { lanes, atMs } = state;
  const height = lanes.length * rowHeightOf(lanes.length) + AXIS_HEIGHT;
  return (
    <section class="panel" aria-labelledby="lanes">
      <LanesHead {...view} />
      {lanes.length === 0 ? <p class="muted">No lane has started yet.</p> : null}
      <div
        class="lanes"
        hidden={lanes.length === 0}
        role="application"
        aria-label="Timeline of runs"
        aria-describedby="lanes-keys"
        tabIndex={0}
        onKeyDown={onKeyDown}
        {...pointer}
      >
        <canvas ref={canvas} style={{ height: `${height}px` }} />
      </div>
      <p id="lanes-keys" class="visually-hidden">
        Left and right choose a run, up and down another lane, Home and End the oldest and the newest. Plus and minus
        change how long a time is shown, the space bar pauses, Escape goes back to now.
      </p>
      <p class="visually-hidden" role="status">
        {chosen === undefined ? '' : inWords(chosen, atMs)}
      </p>
      <Legend {...{ state, model, choose }} />
      <div class="pair">
        <RunView run={told} nowMs={atMs} follow={follow} followed={journey?.id} />
        <JourneyView journey={journey} wanted={wanted} nowMs={atMs} follow={follow} />
      </div>
    </section>
  );
}

/** For those who hear the page. */
function inWords(run: Run, nowMs: number): string {
  const length = duration(endOf(run, nowMs) - run.startMs);
  const requests = plural(run.riders.length + run.unnamed, 'request');
  const end = run.error === undefined ? '' : `, failed: ${run.error}`;
  return `Lane ${run.lane}: ${plural(run.items, 'item')} of ${requests} for ${run.model}, ${run.ms === null ? 'still running' : length}${end}`;
}
