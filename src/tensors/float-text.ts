/**
 * The shortest decimals that read back to the same float32. `JSON.stringify` prints a float32 as a double
 * (0.10000000149011612 for 0.1), which is longer and says no more.
 */

/** Powers of ten that a double holds exactly; with them a division or product of integers is rounded only once. */
const POWERS = Array.from({ length: 23 }, (_, exponent) => 10 ** exponent);

/** Decimal digits that any normal float32 keeps, and digits that are enough to tell any two float32 apart. */
const KEPT_DIGITS = 6;
const ENOUGH_DIGITS = 9;
/** Smaller numbers are subnormal and keep fewer digits. */
const LEAST_NORMAL = 2 ** -126;

/**
 * The double with the fewest decimal digits that rounds to the float32 `value`; `value` itself if it is not finite.
 * Fewer digits than `KEPT_DIGITS` need no search: rounding to six digits finds them, since zeros at the end are not printed.
 */
export function shortFloat32(value: number): number {
  const size = Math.abs(value);
  if (!(size < Infinity) || (size <= 16_777_216 && Number.isInteger(value))) return value;
  const exponent = Math.floor(Math.log10(size));
  for (let digits = size < LEAST_NORMAL ? 1 : KEPT_DIGITS; digits < ENOUGH_DIGITS; digits += 1) {
    const candidate = roundTo(value, digits, digits - 1 - exponent);
    if (Math.fround(candidate) === value) return candidate;
  }
  return roundTo(value, ENOUGH_DIGITS, ENOUGH_DIGITS - 1 - exponent);
}

/** A float32 as JSON text: the shortest that reads back to it (-0.0, because some readers take -0 for an integer), or `null` for NaN and infinities. */
export function float32Text(value: number): string {
  if (!Number.isFinite(value)) return 'null';
  return Object.is(value, -0) ? '-0.0' : String(shortFloat32(value));
}

/** The same for a float64. */
export function float64Text(value: number): string {
  if (!Number.isFinite(value)) return 'null';
  return Object.is(value, -0) ? '-0.0' : String(value);
}

/** `value` rounded to `digits` significant digits, of which `places` (may be negative) are after the decimal point. */
function roundTo(value: number, digits: number, places: number): number {
  const power = POWERS[Math.abs(places)];
  if (power === undefined) return Number(value.toPrecision(digits));
  return places >= 0 ? Math.round(value * power) / power : Math.round(value / power) * power;
}
