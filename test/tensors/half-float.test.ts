import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readBFloat16, readFloat16, widenHalf } from '../../src/tensors/half-float.ts';
import { fromTypedArray, typedView } from '../../src/tensors/tensor.ts';

const float16Cases: readonly [bits: number, value: number][] = [
  [0x0000, 0],
  [0x8000, -0],
  [0x0001, 2 ** -24],
  [0x03ff, 1023 * 2 ** -24],
  [0x0400, 2 ** -14],
  [0x3555, 0.333251953125],
  [0x3c00, 1],
  [0xc000, -2],
  [0x7bff, 65504],
  [0x7c00, Infinity],
  [0xfc00, -Infinity],
  [0x7e00, NaN],
];

test('binary16 bits give their value', () => {
  for (const [bits, value] of float16Cases) assert.equal(readFloat16(bits), value, bits.toString(16));
});

test('bfloat16 bits are the upper half of a float32', () => {
  const words = new Uint32Array(1);
  const value = new Float32Array(words.buffer);
  for (let bits = 0; bits < 0x10000; bits += 1) {
    words[0] = bits << 16;
    assert.equal(readBFloat16(bits), value[0], bits.toString(16));
  }
});

test('widening gives each element exactly, at any alignment', () => {
  const bits = Uint16Array.from({ length: 0x10000 }, (_, index) => index);
  const shifted = new Uint8Array(bits.byteLength + 1);
  shifted.set(new Uint8Array(bits.buffer), 1);
  for (const [datatype, read] of [
    ['FP16', readFloat16],
    ['BF16', readBFloat16],
  ] as const) {
    const expected = Array.from(bits, read);
    for (const tensor of [
      fromTypedArray(datatype, [0x10000], bits),
      { datatype, shape: [0x10000], data: shifted.subarray(1) },
    ]) {
      const wide = widenHalf(tensor);
      assert.equal(wide.datatype, 'FP32');
      assert.deepEqual(wide.shape, [0x10000]);
      assert.deepEqual(Array.from<unknown>(typedView(wide)), expected);
    }
  }
});

test('widening refuses tensors that are not half floats', () => {
  assert.throws(() => widenHalf(fromTypedArray('FP32', [1], new Float32Array(1))), TypeError);
});
