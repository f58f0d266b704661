import type { Choice, PeerModel, PeerView, Policy } from './peer-server.ts';
import { itemsWithin, runMsOf, type SimRequest } from './workload.ts';

/** The policies of other servers and papers, each by its published rule. */

/** Triton's dynamic batcher, Infinity (5 ms), SIE (10 ms): a batch starts when it is full or its oldest request has waited so long. */
export function fixedDelay(delayMs: number): Policy {
  return {
    choose({ waiting, maxItems }, nowMs) {
      const arrivedMs = waiting.oldest?.arrivedMs ?? 0;
      const readyMs = arrivedMs + delayMs;
      if (waiting.length < maxItems && nowMs < readyMs) return { waitUntilMs: readyMs };
      return { take: Math.min(maxItems, waiting.length), urgency: arrivedMs };
    },
  };
}

const BENTOML_TICK_MS = 1;
const BENTOML_DECAY = 0.95;
const BENTOML_SAMPLES = 50;

/**
 * BentoML's dispatcher: waits while one more request would cost those present less time than a batch waited on average, n (wn + tick + a) <= 0.95 wait,
 * and the oldest would still be in time; drops the oldest when it would be late; takes the newest. The average follows each batch, where
 * BentoML refits every 5 s.
 */
export function bentoml(): Policy {
  const waits = new Map<string, number[]>();
  const meanOf = (key: string): number => {
    const known = waits.get(key) ?? [];
    return known.length === 0 ? 0 : known.reduce((sum, ms) => sum + ms, 0) / known.length;
  };
  return {
    choose(model, nowMs) {
      const { waiting, maxItems, a } = model;
      const endsMs = (): number => nowMs + runMsOf(model, waiting.length);
      while (waiting.length > 1 && endsMs() >= (waiting.oldest?.deadlineMs ?? Infinity)) waiting.dropOldest();
      const { length: count, oldest, newest } = waiting;
      const sinceNewestMs = nowMs - (newest?.arrivedMs ?? nowMs);
      const waitMs = nowMs - (oldest?.arrivedMs ?? nowMs);
      const latencyMs = waitMs + runMsOf(model, count);
      const inTime = latencyMs + BENTOML_TICK_MS <= 0.95 * model.deadlineMs;
      const pays = count * (sinceNewestMs + BENTOML_TICK_MS + a) <= meanOf(model.key) * BENTOML_DECAY;
      if (count < maxItems && inTime && pays) return { waitUntilMs: nowMs + BENTOML_TICK_MS };
      return { take: Math.min(maxItems, count), newestFirst: true, urgency: oldest?.arrivedMs ?? 0 };
    },
    started({ key }, waitedMs) {
      waits.set(key, [...(waits.get(key) ?? []), waitedMs].slice(-BENTOML_SAMPLES));
    },
  };
}

/** Clockwork: the largest batch that meets its deadlines, the model first whose oldest request must start first; refuses what cannot be in time. */
export const clockwork: Policy = {
  admits: willBeInTime,
  choose(model, nowMs) {
    const take = dropHopeless(model, nowMs);
    if (take === 0) return { waitUntilMs: Infinity };
    return { take, urgency: (model.waiting.oldest?.deadlineMs ?? 0) - runMsOf(model, take) };
  },
};

/**
 * Symphony: a batch is held until one more request would make it late (or it is full), so that lanes are not spent on small ones; the model first
 * whose batch must start first. Under overload the oldest requests are given up while they allow only a batch below the size that staggered lanes
 * sustain (Nexus's early drop).
 */
export function symphony(lanes: number): Policy {
  return {
    choose(model, nowMs): Choice {
      const { waiting, maxItems } = model;
      const target = Math.max(1, itemsWithin(model, model.deadlineMs / (1 + 1 / lanes)));
      let take = dropHopeless(model, nowMs);
      while (take < Math.min(target, waiting.length)) {
        waiting.dropOldest();
        take = dropHopeless(model, nowMs);
      }
      if (take === 0) return { waitUntilMs: Infinity };
      const deadlineMs = waiting.oldest?.deadlineMs ?? 0;
      const oneMoreMs = deadlineMs - runMsOf(model, take + 1);
      if (take < maxItems && take === waiting.length && nowMs < oneMoreMs) return { waitUntilMs: oneMoreMs };
      return { take, urgency: deadlineMs - runMsOf(model, take) };
    },
  };
}

/** Gives up the oldest requests that even a run of their own would not serve in time; the size of the largest batch that is in time for the rest. */
function dropHopeless(model: PeerModel, nowMs: number): number {
  const { waiting } = model;
  for (;;) {
    const { oldest } = waiting;
    if (oldest === undefined) return 0;
    const take = Math.min(waiting.length, itemsWithin(model, oldest.deadlineMs - nowMs));
    if (take > 0) return take;
    waiting.dropOldest();
  }
}

/** By what is left of the runs, and the work that waits of all models in the largest batches that their deadlines allow. */
function willBeInTime({ deadlineMs }: SimRequest, model: PeerModel, view: PeerView): boolean {
  let workMs = view.leftMs;
  for (const other of view.models) {
    const most = Math.max(1, itemsWithin(other, other.deadlineMs / 2));
    workMs += (other.waiting.length / most) * runMsOf(other, most);
  }
  const startMs = view.nowMs + Math.max(view.firstFreeMs, workMs / view.lanes);
  return startMs + runMsOf(model, 1) <= deadlineMs;
}
