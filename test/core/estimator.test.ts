import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { Estimator, fitLine } from '../../src/core/estimator.ts';

const run = (cost: number, runMs: number, items = 1) => ({ items, cost, runMs, wallMs: runMs + 1 });

function near(actual: number | undefined, expected: number, tolerance = 1e-6): void {
  assert.ok(
    actual !== undefined && Math.abs(actual - expected) <= tolerance * Math.max(1, expected),
    `${actual ?? 'none'}`,
  );
}

test('finds the line that made the times', () => {
  const positive = fc.double({ min: 0, max: 1000, noNaN: true });
  fc.assert(
    fc.property(
      positive,
      positive,
      fc.uniqueArray(fc.integer({ min: 1, max: 1e6 }), { minLength: 2 }),
      (a, b, costs) => {
        const fit = fitLine(
          costs,
          costs.map((cost) => a * cost + b),
        );
        for (const cost of costs) near((fit?.a ?? NaN) * cost + (fit?.b ?? NaN), a * cost + b, 1e-4);
      },
    ),
  );
});

test('a and b are never negative, whatever was measured', () => {
  const points = fc.array(fc.tuple(fc.nat(1000), fc.nat(1000)), { minLength: 1, maxLength: 64 });
  fc.assert(
    fc.property(points, (pairs) => {
      const fit = fitLine(
        pairs.map(([cost]) => cost),
        pairs.map(([, ms]) => ms),
      );
      assert.ok(fit !== undefined && fit.a >= 0 && fit.b >= 0 && Number.isFinite(fit.a + fit.b));
    }),
  );
});

test('without runs, nothing is predicted', () => {
  assert.equal(new Estimator().fit(), undefined);
  assert.equal(new Estimator().wallFit('a'), undefined);
  assert.equal(fitLine([], []), undefined);
});

test('after runs of one cost, time is in proportion to cost', () => {
  assert.deepEqual(fitLine([4, 4], [7, 9]), { a: 2, b: 0 });
});

test('after runs of cost 0 alone, time is their mean', () => {
  assert.deepEqual(fitLine([0, 0], [2, 4]), { a: 0, b: 3 });
});

test('times that fall with cost give a flat line; a line that would start below 0 goes through the origin', () => {
  assert.deepEqual(fitLine([1, 2], [6, 4]), { a: 0, b: 5 });
  assert.deepEqual(fitLine([1, 2], [1, 4]), { a: 1.8, b: 0 });
});

test('computing time and lane time are fitted separately', () => {
  const estimator = new Estimator();
  for (const cost of [1, 2, 3]) estimator.record('a', run(cost, 2 * cost + 10));
  near(estimator.fit()?.a, 2);
  near(estimator.fit()?.b, 10);
  near(estimator.wallFit()?.b, 11);
});

test('old runs are forgotten', () => {
  const estimator = new Estimator();
  for (let index = 0; index < 10; index += 1) estimator.record('a', run(1 + (index % 2), 1000));
  for (let index = 0; index < 64; index += 1) estimator.record('a', run(1 + (index % 2), 1 + (index % 2)));
  near(estimator.fit()?.a, 1);
  near(estimator.fit()?.b, 0);
});

test('a shape has its own fit once it has run often enough; until then that of the model counts', () => {
  const estimator = new Estimator();
  for (let index = 0; index < 20; index += 1) estimator.record('long', run(1, 100));
  estimator.record('short', run(1, 1));
  assert.ok((estimator.fit('short')?.a ?? 0) > 90);
  for (let index = 0; index < 10; index += 1) estimator.record('short', run(1, 1));
  near(estimator.fit('short')?.a, 1);
  near(estimator.fit('long')?.a, 100);
  assert.deepEqual(estimator.fit('never seen'), estimator.fit());
});

test('shapes beyond the bound are forgotten, the least recently used first', () => {
  const estimator = new Estimator();
  const often = (shape: string, ms: number) => {
    for (let index = 0; index < 8; index += 1) estimator.record(shape, run(1, ms));
  };
  often('first', 1);
  often('kept', 1);
  for (let index = 0; index < 62; index += 1) often(`shape ${index}`, 50);
  estimator.record('kept', run(1, 1));
  often('one more', 50);
  near(estimator.fit('kept')?.a, 1);
  assert.deepEqual(estimator.fit('first'), estimator.fit());
});

test('an invalid measurement is ignored', () => {
  const estimator = new Estimator();
  estimator.record('a', run(1, NaN));
  estimator.record('a', run(1, -1));
  assert.equal(estimator.fit(), undefined);
});

test('cost per item is the mean of the last runs', () => {
  const estimator = new Estimator();
  assert.equal(estimator.costPerItem, 1);
  estimator.record('a', run(10, 1, 2));
  estimator.record('a', run(20, 1, 4));
  assert.equal(estimator.costPerItem, 5);
});

test('the gap between arrivals is known per shape, and only while arrivals are recent', () => {
  const estimator = new Estimator();
  assert.equal(estimator.gapMs('a', 0), undefined);
  for (const nowMs of [100, 110, 120, 130]) estimator.arrived('a', nowMs);
  near(estimator.gapMs('a', 131), 10);
  assert.equal(estimator.gapMs('b', 131), undefined);
  assert.equal(estimator.gapMs('a', 1131), undefined);
  estimator.arrived('a', 60_000);
  assert.equal(estimator.gapMs('a', 60_000), undefined, 'a pause is no gap');
  estimator.arrived('a', 60_004);
  near(estimator.gapMs('a', 60_004), 4);
});

test('the cost of a run within a limit is that of the fit, but not far beyond the largest run known', () => {
  const estimator = new Estimator();
  assert.equal(estimator.costWithin(100), undefined);
  for (const cost of [1, 2, 4]) estimator.record('a', { items: 1, cost, runMs: 0, wallMs: 10 + 2 * cost });
  near(estimator.costWithin(16), 3);
  assert.equal(estimator.costWithin(5), 0, 'not even a run of nothing ends in time');
  // By the fit 20 items take 50 ms. Four times the largest run is 16, and in proportion to that run 11 items take that time.
  near(estimator.costWithin(50), 16);
  near(estimator.costWithin(90), (4 * 90) / 18);
});

test('what large runs cost is not forgotten in any number of small ones', () => {
  const estimator = new Estimator();
  for (const cost of [1, 32]) estimator.record('a', { items: cost, cost, runMs: 9 + cost, wallMs: 9 + cost });
  for (let index = 0; index < 1000; index += 1) estimator.record('a', { items: 1, cost: 1, runMs: 10, wallMs: 10 });
  near(estimator.wallFit('a')?.a, 1);
  near(estimator.wallFit('a')?.b, 9);
  // The last one of the size alone counts.
  estimator.record('a', { items: 30, cost: 30, runMs: 97, wallMs: 97 });
  for (let index = 0; index < 100; index += 1) estimator.record('a', { items: 1, cost: 1, runMs: 10, wallMs: 10 });
  near(estimator.wallFit('a')?.a, 3);
});

test('runs that vary have a margin, those that do not have none, and few runs have one in any case', () => {
  const runs = (count: number, off: number) => {
    const estimator = new Estimator();
    for (let index = 0; index < count; index += 1) {
      const wallMs = 100 * (1 + (index % 2 === 0 ? off : -off));
      estimator.record('a', { items: 1, cost: 1, runMs: wallMs, wallMs });
    }
    return estimator.margin('a');
  };
  near(runs(64, 0), 1);
  near(runs(64, 0.05), 1.05);
  near(runs(64, 0.5), 1.25);
  near(runs(2, 0), 1.1);
});
