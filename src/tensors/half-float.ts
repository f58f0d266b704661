import type { FixedTensor } from './tensor.ts';
import { float32, fromTypedArray, typedView } from './tensor.ts';

/** The value of IEEE 754 binary16 bits; every one is exact in float32. */
export function readFloat16(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The value of bfloat16 bits: the upper half of a float32. */
export function readBFloat16(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1;
  const exponent = (bits >>> 7) & 0xff;
  const fraction = bits & 0x7f;
  if (exponent === 0) return sign * fraction * 2 ** -133;
  if (exponent === 0xff) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 128) * 2 ** (exponent - 127);
}

let float16Values: Float32Array | undefined;

/** All binary16 values by their bits: a look-up is several times faster than arithmetic. */
function float16Table(): Float32Array {
  float16Values ??= Float32Array.from({ length: 0x10000 }, (_, bits) => readFloat16(bits));
  return float16Values;
}

/** An FP16 or BF16 tensor as FP32; the conversion is exact. */
export function widenHalf(tensor: FixedTensor): FixedTensor {
  const bits = typedView(tensor);
  if (!(bits instanceof Uint16Array)) throw new TypeError(`${tensor.datatype} has no half-width elements`);
  const values = new Float32Array(bits.length);
  if (tensor.datatype === 'BF16') {
    const words = new Uint32Array(values.buffer);
    for (let at = 0; at < bits.length; at += 1) words[at] = (bits[at] as number) << 16;
  } else {
    const table = float16Table();
    for (let at = 0; at < bits.length; at += 1) values[at] = table[bits[at] as number] as number;
  }
  return float32(tensor.shape, values);
}

interface Format {
  readonly fractionBits: number;
  readonly bias: number;
}
const FLOAT16: Format = { fractionBits: 10, bias: 15 };
const BFLOAT16: Format = { fractionBits: 7, bias: 127 };

/** A float32 tensor as FP16, each number rounded. */
export function narrowHalf(tensor: FixedTensor): FixedTensor {
  return fromTypedArray('FP16', tensor.shape, Uint16Array.from(typedView(tensor) as Float32Array, float16Bits));
}

/** The binary16 bits of a number, rounded once, ties to even (IEEE 754, section 4.3.1); a number that is too large becomes infinity. */
export function float16Bits(value: number): number {
  return bitsOf(value, FLOAT16);
}

/** The bfloat16 bits of a number, rounded in the same way. */
export function bfloat16Bits(value: number): number {
  return bitsOf(value, BFLOAT16);
}

function bitsOf(value: number, { fractionBits, bias }: Format): number {
  const infinity = (2 * bias + 1) << fractionBits;
  if (Number.isNaN(value)) return infinity | (1 << (fractionBits - 1));
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size === Infinity) return sign | infinity;
  // Subnormal numbers share the least exponent; a fraction that rounds up to a whole one carries into the exponent by itself.
  const exponent = Math.max(1 - bias, exponentOf(size));
  const units = roundToEven(size * 2 ** (fractionBits - exponent));
  return sign | Math.min(infinity, units + ((exponent + bias - 1) << fractionBits));
}

/** The exponent e of a positive number from 2^e to below 2^(e+1); the logarithm alone may be off by one near a power of two. */
function exponentOf(size: number): number {
  if (size < 2 ** -200) return -200;
  const guess = Math.floor(Math.log2(size));
  if (2 ** guess > size) return guess - 1;
  return 2 ** (guess + 1) <= size ? guess + 1 : guess;
}

function roundToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 === 1) ? below + 1 : below;
}
