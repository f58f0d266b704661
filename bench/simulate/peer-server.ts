import { Alarm } from '../../src/core/clock.ts';
import { RequestQueue } from './request-queue.ts';
import type { SimClock } from './sim-clock.ts';
import type { SimServer, Tally } from './tally.ts';
import type { SimModel, SimRequest, World } from './workload.ts';

/** A model with the requests that wait for it. */
export interface PeerModel extends SimModel {
  readonly waiting: RequestQueue;
}

/** A batch that may start now, or when there may be one. */
export type Choice =
  | { readonly take: number; readonly newestFirst?: boolean; /** The least goes first. */ readonly urgency: number }
  | { readonly waitUntilMs: number };

/** Another way to decide what runs when: everything else is the same for all. It knows how long runs take at most, where it uses that. */
export interface Policy {
  /** Whether to let a request in; the answer of a policy without it is yes. */
  readonly admits?: (request: SimRequest, model: PeerModel, view: PeerView) => boolean;
  /** What a free lane would do for this model, of which something waits. It may drop requests. */
  readonly choose: (model: PeerModel, nowMs: number) => Choice;
  /** A batch has started; its oldest request waited so long. */
  readonly started?: (model: PeerModel, waitedMs: number) => void;
}

/** What a policy may ask at the door. */
export interface PeerView {
  readonly nowMs: number;
  readonly lanes: number;
  /** What is left of the runs on all lanes. */
  readonly leftMs: number;
  /** Until the first lane is free. */
  readonly firstFreeMs: number;
  readonly models: readonly PeerModel[];
}

/** A server with one of the other policies: it drops what has expired, holds the same permits, and gives free lanes what the policy chooses. */
export function peerServer(world: World, clock: SimClock, tally: Tally, policy: Policy): SimServer {
  const models = world.models.map((actual) => {
    const most = 1 + world.jitter;
    return { ...actual, a: actual.a * most, b: actual.b * most, actual, waiting: new RequestQueue(), running: 0 };
  });
  type Served = (typeof models)[number];
  /** When each lane is free. */
  const freeMs = new Array<number>(world.lanes).fill(0);
  const busy = new Set<number>();
  const wake = new Alarm(clock, dispatch);
  let due = false;

  function view(nowMs: number): PeerView {
    let leftMs = 0;
    let firstFreeMs = Infinity;
    for (const at of freeMs) {
      leftMs += Math.max(0, at - nowMs);
      firstFreeMs = Math.min(firstFreeMs, Math.max(0, at - nowMs));
    }
    return { nowMs, lanes: world.lanes, leftMs, firstFreeMs, models };
  }

  function dispatch(): void {
    due = false;
    let wakeMs = Infinity;
    while (busy.size < world.lanes) {
      const nowMs = clock.now();
      let best: { model: Served; take: number; newestFirst: boolean; urgency: number } | undefined;
      wakeMs = Infinity;
      for (const model of models) {
        model.waiting.dropExpired(nowMs);
        if (model.waiting.length === 0) continue;
        const choice = policy.choose(model, nowMs);
        if ('waitUntilMs' in choice) wakeMs = Math.min(wakeMs, choice.waitUntilMs);
        else if (best === undefined || choice.urgency < best.urgency) best = { model, newestFirst: false, ...choice };
      }
      if (best === undefined) break;
      start(best.model, best.take, best.newestFirst);
    }
    wake.set(busy.size < world.lanes ? wakeMs : Infinity);
  }

  function start(model: Served, count: number, newestFirst: boolean): void {
    const nowMs = clock.now();
    const lane = freeMs.findIndex((_, id) => !busy.has(id));
    const batch = newestFirst ? model.waiting.takeNewest(count) : model.waiting.takeOldest(count);
    const runMs = tally.startRun(model.actual, batch.length);
    policy.started?.(model, nowMs - Math.min(...batch.map(({ arrivedMs }) => arrivedMs)));
    busy.add(lane);
    freeMs[lane] = nowMs + runMs;
    model.running += batch.length;
    clock.after(runMs, () => {
      tally.endRun(batch, clock.now());
      model.running -= batch.length;
      busy.delete(lane);
      dispatch();
    });
  }

  return {
    arrive(request) {
      const model = models[request.model];
      if (model === undefined) throw new RangeError(`no model ${request.model}`);
      const nowMs = clock.now();
      model.waiting.dropExpired(nowMs);
      const isFull = model.waiting.length + model.running >= world.queueItems;
      if (isFull || policy.admits?.(request, model, view(nowMs)) === false) {
        tally.refused += 1;
        return;
      }
      model.waiting.push(request);
      if (due || busy.size === world.lanes) return;
      due = true;
      clock.defer(dispatch);
    },
  };
}
