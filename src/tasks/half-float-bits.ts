/** Numbers to the 16 bits of FP16 and BF16, rounded once and to even (IEEE 754, section 4.3.1); too large becomes infinity. */

interface Format {
  readonly fractionBits: number;
  readonly bias: number;
}
const FLOAT16: Format = { fractionBits: 10, bias: 15 };
const BFLOAT16: Format = { fractionBits: 7, bias: 127 };

export function float16Bits(value: number): number {
  return bitsOf(value, FLOAT16);
}

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

/** The exponent e of a positive number in 2^e to 2^(e+1); the logarithm alone may be off by one beside a power of two. */
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
