import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { argmax, greatest } from '../../../src/programs/sampler/ranking.ts';

/** Sixteenths, so that some are equal. */
const valuesOf = fc
  .array(fc.integer({ min: -320, max: 320 }), { minLength: 1, maxLength: 60 })
  .map((values) => Float32Array.from(values, (value) => value / 16));

test('the k greatest are those of a full sort, lower index first among equals', () => {
  fc.assert(
    fc.property(valuesOf, fc.integer({ min: 0, max: 70 }), (values, count) => {
      const sorted = Array.from(values.keys()).sort(
        (one, other) => (values[other] ?? 0) - (values[one] ?? 0) || one - other,
      );
      assert.deepEqual(greatest(values, count), sorted.slice(0, count));
    }),
  );
});

test('the greatest of a range is found, NaN is none, and there may be none at all', () => {
  const values = Float32Array.of(9, NaN, 3, 5, 5, -Infinity);
  assert.deepEqual([argmax(values), argmax(values, 1), argmax(values, 1, 3), argmax(values, 5)], [0, 3, 2, -1]);
});
