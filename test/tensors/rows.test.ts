import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { countRows, shapeKey, split, stack } from '../../src/tensors/rows.ts';
import {
  elementCount,
  FIXED_DATATYPES,
  fromTypedArray,
  typedView,
  type Datatype,
  type FixedDatatype,
  type FixedTensor,
  type Signature,
  type Tensor,
} from '../../src/tensors/tensor.ts';
import { spec } from '../tasks/support.ts';

const DATATYPES: readonly Datatype[] = [...(Object.keys(FIXED_DATATYPES) as FixedDatatype[]), 'BYTES'];

/** Tensors whose shapes differ in one axis only; their elements are as different as their bytes allow. */
const parts = fc
  .record({
    datatype: fc.constantFrom(...DATATYPES),
    shape: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
    axis: fc.nat(3),
    rows: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 }),
    offset: fc.nat(7),
  })
  .map(({ datatype, shape, axis: any, rows, offset }) => {
    const axis = any % shape.length;
    return {
      axis,
      rows,
      tensors: rows.map((count, part) => made(datatype, shape.with(axis, count), { part, offset })),
    };
  });

function made(datatype: Datatype, shape: number[], { part, offset }: { part: number; offset: number }): Tensor {
  const count = elementCount(shape);
  if (datatype === 'BYTES')
    return { datatype, shape, data: Array.from({ length: count }, (_, index) => `${part}:${index}`) };
  // Somewhere in a larger buffer, so that code may rely neither on alignment nor on an offset of 0.
  const buffer = new Uint8Array(offset + count * FIXED_DATATYPES[datatype].bytes);
  for (let index = 0; index < buffer.length; index += 1) buffer[index] = part * 83 + index;
  return { datatype, shape, data: buffer.subarray(offset) };
}

/** Contents alone: a view and a copy are the same. */
function plain(tensors: readonly Tensor[]): unknown[] {
  return tensors.map(({ datatype, shape, data }) => ({ datatype, shape: [...shape], data: [...data] }));
}

test('split undoes stack, for every datatype and along every axis', () => {
  fc.assert(
    fc.property(parts, ({ axis, rows, tensors }) => {
      const batch = stack(tensors, axis);
      assert.equal(
        batch.shape[axis],
        rows.reduce((sum, count) => sum + count, 0),
      );
      assert.deepEqual(plain(split(batch, axis, rows)), plain(tensors));
    }),
    { numRuns: 500 },
  );
});

test('stack puts each element where its index says', () => {
  const first = fromTypedArray('FP64', [2, 1, 2], new Float64Array([1, 2, 3, 4]));
  const second = fromTypedArray('FP64', [2, 2, 2], new Float64Array([5, 6, 7, 8, 9, 10, 11, 12]));
  const batch = stack([first, second], 1) as FixedTensor;
  assert.deepEqual(batch.shape, [2, 3, 2]);
  assert.deepEqual([...typedView(batch)], [1, 2, 5, 6, 7, 8, 3, 4, 9, 10, 11, 12]);
});

test('neither stack nor split changes what it is given', () => {
  fc.assert(
    fc.property(parts, ({ axis, rows, tensors }) => {
      const before = plain(tensors);
      split(stack(tensors, axis), axis, rows);
      assert.deepEqual(plain(tensors), before);
    }),
  );
});

test('an output with another number of rows than the batch is an error, not a wrong answer', () => {
  const batch = fromTypedArray('UINT8', [3], new Uint8Array(3));
  assert.throws(() => split(batch, 0, [1, 1]), /3 rows/);
  assert.throws(() => split(batch, 0, [2, 2]), /3 rows/);
  assert.throws(() => stack([], 0), /nothing to stack/);
});

const signature: Signature = {
  inputs: [spec('x', 'FP32', [-1, -1]), spec('state', 'FP32', [2, -1, 4], 1), spec('rate', 'INT64', [], null)],
  outputs: [spec('y', 'FP32', [-1])],
  batchable: true,
};
const request = ({ rows = 1, length = 3, rate = 8000n }) => [
  fromTypedArray('FP32', [rows, length], new Float32Array(rows * length)),
  fromTypedArray('FP32', [2, rows, 4], new Float32Array(8 * rows)),
  fromTypedArray('INT64', [], new BigInt64Array([rate])),
];
const keyOf = (of: Parameters<typeof request>[0]): string => shapeKey(signature, request(of));

test('requests may share a run when their shapes differ in the batch axes alone', () => {
  assert.equal(keyOf({ rows: 1 }), keyOf({ rows: 5 }));
  assert.notEqual(keyOf({ length: 3 }), keyOf({ length: 4 }));
});

test('requests that differ in a shared input do not share a run', () => {
  assert.equal(keyOf({ rate: 16_000n }), keyOf({ rate: 16_000n }));
  assert.notEqual(keyOf({ rate: 8000n }), keyOf({ rate: 16_000n }));
});

test('shapes of different inputs do not run into each other', () => {
  const two: Signature = { ...signature, inputs: [spec('a', 'FP32', [-1, -1]), spec('b', 'FP32', [-1, -1])] };
  const shaped = (shape: number[]): Tensor => fromTypedArray('FP32', shape, new Float32Array(elementCount(shape)));
  assert.notEqual(shapeKey(two, [shaped([1, 2]), shaped([1, 12])]), shapeKey(two, [shaped([1, 21]), shaped([1, 2])]));
});

test('a large or textual shared input makes a request that runs alone', () => {
  const large: Signature = { ...signature, inputs: [spec('table', 'FP32', [-1], null)] };
  const table = fromTypedArray('FP32', [100], new Float32Array(100));
  assert.notEqual(shapeKey(large, [table]), shapeKey(large, [table]));
  const text: Signature = { ...signature, inputs: [spec('prompt', 'BYTES', [1], null)] };
  const prompt: Tensor = { datatype: 'BYTES', shape: [1], data: ['a'] };
  assert.notEqual(shapeKey(text, [prompt]), shapeKey(text, [prompt]));
});

test('rows are counted on the first batch axis; a model without one has one row', () => {
  assert.equal(countRows(signature, request({ rows: 5 })), 5);
  const state = { ...signature, inputs: signature.inputs.slice(1) };
  assert.equal(countRows(state, request({ rows: 4 }).slice(1)), 4);
  const rate = { ...signature, inputs: signature.inputs.slice(2) };
  assert.equal(countRows(rate, request({ rows: 4 }).slice(2)), 1);
});
