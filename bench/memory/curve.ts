import { formatTable, short } from '../../src/benchmark/table.ts';
import { median } from '../../src/benchmark/statistics.ts';

/** Resident memory after so many runs, texts or loads. */
export interface Point {
  readonly count: number;
  readonly mib: number;
}

/** The least-squares slope of a curve from half of its way on, in bytes for each count: what comes before is warm-up. */
export function growthBytes(points: readonly Point[]): number {
  const last = points.at(-1)?.count ?? 0;
  const late = points.filter(({ count }) => count >= last / 2);
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(late.map(({ count }) => count)), mean(late.map(({ mib }) => mib))];
  const spread = late.reduce((sum, { count }) => sum + (count - x) ** 2, 0);
  const together = late.reduce((sum, { count, mib }) => sum + (count - x) * (mib - y), 0);
  return (together / spread) * 2 ** 20;
}

/** The curve at every tenth of its way, and its growth in the second half. */
export function curveTable(what: string, points: readonly Point[]): string {
  const shown = points.filter((_, index) => index % Math.max(1, Math.round((points.length - 1) / 10)) === 0);
  const highest = Math.max(...points.map(({ mib }) => mib));
  return [
    formatTable([what, ...shown.map(({ count }) => String(count))], [['MiB', ...shown.map(({ mib }) => short(mib))]]),
    `highest ${short(highest)} MiB, median of the last quarter ${short(median(points.slice(-Math.ceil(points.length / 4)).map(({ mib }) => mib)))} MiB, ` +
      `growth in the second half ${short(growthBytes(points))} bytes for each of them`,
  ].join('\n');
}
