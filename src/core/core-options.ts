import type { CoreEvents } from './events.ts';
import type { Clock, Party } from './ticket.ts';

/** How a core is made, and what it tells of a model's queue. */

export interface CoreOptions {
  readonly clock: Clock;
  readonly events?: CoreEvents;
  /** Of each party, where there is too little lane time for both; default 1 each. */
  readonly weights?: Readonly<Record<Party, number>>;
  /** A priority that is not served for this long rises one level. */
  readonly agingMs?: number;
  /** Calls back when everything that arrives in this turn of the event loop is there; default `nextTurn`. */
  readonly defer?: (callback: () => void) => void;
}

/** All in items, of both parties. */
export interface Depth {
  readonly waiting: number;
  readonly running: number;
  /** Waiting, running and in preparation. */
  readonly permits: number;
  /** Permits of each party. */
  readonly queueItems: number;
}
