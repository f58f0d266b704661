import { float32Text } from './float-text.ts';

/**
 * Float32 numbers as JSON text, the same text as `float32Text` gives of each, in less time: whether fewer digits will do is seen from their distance to the
 * number, and digits are written as bytes. What that does not decide for certain is left to `float32Text`.
 */

const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const COMMA = 0x2c;
const SMALL_E = 0x65;

/** Numbers that are written in one go; no text is longer than 25 characters with its comma. */
const PIECE = 1024;
const scratch = Buffer.allocUnsafeSlow(PIECE * 25);

const POWERS = Float64Array.from({ length: 23 }, (_, exponent) => 10 ** exponent);
/** Small ones as integers: with doubles, a remainder takes as long as all the rest. */
const WHOLE_POWERS = Int32Array.from({ length: 10 }, (_, exponent) => 10 ** exponent);
/** Digits that are enough for any float32, and those of the fewest that are tried: zeros at the end are not written. */
const ENOUGH_DIGITS = 9;
const FEWEST_DIGITS = 6;
/** Sizes for which a power of ten that a double holds is enough, and which have no exponent of more than two digits. */
const LEAST = 1e-12;
const MOST = 1e20;
/** Half of the distance to the next float32, and the exponent of ten, by the exponent in the bits of a number. */
const HALF_STEPS = Float64Array.from({ length: 256 }, (_, bits) => 2 ** (bits - 127 - 24));
const TENS = Int8Array.from({ length: 256 }, (_, bits) => Math.floor(Math.log10(2) * (bits - 127)));
const NEXT_TENS = Float64Array.from(TENS, (exponent) => Number(`1e${exponent + 1}`));
const EXPONENT_BITS = 0xff;
const FRACTION_BITS = 0x7fffff;
/** Far more than the errors of the arithmetic, in units of the last of nine digits. */
const DOUBT = 2 ** -16;

/** The numbers, separated by commas. */
export function float32ListText(values: Float32Array): string {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  let text = '';
  for (let start = 0; start < values.length; start += PIECE) {
    let at = 0;
    const end = Math.min(values.length, start + PIECE);
    for (let index = start; index < end; index += 1) {
      if (index > 0) at = writeByte(COMMA, at);
      at = writeFloat(values, bits, index, at);
    }
    text += scratch.toString('latin1', 0, at);
  }
  return text;
}

function writeByte(byte: number, at: number): number {
  scratch[at] = byte;
  return at + 1;
}

/** Writes the number at an index; the place after it. Numbers go from function to function as integers, as doubles would be put on the heap. */
function writeFloat(values: Float32Array, bits: Uint32Array, index: number, start: number): number {
  const value = values[index] as number;
  const size = Math.abs(value);
  // NaN, too, has its text elsewhere.
  if (!(size >= LEAST && size <= MOST)) return writeSlowly(value, start);
  const at = value < 0 ? writeByte(MINUS, start) : start;
  if (size <= 16_777_216 && Number.isInteger(size)) return writeDigits(size | 0, widthOf(size | 0), at);
  // Powers of two have another float32 at half the distance below.
  const word = bits[index] as number;
  if ((word & FRACTION_BITS) === 0) return writeSlowly(value, start);
  const power = (word >>> 23) & EXPONENT_BITS;
  const exponent = (TENS[power] as number) + (size >= (NEXT_TENS[power] as number) ? 1 : 0);
  const places = ENOUGH_DIGITS - 1 - exponent;
  const scale = POWERS[Math.abs(places)] as number;
  const exact = places >= 0 ? size * scale : size / scale;
  const half = places >= 0 ? (HALF_STEPS[power] as number) * scale : (HALF_STEPS[power] as number) / scale;
  let whole = Math.round(exact);
  if (Math.abs(Math.abs(exact - whole) - 0.5) < DOUBT) return writeSlowly(value, start);
  let left = 0;
  for (let unit = 10; left < ENOUGH_DIGITS - FEWEST_DIGITS; unit *= 10) {
    const shorter = Math.round(exact / unit);
    const distance = Math.abs(shorter * unit - exact);
    if (Math.abs(distance - half) < DOUBT || Math.abs(distance - unit / 2) < DOUBT) return writeSlowly(value, start);
    if (distance > half) break;
    whole = shorter;
    left += 1;
  }
  return writeDecimal(whole | 0, places - left, at);
}

function writeSlowly(value: number, start: number): number {
  return start + scratch.write(float32Text(value), start, 'latin1');
}

/** Writes whole / 10^places as JavaScript does. */
function writeDecimal(whole: number, places: number, start: number): number {
  let digits = whole;
  let behind = places;
  for (; digits % 10 === 0; behind -= 1) digits = (digits / 10) | 0;
  const width = widthOf(digits);
  /** Digits before the point. */
  const point = width - behind;
  if (behind <= 0) {
    scratch.fill(ZERO, start + width, start + point);
    return writeDigits(digits, width, start) - behind;
  }
  if (point > 0)
    return writeParts(digits, behind, writeDigits((digits / (WHOLE_POWERS[behind] as number)) | 0, point, start));
  if (point > -6) {
    scratch[start] = ZERO;
    scratch[start + 1] = POINT;
    return writeDigits(digits, behind, start + 2);
  }
  let at = writeDigits((digits / (WHOLE_POWERS[width - 1] as number)) | 0, 1, start);
  if (width > 1) at = writeParts(digits, width - 1, at);
  scratch[at] = SMALL_E;
  scratch[at + 1] = MINUS;
  return writeDigits(1 - point, widthOf(1 - point), at + 2);
}

/** Writes the point and the last `places` of the digits. */
function writeParts(digits: number, places: number, start: number): number {
  scratch[start] = POINT;
  return writeDigits(digits % (WHOLE_POWERS[places] as number), places, start + 1);
}

/** Writes a whole number below 2^31 with zeros in front. */
function writeDigits(whole: number, width: number, start: number): number {
  let rest = whole;
  for (let at = start + width - 1; at >= start; at -= 1) {
    const tens = (rest / 10) | 0;
    scratch[at] = ZERO + rest - tens * 10;
    rest = tens;
  }
  return start + width;
}

/** How many digits a whole number has. */
function widthOf(whole: number): number {
  let width = 1;
  while (width < WHOLE_POWERS.length && whole >= (WHOLE_POWERS[width] as number)) width += 1;
  return width;
}
