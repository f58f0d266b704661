import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { nestingAt, readFloatArray } from '../../src/tensors/float-reader.ts';

/** The numbers of a flat array; undefined if the reader leaves it to others. */
function read(text: string, count: number): number[] | undefined {
  const bytes = Buffer.from(text);
  const out = new Float32Array(count);
  const end = readFloatArray(bytes, 0, { shape: [count], nesting: 1 }, out);
  return end === bytes.byteLength ? [...out] : undefined;
}

/** What JSON.parse and rounding give; undefined where a float32 cannot hold it. */
function expected(text: string): number[] | undefined {
  const values = (JSON.parse(text) as number[]).map(Math.fround);
  return values.every(Number.isFinite) ? values : undefined;
}

function check(texts: readonly string[]): void {
  const text = `[${texts.join(',')}]`;
  assert.deepEqual(read(text, texts.length), expected(text), text);
}

const digits = (least: number, most: number) =>
  fc.array(fc.integer({ min: 0, max: 9 }), { minLength: least, maxLength: most }).map((all) => all.join(''));
const decimal = fc
  .record({
    sign: fc.constantFrom('', '-'),
    whole: fc.oneof(
      fc.constant('0'),
      digits(1, 25).map((text) => text.replace(/^0+(?=.)/, '')),
    ),
    fraction: fc.oneof(
      fc.constant(''),
      digits(1, 30).map((text) => `.${text}`),
    ),
    exponent: fc.oneof(
      { weight: 2, arbitrary: fc.constant('') },
      fc
        .record({ e: fc.constantFrom('e', 'E', 'e+', 'e-', 'E-'), power: fc.nat(60) })
        .map(({ e, power }) => e + String(power)),
    ),
  })
  .map(({ sign, whole, fraction, exponent }) => sign + whole + fraction + exponent);
const float32 = fc
  .integer({ min: 0, max: 0xff7fffff })
  .map((bits) => new Float32Array(new Uint32Array([bits]).buffer)[0] ?? 0)
  .filter(Number.isFinite);

test('any decimal is read as JSON.parse and rounding read it', () => {
  fc.assert(fc.property(fc.array(decimal, { minLength: 1, maxLength: 20 }), check), { numRuns: 5000 });
});

test('numbers at, just below and just above the middle of two float32 round as the exact number does', () => {
  const bits = new Uint32Array(1);
  const value = new Float32Array(bits.buffer);
  fc.assert(
    fc.property(float32, (low) => {
      value[0] = Math.abs(low);
      bits[0] = (bits[0] ?? 0) + 1;
      const [high = 0] = value;
      if (!Number.isFinite(high)) return;
      const middle = (Math.abs(low) + high) / 2;
      const exact = middle >= 1e-6 && middle < 1e21 ? middle.toFixed(Math.min(100, 60)) : middle.toPrecision(100);
      check([
        String(middle),
        exact,
        exact.replace(/0*$/, '0'),
        `-${exact}`,
        middle.toPrecision(17),
        middle.toPrecision(25),
      ]);
    }),
    { numRuns: 5000 },
  );
});

test('doubles and float32 as JSON.stringify prints them', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(float32, fc.double({ noNaN: true, noDefaultInfinity: true })), { minLength: 1 }),
      (all) => {
        check(all.map((one) => JSON.stringify(one)));
      },
    ),
    { numRuns: 2000 },
  );
});

test('limits, signs of zero, and blanks', () => {
  const most = '340282356779733661637539395458142568447';
  check([
    '3.4028235677973366e38',
    '-3.4028235677973362e+38',
    most,
    '1e-46',
    '7.0064923216240854e-46',
    '0e999',
    '1e-999',
  ]);
  assert.deepEqual(read('[340282356779733661637539395458142568448]', 1), undefined);
  assert.ok(Object.is(read('[-0]', 1)?.[0], -0));
  assert.ok(Object.is(read('[-0.0e5]', 1)?.[0], -0));
  assert.deepEqual(read('[ 1 ,\n\t2\r, 3 ]', 3), [1, 2, 3]);
});

test('what is no JSON, or another number of numbers, is left to others', () => {
  const wrong = [
    '01',
    '1.',
    '.5',
    '+1',
    '-',
    '1e',
    '1e+',
    '--1',
    '0x1',
    '1,',
    '',
    '1 2',
    '[1]',
    '"1"',
    'null',
    'NaN',
    '1]',
    '1_0',
  ];
  for (const one of wrong) assert.equal(read(`[${one}]`, 1), undefined, one);
  assert.equal(read('[1,2]', 1), undefined);
  assert.equal(read('[1,2]', 3), undefined);
  for (const cut of ['[1', '[', '', '[1,', '[1.', '[1e', '[-']) assert.equal(read(cut, 1), undefined, cut);
});

function readNested(text: string, shape: readonly number[]): number[] | undefined {
  const bytes = Buffer.from(text);
  const out = new Float32Array(shape.reduce((product, size) => product * size, 1));
  const form = { shape, nesting: nestingAt(bytes, 0) };
  return readFloatArray(bytes, 0, form, out) === bytes.byteLength ? [...out] : undefined;
}

test('nested arrays are read where all are as deep and as long as the first', () => {
  assert.deepEqual(readNested('[[1,2],[3,4]]', [2, 2]), [1, 2, 3, 4]);
  assert.deepEqual(readNested(' [ [ 1 ] , [ 2 ] ] '.trim(), [2, 1]), [1, 2]);
  assert.deepEqual(readNested('[[1,2],[3,4]]', [2, 1, 2]), [1, 2, 3, 4]);
  assert.deepEqual(readNested('[[[1,2]],[[3,4]]]', [2, 1, 2]), [1, 2, 3, 4]);
  for (const ragged of [
    '[[1,2],[3]]',
    '[[1,2],3,4]',
    '[[1,2]]',
    '[[1,2],[3,4],[5,6]]',
    '[[1,2],[3,4]',
    '[[1,2][3,4]]',
    '[[1,2],]',
  ])
    assert.equal(readNested(ragged, [2, 2]), undefined, ragged);
});
