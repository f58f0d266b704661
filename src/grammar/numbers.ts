import { choice, literal, optional, repeat, sequence, set, type Pattern } from './pattern.ts';

/** How JSON numbers are written within bounds: no exponent, at most 15 digits before the point and 12 behind it, so that a double holds what is written. */

const PLACES = 12;
const UNIT = 10n ** BigInt(PLACES);
const MOST = 10n ** 15n * UNIT - 1n;
const DIGIT = set([0x30, 0x39]);

export interface Bounds {
  /** Values beyond these are not taken; exclusive ones are not taken themselves. */
  readonly minimum?: number | undefined;
  readonly maximum?: number | undefined;
  readonly exclusiveMinimum?: number | undefined;
  readonly exclusiveMaximum?: number | undefined;
}

/** Numbers within bounds; undefined where there are none. */
export function boundedNumber(bounds: Bounds, { whole }: { whole: boolean }): Pattern | undefined {
  const [low, high] = units(bounds);
  const parts: Pattern[] = [];
  const between = whole ? wholeNumbers : decimals;
  if (high >= 0n) parts.push(...between(low > 0n ? low : 0n, high));
  if (low < 0n) {
    const least = high < 0n ? -high : whole ? UNIT : 1n;
    if (least <= -low) parts.push(...between(least, -low).map((part) => sequence(literal('-'), part)));
  }
  return parts.length === 0 ? undefined : choice(...parts);
}

/** The bounds in units of the last place, the nearest ones within. */
function units({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Bounds): [bigint, bigint] {
  const lows = [-MOST];
  const highs = [MOST];
  if (minimum !== undefined) lows.push(floorUnits(minimum).ceiling);
  if (exclusiveMinimum !== undefined) lows.push(floorUnits(exclusiveMinimum).floor + 1n);
  if (maximum !== undefined) highs.push(floorUnits(maximum).floor);
  if (exclusiveMaximum !== undefined) highs.push(floorUnits(exclusiveMaximum).ceiling - 1n);
  return [
    lows.reduce((one, other) => (one > other ? one : other)),
    highs.reduce((one, other) => (one < other ? one : other)),
  ];
}

/** A number's units, exactly from its shortest decimal text: the whole number of them below and above it. */
function floorUnits(value: number): { floor: bigint; ceiling: bigint } {
  const [, sign = '', digits = '0', fraction = '', power = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/.exec(String(value)) ?? [];
  const magnitude = BigInt(digits + fraction);
  const shift = Number(power) - fraction.length + PLACES;
  const scale = 10n ** BigInt(Math.abs(shift));
  const exact = shift >= 0 ? magnitude * scale : magnitude / scale;
  const isExact = shift >= 0 || magnitude % scale === 0n;
  if (sign === '') return { floor: exact, ceiling: isExact ? exact : exact + 1n };
  return { floor: isExact ? -exact : -exact - 1n, ceiling: -exact };
}

/** Whole numbers from `low` to `high` units, neither negative. */
function wholeNumbers(low: bigint, high: bigint): Pattern[] {
  return digitsBetween((low + UNIT - 1n) / UNIT, high / UNIT);
}

/** Decimals from `low` to `high` units, neither negative. */
function decimals(low: bigint, high: bigint): Pattern[] {
  if (low > high) return [];
  const [first, last] = [low / UNIT, high / UNIT];
  if (first === last) return withFraction(first, low % UNIT, high % UNIT);
  const between = digitsBetween(first + 1n, last - 1n);
  const anyFraction = optional(sequence(literal('.'), repeat(DIGIT, 1, PLACES)));
  return [
    ...withFraction(first, low % UNIT, UNIT - 1n),
    ...(between.length === 0 ? [] : [sequence(choice(...between), anyFraction)]),
    ...withFraction(last, 0n, high % UNIT),
  ];
}

/** A whole part with fractions from `low` to `high` units: for each number of digits, those that stand for such a fraction. */
function withFraction(whole: bigint, low: bigint, high: bigint): Pattern[] {
  const fractions: Pattern[] = low === 0n ? [literal('')] : [];
  for (let places = 1; places <= PLACES; places += 1) {
    const step = 10n ** BigInt(PLACES - places);
    const [from, to] = [(low + step - 1n) / step, high / step];
    const pad = (value: bigint): string => value.toString().padStart(places, '0');
    if (from <= to) fractions.push(sequence(literal('.'), sameLength(pad(from), pad(to))));
  }
  return fractions.length === 0 ? [] : [sequence(literal(whole.toString()), choice(...fractions))];
}

/** Whole numbers of a range, without leading zeros. */
function digitsBetween(low: bigint, high: bigint): Pattern[] {
  const parts: Pattern[] = [];
  for (let from = low; from <= high;) {
    const length = from.toString().length;
    const longest = 10n ** BigInt(length) - 1n;
    const to = longest < high ? longest : high;
    parts.push(sameLength(from.toString(), to.toString()));
    from = to + 1n;
  }
  return parts;
}

/** Texts of digits between two of the same length. */
function sameLength(low: string, high: string): Pattern {
  const [first = '', last = ''] = [low[0], high[0]];
  if (first === '') return literal('');
  const rest = low.length - 1;
  if (first === last) return sequence(literal(first), sameLength(low.slice(1), high.slice(1)));
  const all = repeat(DIGIT, rest, rest);
  if (/^0*$/.test(low.slice(1)) && /^9*$/.test(high.slice(1))) return sequence(digits(first, last), all);
  const [next, former] = [String(Number(first) + 1), String(Number(last) - 1)];
  return choice(
    sequence(literal(first), sameLength(low.slice(1), '9'.repeat(rest))),
    ...(next <= former ? [sequence(digits(next, former), all)] : []),
    sequence(literal(last), sameLength('0'.repeat(rest), high.slice(1))),
  );
}

function digits(from: string, to: string): Pattern {
  return set([from.charCodeAt(0), to.charCodeAt(0)]);
}
