import type { ModelRow, ModelState } from '../live/protocol.ts';

/** How a model is, in the words of `GET /live`. */
export interface PlayState {
  readonly state: ModelState;
  readonly reason: string;
  readonly description: string | undefined;
}

const BEST_FIRST: readonly ModelState[] = ['ready', 'loading', 'asleep', 'unloading', 'unavailable'];

/** The state of a model: that of its best version. Undefined of one that the server has not told of. */
export function stateOf(rows: readonly ModelRow[], name: string): PlayState | undefined {
  const own = rows.filter((row) => row.name === name);
  const best = own.toSorted((one, other) => BEST_FIRST.indexOf(one.state) - BEST_FIRST.indexOf(other.state))[0];
  if (best === undefined) return undefined;
  return { state: best.state, reason: best.reason, description: best.description };
}

/** What people are told of a state; nothing of a model that simply serves. */
export function stateWords({ state, reason }: PlayState): string {
  switch (state) {
    case 'ready':
      return '';
    case 'asleep':
      return 'loaded by the first request';
    case 'loading':
      return 'loading';
    case 'unloading':
      return 'unloading';
    case 'unavailable':
      return reason === '' || reason === 'unloaded' ? 'not loaded' : reason;
  }
}
