import type { LaneRow, Run } from '../live/protocol.ts';
import { acrossFrom, lastOf, neighbourOf } from './timeline.ts';

/** What keys do on the timeline. */

/** How many seconds may be in view. */
export const SPANS = [1, 5, 30, 120] as const;

interface From {
  readonly runs: readonly Run[];
  readonly chosen: Run | undefined;
  readonly lanes: readonly Pick<LaneRow, 'lane'>[];
}

/** The run that a key leads to; undefined if the key leads to none. */
export function nextRun(key: string, { runs, chosen, lanes }: From): Run | undefined {
  switch (key) {
    case 'ArrowLeft':
      return neighbourOf(runs, chosen, -1);
    case 'ArrowRight':
      return neighbourOf(runs, chosen, 1);
    case 'ArrowUp':
    case 'ArrowDown':
      return chosen === undefined
        ? neighbourOf(runs, undefined, 1)
        : acrossFrom(runs, chosen, { lanes, step: key === 'ArrowDown' ? 1 : -1 });
    case 'Home':
      return lastOf(runs, chosen, 'oldest');
    case 'End':
      return lastOf(runs, chosen, 'newest');
    default:
      return undefined;
  }
}

/** The span that a key changes to: the next shorter or longer one; undefined if the key is for something else. */
export function spanBeside(key: string, spanS: number): number | undefined {
  const step = key === '+' || key === '=' ? -1 : key === '-' ? 1 : 0;
  if (step === 0) return undefined;
  const index = SPANS.findIndex((span) => span === spanS) + step;
  return SPANS[Math.min(SPANS.length - 1, Math.max(0, index))];
}
