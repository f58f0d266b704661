import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { arrivalTimesMs, rateStages } from '../../load-tests/runner/arrivals.ts';
import { durationMs } from '../../load-tests/runner/scenario.ts';

describe('arrivalTimesMs', () => {
  it('spreads a constant rate evenly', () => {
    const times = [...arrivalTimesMs([{ fromPerSecond: 4, toPerSecond: 4, durationMs: 1000 }])];
    assert.deepEqual(times, [0, 250, 500, 750]);
  });

  it('puts arrival k where the integral of a rising rate is k', () => {
    const times = [...arrivalTimesMs([{ fromPerSecond: 0, toPerSecond: 8, durationMs: 1000 }])];
    // 4 t^2 = k
    assert.deepEqual(
      times.map((time) => Math.round(time)),
      [0, 500, 707, 866],
    );
  });

  it('never loses or adds an arrival over several stages, and never goes back in time', () => {
    const rate = fc.integer({ min: 0, max: 500 });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(rate, fc.integer({ min: 1, max: 3000 })), { maxLength: 5 }),
        rate,
        (parts, start) => {
          let from = start;
          const stages = parts.map(([target, duration]) => {
            const stage = { fromPerSecond: from, toPerSecond: target, durationMs: duration };
            from = target;
            return stage;
          });
          const times = [...arrivalTimesMs(stages)];
          const integral = stages.reduce(
            (sum, stage) => sum + ((stage.fromPerSecond + stage.toPerSecond) / 2000) * stage.durationMs,
            0,
          );
          const total = stages.reduce((sum, stage) => sum + stage.durationMs, 0);
          assert.ok(Math.abs(times.length - integral) < 1 + 1e-6);
          assert.ok(times.every((time, index) => time >= (times[index - 1] ?? 0) - 1e-6 && time <= total + 1e-6));
        },
      ),
    );
  });
});

describe('rateStages', () => {
  it('reads both kinds of executors, with their unit of time and the scale', () => {
    const common = { preAllocatedVUs: 1, maxVUs: 1 };
    const constant = rateStages(
      { executor: 'constant-arrival-rate', rate: 120, timeUnit: 60_000, duration: 10_000, ...common },
      0.5,
    );
    assert.deepEqual(constant, [{ fromPerSecond: 2, toPerSecond: 2, durationMs: 5000 }]);
    const ramping = rateStages(
      {
        executor: 'ramping-arrival-rate',
        startRate: 1,
        timeUnit: 1000,
        stages: [
          { target: 5, duration: 1000 },
          { target: 0, duration: 2000 },
        ],
        ...common,
      },
      2,
    );
    assert.deepEqual(ramping, [
      { fromPerSecond: 1, toPerSecond: 5, durationMs: 2000 },
      { fromPerSecond: 5, toPerSecond: 0, durationMs: 4000 },
    ]);
  });
});

describe('durationMs', () => {
  it('reads durations as k6 writes them', () => {
    assert.deepEqual(['500ms', '30s', '1m30s', '1.5h'].map(durationMs), [500, 30_000, 90_000, 5_400_000]);
  });
});
