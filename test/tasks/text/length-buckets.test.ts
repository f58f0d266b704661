import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bucketLength, bucketLengths } from '../../../src/tasks/text/length-buckets.ts';

test('buckets are powers of two and the steps halfway between, up to the longest', () => {
  assert.deepEqual(bucketLengths(128), [8, 12, 16, 24, 32, 48, 64, 96, 128]);
  assert.deepEqual(bucketLengths(100), [8, 12, 16, 24, 32, 48, 64, 96, 100]);
  assert.deepEqual(bucketLengths(5), [5]);
});

test('every length has the least bucket that holds it', () => {
  for (const most of [5, 100, 512, 8192]) {
    const buckets = bucketLengths(most);
    for (let length = 1; length <= most; length += 1)
      assert.equal(
        bucketLength(length, most),
        buckets.find((bucket) => bucket >= length),
      );
  }
});
