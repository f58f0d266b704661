import type { ModelStatistics, StatisticDuration } from '../model.ts';
import type { RequestTiming } from './timing.ts';

/** Counts for OIP's statistics extension. perf_analyzer expects all counts of a request to change at once, when it is done. */

function duration(): StatisticDuration {
  return { count: 0, ns: 0 };
}

export function createStatistics(): ModelStatistics {
  return {
    lastInferenceMs: 0,
    inferenceCount: 0,
    executionCount: 0,
    success: duration(),
    fail: duration(),
    queue: duration(),
    computeInput: duration(),
    computeInfer: duration(),
    computeOutput: duration(),
    batches: new Map(),
  };
}

function add(to: StatisticDuration, milliseconds: number): void {
  to.count += 1;
  to.ns += Math.round(milliseconds * 1e6);
}

/** One request that succeeded; `totalMs` is the time from its arrival to its reply. */
export function countSuccess(statistics: ModelStatistics, timing: RequestTiming, totalMs: number): void {
  statistics.lastInferenceMs = Date.now();
  add(statistics.success, totalMs);
  add(statistics.queue, timing.queueMs);
  add(statistics.computeInput, timing.prepareMs + timing.stackMs);
  add(statistics.computeInfer, timing.runMs);
  add(statistics.computeOutput, timing.splitMs + timing.finishMs);
}

export function countFailure(statistics: ModelStatistics, totalMs: number): void {
  add(statistics.fail, totalMs);
}

/** One run of a batch. */
export function countRun(
  statistics: ModelStatistics,
  run: { items: number; stackMs: number; runMs: number; splitMs: number },
): void {
  statistics.executionCount += 1;
  statistics.inferenceCount += run.items;
  let batch = statistics.batches.get(run.items);
  if (batch === undefined) {
    batch = { computeInput: duration(), computeInfer: duration(), computeOutput: duration() };
    statistics.batches.set(run.items, batch);
  }
  add(batch.computeInput, run.stackMs);
  add(batch.computeInfer, run.runMs);
  add(batch.computeOutput, run.splitMs);
}
