import { median } from '../src/benchmark/statistics.ts';

/**
 * How much a series grew: the median of its last quarter over the median of its second, minus 1. The first quarter is left out, because
 * a process that has just been loaded fills its caches and heap.
 */
export function growth(series: readonly number[]): number {
  const quarter = Math.floor(series.length / 4);
  if (quarter === 0) return Number.NaN;
  return median(series.slice(-quarter)) / median(series.slice(quarter, 2 * quarter)) - 1;
}
