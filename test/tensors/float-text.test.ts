import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { float32Text, float64Text, shortFloat32 } from '../../src/tensors/float-text.ts';

/** The definition, slowly: the fewest significant digits that read back. */
function fewestDigits(value: number): number {
  for (let digits = 1; digits <= 9; digits += 1)
    if (Math.fround(Number(value.toPrecision(digits))) === value) return digits;
  return 10;
}

function digitsOf(value: number): number {
  const [mantissa = ''] = value.toExponential().split('e');
  return mantissa.replace(/[-.]/g, '').length;
}

const anyFloat32 = fc
  .integer({ min: 0, max: 0xffffffff })
  .map((bits) => new Float32Array(new Uint32Array([bits]).buffer)[0] ?? 0)
  .filter(Number.isFinite);

const cases: readonly [value: number, text: string][] = [
  [0, '0'],
  [-0, '-0.0'],
  [1, '1'],
  [-1, '-1'],
  [0.1, '0.1'],
  [-0.3, '-0.3'],
  [1 / 3, '0.33333334'],
  [16777216, '16777216'],
  [100, '100'],
  [123456.79, '123456.79'],
  [1e-6, '0.000001'],
  [1.5e-7, '1.5e-7'],
  [1e20, '100000000000000000000'],
  [1e21, '1e+21'],
  [3.4028234663852886e38, '3.4028235e+38'],
  [1.1754943508222875e-38, '1.1754944e-38'],
  [1.401298464324817e-45, '1e-45'],
  [1e-20, '1e-20'],
  [NaN, 'null'],
  [Infinity, 'null'],
  [-Infinity, 'null'],
  [1e39, 'null'],
];

test('a float32 has its shortest text', () => {
  for (const [value, text] of cases) assert.equal(float32Text(Math.fround(value)), text);
});

/** Significant digits of a decimal text. */
function digitCount(text: string): number {
  const mantissa = text.replace(/e.*/, '').replace(/[-.]/g, '');
  return mantissa.replace(/^0+/, '').replace(/0+$/, '').length;
}

function checkShortest(value: number): void {
  const text = float32Text(value);
  assert.equal(Math.fround(Number(text)), value, `${text} reads back to ${value}`);
  let digits = 1;
  while (Math.fround(Number(value.toPrecision(digits))) !== value) digits += 1;
  assert.ok(digitCount(text) <= digits, `${text} for ${value} has more than ${digits} digits`);
  if (value !== 0) assert.equal(text, String(Number(text)), 'in the notation of JavaScript');
}

test('every power of two, power of ten and neighbour reads back, with no digit too many', () => {
  const values = new Float32Array(1);
  const words = new Uint32Array(values.buffer);
  const checkAround = (): void => {
    const center = words[0] ?? 0;
    for (const step of [-2, -1, 0, 1, 2]) {
      words[0] = center + step;
      const [value = 0] = values;
      if (Number.isFinite(value)) checkShortest(value);
    }
  };
  for (let exponent = 1; exponent < 255; exponent += 1) {
    words[0] = exponent << 23;
    checkAround();
  }
  for (let power = -44; power <= 38; power += 1) {
    values[0] = Number(`1e${power}`);
    checkAround();
  }
});

test('the text reads back to the same float32, and no shorter one does', () => {
  fc.assert(
    fc.property(anyFloat32, (value) => {
      const short = shortFloat32(value);
      assert.equal(Math.fround(short), value);
      assert.ok(Object.is(Math.fround(Number(float32Text(value))), value));
      assert.ok(digitsOf(short) <= fewestDigits(value), `${short} for ${value}`);
    }),
    { numRuns: 20_000 },
  );
});

test('a float64 keeps its value and the sign of zero', () => {
  assert.equal(float64Text(0.1), '0.1');
  assert.equal(float64Text(-0), '-0.0');
  assert.equal(float64Text(NaN), 'null');
  assert.equal(float64Text(-Infinity), 'null');
});
