import { runMsOf, type SimModel, type SimRequest, type World } from './workload.ts';

/**
 * Most requests that any schedule can serve in time, even one that knows all arrivals.
 *
 * The requests of a batch lie within its deadline less its run of one another, so each request has a largest batch that it could be part of, and
 * takes at least that batch's time over its size. The lanes have a stretch of time, and a deadline more, for what arrives in it, whatever came before: of its
 * requests no more are served than the least demanding ones that fit. The stretches of several lengths are tried, the least sum counts.
 */
export function mostMet(requests: readonly SimRequest[], { models, lanes }: World): number {
  const workMs = leastWork(requests, models);
  const longestMs = Math.max(...models.map(({ deadlineMs }) => deadlineMs));
  const lastMs = requests.at(-1)?.arrivedMs ?? 0;
  let most = requests.length;
  for (let lengthMs = 2 * longestMs; ; lengthMs *= 2) {
    most = Math.min(most, inStretches(requests, workMs, { lengthMs, longestMs, lanes }));
    if (lengthMs > lastMs) return most;
  }
}

function inStretches(
  requests: readonly SimRequest[],
  workMs: Float64Array,
  { lengthMs, longestMs, lanes }: { lengthMs: number; longestMs: number; lanes: number },
): number {
  let met = 0;
  for (let first = 0; first < requests.length;) {
    const startMs = requests[first]?.arrivedMs ?? 0;
    let end = first;
    while (end < requests.length && (requests[end]?.arrivedMs ?? 0) < startMs + lengthMs) end += 1;
    const stretchMs = (requests[end - 1]?.arrivedMs ?? 0) - startMs;
    let roomMs = lanes * (stretchMs + longestMs);
    for (const ms of workMs.slice(first, end).sort()) {
      roomMs -= ms;
      if (roomMs < -1e-6) break;
      met += 1;
    }
    first = end;
  }
  return met;
}

/** The least lane time of each request: of its part in the largest batch that it could be in. */
function leastWork(requests: readonly SimRequest[], models: readonly SimModel[]): Float64Array {
  const work = new Float64Array(requests.length);
  for (const [index, model] of models.entries()) {
    const own = [...requests.keys()].filter((at) => requests[at]?.model === index);
    const times = own.map((at) => requests[at]?.arrivedMs ?? 0);
    const most = new Array<number>(own.length).fill(1);
    for (let first = 0; first < own.length; first += 1) {
      let size = 1;
      while (size < model.maxItems && fits(times, first, size + 1, model)) size += 1;
      for (let at = first; at < first + size; at += 1) most[at] = Math.max(most[at] ?? 1, size);
    }
    for (const [at, request] of own.entries()) work[request] = model.a + model.b / (most[at] ?? 1);
  }
  return work;
}

function fits(times: readonly number[], first: number, size: number, model: SimModel): boolean {
  const [start, end] = [times[first], times[first + size - 1]];
  return start !== undefined && end !== undefined && end - start + runMsOf(model, size) <= model.deadlineMs + 1e-9;
}
