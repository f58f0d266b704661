import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noiseSource, normalNumbers } from '../../../src/programs/diffusion/noise.ts';

const COUNT = 100_000;

function take(seed: number, count = COUNT): Float64Array {
  return Float64Array.from({ length: count }, normalNumbers(seed));
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

test('numbers are standard normal: moments and tails', () => {
  for (const seed of [0, 1, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
    const values = take(seed);
    assert.ok(Math.abs(mean(values)) < 0.015);
    assert.ok(Math.abs(mean(values.map((value) => value ** 2)) - 1) < 0.02);
    assert.ok(Math.abs(mean(values.map((value) => value ** 3))) < 0.06);
    assert.ok(Math.abs(mean(values.map((value) => value ** 4)) - 3) < 0.12);
    assert.ok(Math.abs(mean(values.map((value) => Number(Math.abs(value) < 1))) - 0.6827) < 0.006);
    assert.ok(values.every(Number.isFinite));
  }
});

test('the same seed gives the same numbers, near seeds unrelated ones', () => {
  assert.deepEqual(take(7, 100), take(7, 100));
  const base = take(41);
  for (const near of [42, 40, 41 + 2 ** 32]) {
    const other = take(near);
    assert.ok(Math.abs(mean(base.map((value, at) => value * (other[at] ?? 0)))) < 0.015);
  }
});

test('neighbours in a sequence are unrelated', () => {
  const values = take(3);
  for (const distance of [1, 2, 3, 64])
    assert.ok(Math.abs(mean(values.slice(distance).map((value, at) => value * (values[at] ?? 0)))) < 0.015);
});

test('arrays continue the same sequence', () => {
  const next = noiseSource(5, 10);
  const all = Float32Array.from(take(5, 20));
  assert.deepEqual([next(), next()], [all.slice(0, 10), all.slice(10)]);
});
