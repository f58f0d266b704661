import { ascending, percentile } from '../src/benchmark/statistics.ts';

/** How true the times told to refused clients were. */
export interface RetryTruth {
  /** Told time / time the queue as it stood then really took: the median. */
  readonly medianRatio: number;
  /** Share of refusals whose ratio lies within [1/2, 2]. */
  readonly withinTwo: number;
  /** Share of refusals that told a time at all. */
  readonly told: number;
}

/**
 * Compares each refusal with the request admitted nearest to it in time: that one stood at the end of the very queue that was
 * full, so its latency is how long the queue took. Times in any order; all NaN when nothing was refused or nothing admitted.
 */
export function judgeRetryAfter(
  admitted: { readonly dueMs: ArrayLike<number>; readonly latencyMs: ArrayLike<number> },
  refused: { readonly dueMs: ArrayLike<number>; readonly retryAfterMs: ArrayLike<number> },
): RetryTruth {
  const waits = Array.from(admitted.dueMs, (dueMs, index) => ({ dueMs, waitMs: admitted.latencyMs[index] ?? 0 }));
  waits.sort((left, right) => left.dueMs - right.dueMs);
  const refusals = Array.from(refused.dueMs, (dueMs, index) => ({ dueMs, toldMs: refused.retryAfterMs[index] ?? 0 }));
  refusals.sort((left, right) => left.dueMs - right.dueMs);
  const ratios: number[] = [];
  let nearest = 0;
  for (const { dueMs, toldMs } of refusals) {
    // Both lists ascend, so the nearest never moves back.
    for (;;) {
      const here = waits[nearest];
      const next = waits[nearest + 1];
      if (here === undefined || next === undefined) break;
      if (Math.abs(next.dueMs - dueMs) > Math.abs(here.dueMs - dueMs)) break;
      nearest++;
    }
    const waitMs = waits[nearest]?.waitMs;
    if (waitMs !== undefined && !Number.isNaN(toldMs)) ratios.push(toldMs / waitMs);
  }
  if (ratios.length === 0) return { medianRatio: Number.NaN, withinTwo: Number.NaN, told: Number.NaN };
  return {
    medianRatio: percentile(ascending(ratios), 50),
    withinTwo: ratios.filter((ratio) => ratio >= 0.5 && ratio <= 2).length / ratios.length,
    told: ratios.length / refusals.length,
  };
}
