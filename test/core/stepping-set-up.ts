import { Core } from '../../src/core/core.ts';
import type { ModelOptions } from '../../src/core/model-state.ts';
import { FakeClock } from './fake-clock.ts';
import { SteppingLane } from './stepping-lane.ts';

/** A core with a stepping model `m`, and a lane 0 whose runs end when told to. */
export function setUp(part: Partial<ModelOptions> = {}) {
  const clock = new FakeClock();
  const core = new Core<unknown, unknown>({ clock, defer: clock.defer });
  const limits = { maxItems: 3, maxCost: Infinity, maxDelayMs: 0 };
  core.addModel('m', { limits, queueItems: 8, stepping: true, ...part });
  const lane = new SteppingLane(0);
  core.addLane(lane);
  const progress: string[] = [];
  const send = (
    name: string,
    runs: number,
    { cost = 1, deadlineMs = Infinity, modelKey = 'm' }: { cost?: number; deadlineMs?: number; modelKey?: string } = {},
  ) => {
    const admission = core.admit({ modelKey, items: 1, deadlineMs });
    const onProgress = (step: unknown) => void progress.push(`${name}${String(step)}`);
    return admission.enqueue({ payload: { name, runs }, items: 1, cost, shapeKey: '', onProgress });
  };
  /** Ends the run after `ms` and lets everything settle. */
  const step = async (ms = 10) => {
    await clock.advance(ms);
    lane.step();
    await clock.turn();
  };
  return { clock, core, lane, progress, send, step };
}
