import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isReshape, reshaped } from '../../src/tensors/reshape.ts';

test('shapes are alike if free dimensions and fixed elements are as many', () => {
  assert.ok(isReshape([-1, 4], [-1, 2, 2]));
  assert.ok(isReshape([-1, 1], [-1]));
  assert.ok(isReshape([-1, 3, -1], [3, -1, -1]));
  assert.ok(!isReshape([-1, 4], [-1, 5]));
  assert.ok(!isReshape([-1, 4], [4]));
});

test('free dimensions keep their order, and sizes of another shape stay as they are', () => {
  assert.deepEqual(reshaped([7, 4], [-1, 4], [-1, 2, 2]), [7, 2, 2]);
  assert.deepEqual(reshaped([7, 2, 2], [-1, 2, 2], [-1, 4]), [7, 4]);
  assert.deepEqual(reshaped([7], [-1], [-1, 1]), [7, 1]);
  assert.deepEqual(reshaped([5, 3, 6], [-1, 3, -1], [3, -1, -1]), [3, 5, 6]);
  assert.deepEqual(reshaped([7, 5], [-1, 4], [-1, 2, 2]), [7, 5]);
  assert.deepEqual(reshaped([4], [-1, 4], [-1, 2, 2]), [4]);
});
