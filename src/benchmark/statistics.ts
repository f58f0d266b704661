/** Percentiles, and how far two series of rounds can be told apart. */

/** Percentile (0-100) of ascending values, between the two nearest ranks in a straight line, as k6 does it; 0 of no values. */
export function percentile(ascending: ArrayLike<number>, percent: number): number {
  if (ascending.length === 0) return 0;
  const rank = (percent / 100) * (ascending.length - 1);
  const low = ascending[Math.floor(rank)] ?? 0;
  const high = ascending[Math.ceil(rank)] ?? 0;
  return low + (high - low) * (rank - Math.floor(rank));
}

/** A sorted copy, ready for `percentile`. */
export function ascending(values: Iterable<number>): Float64Array {
  return Float64Array.from(values).sort();
}

/** The median of values in any order; 0 of none. */
export function median(values: Iterable<number>): number {
  return percentile(ascending(values), 50);
}

/** A percentile (0-100) of values in any order; 0 of none. */
export function percentileOf(values: Iterable<number>, percent: number): number {
  return percentile(ascending(values), percent);
}

export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < values.length; index += 1) sum += values[index] ?? 0;
  return values.length === 0 ? 0 : sum / values.length;
}

/** A ratio of two series, with the interval that holds the true one in 95 of 100 cases. */
export interface Ratio {
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
  /** Whether the interval is on one side of 1. */
  readonly differs: boolean;
}

/**
 * `b` over `a`, of two series of rounds that were measured by themselves: Welch's interval of the difference of means (Welch 1947, degrees of freedom after
 * Satterthwaite), of logarithms, because times and rates vary by factors. Undefined where a series has fewer than two rounds or a value that is not above 0.
 */
export function ratioOf(a: readonly number[], b: readonly number[]): Ratio | undefined {
  if (a.length < 2 || b.length < 2 || ![...a, ...b].every((value) => value > 0)) return undefined;
  const [one, other] = [momentsOf(a.map(Math.log)), momentsOf(b.map(Math.log))];
  const difference = other.mean - one.mean;
  const [u, v] = [one.variance / a.length, other.variance / b.length];
  const degrees = u + v === 0 ? Infinity : (u + v) ** 2 / (u ** 2 / (a.length - 1) + v ** 2 / (b.length - 1));
  const half = u + v === 0 ? 0 : studentQuantile(degrees) * Math.sqrt(u + v);
  const [low, high] = [Math.exp(difference - half), Math.exp(difference + half)];
  return { ratio: Math.exp(difference), low, high, differs: low > 1 || high < 1 };
}

function momentsOf(values: readonly number[]): { mean: number; variance: number } {
  const middle = mean(values);
  const squares = values.reduce((sum, value) => sum + (value - middle) ** 2, 0);
  return { mean: middle, variance: squares / (values.length - 1) };
}

const NORMAL_QUANTILE = 1.959_963_984_54;
/** Of Student's distribution, by degrees of freedom from 1 on: the expansion below is inexact there. */
const SMALL = [12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.306];

/**
 * The value that Student's t stays below in 97.5 of 100 cases: of up to 8 degrees of freedom from the table, in a straight line between them, of more by the
 * expansion of Cornish and Fisher (Abramowitz and Stegun 26.7.5), which is exact to 0.001 there.
 */
export function studentQuantile(degrees: number): number {
  const low = Math.floor(degrees);
  const [below, above] = [SMALL[low - 1], SMALL[low]];
  if (below !== undefined && above !== undefined) return below + (above - below) * (degrees - low);
  if (degrees < 1) return SMALL[0] ?? Infinity;
  const z = NORMAL_QUANTILE;
  return (
    z +
    (z ** 3 + z) / (4 * degrees) +
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * degrees ** 2) +
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / (384 * degrees ** 3)
  );
}
