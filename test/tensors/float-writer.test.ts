import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { float32Text } from '../../src/tensors/float-text.ts';
import { float32ListText } from '../../src/tensors/float-writer.ts';

function check(values: Float32Array): void {
  assert.equal(float32ListText(values), Array.from(values, float32Text).join(','));
}

const bits = fc.integer({ min: 0, max: 0xffffffff });
/** Numbers near 1, where most are. */
const usual = fc.integer({ min: 0, max: 0xffffff }).map((low) => 0x3a000000 + (low << 3));

test('any float32 has the text that it has by itself', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(bits, usual), { minLength: 1, maxLength: 40 }), (all) => {
      check(new Float32Array(Uint32Array.from(all).buffer));
    }),
    { numRuns: 5000 },
  );
});

test('so have powers of ten and two, their neighbours, short decimals, whole numbers and what is no number', () => {
  const values = [
    0,
    -0,
    NaN,
    Infinity,
    -Infinity,
    1e20,
    1.00000002e20,
    123456789,
    16777216,
    16777218,
    -0.1,
    1e-6,
    1e-7,
    1.5e-7,
    123.456,
  ];
  for (let power = -45; power <= 38; power += 1)
    values.push(Number(`1e${power}`), Number(`-9.999999e${power}`), Number(`1.5e${power}`));
  for (let power = -149; power < 128; power += 1)
    values.push(2 ** power, -(2 ** power) * (1 + 2 ** -23), 2 ** power * (2 - 2 ** -23));
  for (let whole = 0; whole < 2000; whole += 1) values.push(whole, whole / 10, whole / 1000, -whole / 7);
  check(Float32Array.from(values));
});

test('a list of any length is one text', () => {
  for (const length of [0, 1, 1023, 1024, 1025, 5000])
    check(Float32Array.from({ length }, (_, index) => -1.234567e-7 * index));
});
