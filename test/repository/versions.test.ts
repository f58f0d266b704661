import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { chooseVersions } from '../../src/repository/source.ts';

test('latest takes the highest versions, ascending', () => {
  assert.deepEqual(chooseVersions([3, 10, 2], { latest: 1 }), [10]);
  assert.deepEqual(chooseVersions([3, 10, 2], { latest: 2 }), [3, 10]);
  assert.deepEqual(chooseVersions([3, 10, 2], { latest: 9 }), [2, 3, 10]);
});

test('all takes every version in numeric order', () => {
  assert.deepEqual(chooseVersions([3, 10, 2], 'all'), [2, 3, 10]);
});

test('specific takes those named, once each', () => {
  assert.deepEqual(chooseVersions([1, 2, 3], { specific: [3, 1, 3] }), [1, 3]);
});

test('specific names every version that is missing', () => {
  assert.throws(() => chooseVersions([1, 2], { specific: [7, 1, 5] }), /there is no version 5, 7/);
});

test('a choice is an ascending subset of what there is', () => {
  const versions = fc.uniqueArray(fc.integer({ min: 1, max: 1000 }));
  fc.assert(
    fc.property(versions, fc.integer({ min: 1, max: 20 }), (available, latest) => {
      const chosen = chooseVersions(available, { latest });
      assert.equal(chosen.length, Math.min(latest, available.length));
      assert.deepEqual(
        chosen,
        available.filter((version) => chosen.includes(version)).sort((a, b) => a - b),
      );
      const passedOver = available.filter((version) => !chosen.includes(version));
      assert.ok(passedOver.every((version) => chosen.every((other) => version < other)));
    }),
  );
});
