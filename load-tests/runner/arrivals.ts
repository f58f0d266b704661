import type { OpenLoopExecutor } from './scenario.ts';

/** A stretch of time in which the arrival rate goes in a straight line from one value to another. */
export interface RateStage {
  readonly fromPerSecond: number;
  readonly toPerSecond: number;
  readonly durationMs: number;
}

/** The stages of an arrival-rate executor of k6, with all durations multiplied by `durationScale`. */
export function rateStages(executor: OpenLoopExecutor, durationScale: number): RateStage[] {
  const perSecond = 1000 / executor.timeUnit;
  if (executor.executor === 'constant-arrival-rate') {
    const rate = executor.rate * perSecond;
    return [{ fromPerSecond: rate, toPerSecond: rate, durationMs: executor.duration * durationScale }];
  }
  let from = executor.startRate * perSecond;
  return executor.stages.map(({ target, duration }) => {
    const stage = { fromPerSecond: from, toPerSecond: target * perSecond, durationMs: duration * durationScale };
    from = stage.toPerSecond;
    return stage;
  });
}

/**
 * Times of all arrivals in milliseconds from the start, evenly spread: arrival k comes when the integral of the rate reaches k.
 * With r0 and slope s, r0 * t + s * t^2 / 2 = n is solved as t = 2n / (r0 + sqrt(r0^2 + 2 * s * n)), which is exact for s = 0 too.
 */
export function* arrivalTimesMs(stages: readonly RateStage[]): Generator<number> {
  let startMs = 0;
  let arrivals = 0;
  let integral = 0;
  for (const { fromPerSecond, toPerSecond, durationMs } of stages) {
    const seconds = durationMs / 1000;
    const end = integral + ((fromPerSecond + toPerSecond) / 2) * seconds;
    const slope = seconds > 0 ? (toPerSecond - fromPerSecond) / seconds : 0;
    for (; arrivals < end; arrivals++) {
      const count = arrivals - integral;
      // Rounding may push the discriminant a hair below zero at the end of a stage that falls to rate 0.
      const root = Math.sqrt(Math.max(0, fromPerSecond ** 2 + 2 * slope * count));
      yield startMs + (count === 0 ? 0 : (2 * count) / (fromPerSecond + root)) * 1000;
    }
    integral = end;
    startMs += durationMs;
  }
}
