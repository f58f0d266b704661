import { Core } from '../../src/core/core.ts';
import type { CoreEvents } from '../../src/core/events.ts';
import { FakeClock } from './fake-clock.ts';
import { timedLane } from './fake-lane.ts';

/** A fixed and a per-item part of a model's run time. */
export interface Speed {
  readonly b: number;
  readonly a: number;
  readonly weight?: number;
  readonly queueItems?: number;
}

export const MAX_ITEMS = 8;

/** A core whose lanes take the models' times for their runs. */
export function setUp(speeds: Record<string, Speed>, lanes: number, events: CoreEvents = {}) {
  const clock = new FakeClock();
  const core = new Core<number, number>({ clock, defer: clock.defer, events });
  for (let id = 0; id < lanes; id += 1) {
    const lane = timedLane<number>(
      id,
      clock,
      (key, { length }) => (speeds[key]?.b ?? 0) + (speeds[key]?.a ?? 0) * length,
    );
    core.addLane(lane);
  }
  for (const [key, { weight = 1, queueItems = 10 * MAX_ITEMS }] of Object.entries(speeds)) {
    const limits = { maxItems: MAX_ITEMS, maxCost: Infinity, maxDelayMs: 0 };
    core.addModel(key, { limits, queueItems, weight });
  }
  const send = (modelKey: string, priority = 2, deadlineMs = Infinity, shapeKey = '') => {
    const admission = core.admit({ modelKey, items: 1, priority, deadlineMs });
    return admission.enqueue({ payload: 0, items: 1, cost: 1, shapeKey });
  };
  const fill = (modelKey: string, priority = 2) => {
    while (!core.isFull(modelKey)) send(modelKey, priority);
  };
  return { clock, core, send, fill };
}

/** Calls back `every` ms for `forMs`, in the clock's time. */
export async function repeat(
  clock: FakeClock,
  { everyMs, forMs }: { everyMs: number; forMs: number },
  action: () => void,
) {
  for (let ms = 0; ms < forMs; ms += everyMs) {
    action();
    await clock.advance(everyMs);
  }
}
