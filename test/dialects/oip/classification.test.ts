import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { classify } from '../../../src/dialects/oip/classification.ts';
import { float32, fromTypedArray } from '../../../src/tensors/tensor.ts';

test('classes come best first, six decimals and index, for each row', () => {
  const tensor = float32([2, 3], new Float32Array([0.1, 0.7, 0.2, 3, -1, 2]));
  assert.deepEqual(classify(tensor, { classes: 2, batchAxis: 0 }), {
    datatype: 'BYTES',
    shape: [2, 2],
    data: ['0.700000:1', '0.200000:2', '3.000000:0', '2.000000:2'],
  });
});

test('there are at most as many classes as values', () => {
  const tensor = float32([1, 2], new Float32Array([1, 2]));
  assert.deepEqual(classify(tensor, { classes: 9, batchAxis: 0 }).shape, [1, 2]);
});

test('labels follow the index, if there is one for each class', () => {
  const tensor = float32([1, 2], new Float32Array([1, 2]));
  const options = { classes: 2, batchAxis: 0 };
  assert.deepEqual(classify(tensor, { ...options, labels: ['cat', 'dog:x'] }).data, [
    '2.000000:1:dog:x',
    '1.000000:0:cat',
  ]);
  assert.deepEqual(classify(tensor, { ...options, labels: ['cat'] }).data, ['2.000000:1', '1.000000:0']);
});

test('all other dimensions are one list of classes', () => {
  const tensor = float32([1, 2, 2], new Float32Array([1, 4, 3, 2]));
  assert.deepEqual(classify(tensor, { classes: 4, batchAxis: 0 }).data, [
    '4.000000:1',
    '3.000000:2',
    '2.000000:3',
    '1.000000:0',
  ]);
});

test('rows may lie along any axis, or along none', () => {
  const tensor = float32([2, 3], new Float32Array([1, 2, 3, 6, 5, 4]));
  assert.deepEqual(classify(tensor, { classes: 1, batchAxis: 1 }), {
    datatype: 'BYTES',
    shape: [3, 1],
    data: ['6.000000:1', '5.000000:1', '4.000000:1'],
  });
  assert.deepEqual(classify(tensor, { classes: 1, batchAxis: null }), {
    datatype: 'BYTES',
    shape: [1],
    data: ['6.000000:3'],
  });
});

test('of equal values the first wins, and NaN comes last', () => {
  const tensor = float32([1, 5], new Float32Array([NaN, 1, 1, Infinity, -Infinity]));
  const data = ['inf:3', '1.000000:1', '1.000000:2', '-inf:4', 'nan:0'];
  assert.deepEqual(classify(tensor, { classes: 5, batchAxis: 0 }).data, data);
});

test('integers have no decimals, and 64-bit ones all their digits', () => {
  const wide = fromTypedArray('INT64', [1, 2], new BigInt64Array([9007199254740992n, 9007199254740993n]));
  assert.deepEqual(classify(wide, { classes: 1, batchAxis: 0 }).data, ['9007199254740993:1']);
  const small = fromTypedArray('UINT8', [1, 2], new Uint8Array([3, 9]));
  assert.deepEqual(classify(small, { classes: 1, batchAxis: 0 }).data, ['9:1']);
});

test('half floats are classified by their values, and large ones are written out', () => {
  const half = fromTypedArray('FP16', [1, 2], new Uint16Array([0xbc00, 0x3800]));
  assert.deepEqual(classify(half, { classes: 2, batchAxis: 0 }).data, ['0.500000:1', '-1.000000:0']);
  const large = fromTypedArray('FP64', [1, 1], new Float64Array([1e22]));
  assert.deepEqual(classify(large, { classes: 1, batchAxis: 0 }).data, ['10000000000000000000000.000000:0']);
});

test('few classes and many give the same order', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -40, max: 40 }), { minLength: 1, maxLength: 600 }),
      fc.integer({ min: 1, max: 600 }),
      (values, classes) => {
        const tensor = float32([1, values.length], Float32Array.from(values));
        const expected = values
          .map((value, index) => ({ value, index }))
          .sort((a, b) => b.value - a.value || a.index - b.index)
          .slice(0, classes)
          .map(({ value, index }) => `${value.toFixed(6)}:${index}`);
        assert.deepEqual(classify(tensor, { classes, batchAxis: 0 }).data, expected);
      },
    ),
    { numRuns: 200 },
  );
});
