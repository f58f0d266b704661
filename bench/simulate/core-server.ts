import { Core } from '../../src/core/core.ts';
import type { CoreEvents } from '../../src/core/events.ts';
import type { Lane } from '../../src/core/ticket.ts';
import { ServerError } from '../../src/errors.ts';
import type { SimClock } from './sim-clock.ts';
import type { SimServer, Tally } from './tally.ts';
import { runMsOf, type SimModel, type SimRequest, type World } from './workload.ts';

/**
 * This project's scheduler itself, on simulated lanes. What it knows of run times it has from a warm-up and from its runs, as in the server.
 * `isHeld`: batches may wait for company as long as deadlines allow (`batching.maxDelayMs`).
 */
export function coreServer(
  world: World,
  { clock, tally, isHeld }: { clock: SimClock; tally: Tally; isHeld: boolean },
): SimServer {
  const left: CoreEvents['left'] = ({ why }) => {
    if (why === 'late') tally.givenUp += 1;
  };
  const core = new Core<SimRequest, undefined>({ clock, defer: clock.defer, events: { left } });
  const byKey = new Map(world.models.map((model) => [model.key, model]));
  for (let id = 0; id < world.lanes; id += 1) core.addLane(simLane(id, byKey, clock, tally));
  for (const model of world.models) {
    const limits = { maxItems: model.maxItems, maxCost: Infinity, maxDelayMs: isHeld ? model.deadlineMs : 0 };
    core.addModel(model.key, { limits, queueItems: world.queueItems, seenRuns: warmUp(model) });
  }
  return {
    arrive({ model, arrivedMs, deadlineMs }) {
      const modelKey = world.models[model]?.key ?? '';
      try {
        const admission = core.admit({ modelKey, items: 1, deadlineMs });
        admission.enqueue({ payload: { model, arrivedMs, deadlineMs }, items: 1, cost: 1, shapeKey: '' });
      } catch (error) {
        if (!(error instanceof ServerError)) throw error;
        tally.refused += 1;
      }
    },
  };
}

/** Powers of two up to the largest batch, as the server warms a model. */
function warmUp(model: SimModel) {
  const sizes = [model.maxItems];
  for (let items = 1; items < model.maxItems; items *= 2) sizes.push(items);
  return sizes.map((items) => {
    const ms = runMsOf(model, items);
    return { shapeKey: '', items, cost: items, runMs: ms, wallMs: ms };
  });
}

function simLane(
  id: number,
  models: ReadonlyMap<string, SimModel>,
  clock: SimClock,
  tally: Tally,
): Lane<SimRequest, undefined> {
  let freeMs = 0;
  return {
    id,
    takesAhead: true,
    run(modelKey, tickets) {
      const model = models.get(modelKey);
      if (model === undefined) throw new Error(`no model ${modelKey}`);
      const runMs = tally.startRun(model, tickets.length);
      const requests = tickets.flatMap(({ payload }) => payload ?? []);
      // What is sent ahead begins when the lane is done with what it runs.
      freeMs = Math.max(freeMs, clock.now()) + runMs;
      return new Promise((resolve) => {
        clock.after(freeMs - clock.now(), () => {
          tally.endRun(requests, clock.now());
          const outcomes = tickets.map(() => ({ ok: true, result: undefined }) as const);
          resolve({ outcomes, runMs, stackMs: 0, splitMs: 0 });
        });
      });
    },
  };
}
