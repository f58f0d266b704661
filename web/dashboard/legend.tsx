import type { VNode } from 'preact';
import { markOf } from '../colours.ts';
import { plural } from '../format.ts';
import { ALL, type LiveState } from '../live/state.ts';

/** Most models that are named. */
const MOST = 16;

interface LegendProps {
  readonly state: LiveState;
  /** The one that is looked at, or ALL. */
  readonly model: string;
  readonly choose: (model: string) => void;
}

/** The models whose runs are known, with their marks; one that is picked stands out, without a look at colours. */
export function Legend({ state, model, choose }: LegendProps): VNode {
  const ran = new Set<string>();
  for (const run of state.runs.values()) ran.add(run.model);
  const names = [...new Set(state.models.map(({ name }) => name))].filter((name) => ran.has(name));
  return (
    <ul class="legend" aria-label="Models in the timeline">
      {names.slice(0, MOST).map((name) => (
        <li key={name}>
          <button
            type="button"
            class="quiet tag"
            aria-pressed={name === model}
            title={`Look at ${name} alone`}
            onClick={() => choose(name === model ? ALL : name)}
          >
            <span class={`key ${markOf(state.models, name).classes}`} aria-hidden="true" />
            <span class="cut">{name}</span>
          </button>
        </li>
      ))}
      {names.length <= MOST ? null : <li class="muted">and {names.length - MOST} more</li>}
      {state.missedRuns === 0 ? null : (
        <li class="muted">{plural(state.missedRuns, 'further run')} not shown: there are too many</li>
      )}
    </ul>
  );
}
