import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrivalsOf } from '../../src/benchmark/arrivals.ts';
import { ratioOf, studentQuantile } from '../../src/benchmark/statistics.ts';

test("Student's quantiles are those of tables", () => {
  for (const [degrees, value] of [
    [1, 12.706],
    [4, 2.776],
    [8, 2.306],
    [9, 2.262],
    [18, 2.101],
    [30, 2.042],
    [120, 1.98],
    [Infinity, 1.96],
  ] as const)
    assert.ok(Math.abs(studentQuantile(degrees) - value) < 0.002, `${degrees}: ${studentQuantile(degrees)}`);
});

test("the interval of a ratio is Welch's", () => {
  // By numpy: 6.27 degrees of freedom, standard error 0.02361 of the logarithms.
  const ratio = ratioOf([100, 104, 97, 101, 99], [110, 121, 108, 115, 117]);
  assert.ok(ratio !== undefined);
  for (const [found, wanted] of [
    [ratio.ratio, 1.139_06],
    [ratio.low, 1.0757],
    [ratio.high, 1.2061],
  ] as const)
    assert.ok(Math.abs(found - wanted) < 0.002, `${found} for ${wanted}`);
  assert.equal(ratio.differs, true);
  assert.equal(ratioOf([1, 2], [0, 1]), undefined);
  assert.equal(ratioOf([1], [1, 2]), undefined);
  assert.deepEqual(ratioOf([2, 2], [2, 2]), { ratio: 1, low: 1, high: 1, differs: false });
});

function taken(values: Iterator<number>, count: number): number[] {
  return Array.from({ length: count }, () => Number(values.next().value));
}

test('arrivals come at their rate, evenly or at random, and the same again with the same seed', () => {
  const first = (count: number, arrivals: 'poisson' | 'constant', seed = 1): number[] =>
    taken(arrivalsOf({ kind: 'open', perSecond: 100, arrivals, seed }), count);
  assert.deepEqual(first(4, 'constant'), [0, 10, 20, 30]);
  const random = first(10_000, 'poisson');
  assert.ok(Math.abs((random.at(-1) ?? 0) / 10_000 - 10) < 0.5);
  const short = random.slice(1).filter((dueMs, index) => dueMs - (random[index] ?? 0) < 10).length / 9999;
  // Of an exponential distribution 1 - 1/e is below its mean.
  assert.ok(Math.abs(short - (1 - Math.exp(-1))) < 0.02, String(short));
  assert.deepEqual(first(50, 'poisson'), random.slice(0, 50));
  assert.notDeepEqual(first(50, 'poisson', 2), random.slice(0, 50));
});
