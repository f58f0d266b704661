import assert from 'node:assert/strict';
import { test } from 'node:test';
import { transferables } from '../../src/tensors/transferables.ts';
import { fromTypedArray, type Tensor } from '../../src/tensors/tensor.ts';

const floats = (count: number, buffer = new ArrayBuffer(count * 4)): Tensor =>
  fromTypedArray('FP32', [count], new Float32Array(buffer, 0, count));

test('a buffer that several tensors share is given away once', () => {
  const buffer = new ArrayBuffer(8192);
  const other = new ArrayBuffer(4096);
  assert.deepEqual(transferables([floats(10, buffer), floats(20, buffer), floats(30, other)]), [buffer, other]);
});

test('small buffers are copied instead: handing them over costs more', () => {
  assert.deepEqual(transferables([floats(10)]), []);
  assert.equal(transferables([floats(512)]).length, 1);
});

test('texts and shared memory cannot be given away', () => {
  const shared: Tensor = { datatype: 'UINT8', shape: [4096], data: new Uint8Array(new SharedArrayBuffer(4096)) };
  assert.deepEqual(transferables([{ datatype: 'BYTES', shape: [1], data: ['a'.repeat(9000)] }, shared]), []);
});
