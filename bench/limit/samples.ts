import { short } from '../../src/benchmark/table.ts';
import { median } from '../../src/benchmark/statistics.ts';

/** What was measured of one side at one number of connections in one round. */
export interface Sample {
  readonly side: string;
  readonly connections: number;
  /** From 1. */
  readonly round: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly failures: number;
  readonly meanBatch: number | undefined;
  /** Processor time a request: of the server's main thread, of all its processes, of the client. */
  readonly mainThreadUs: number | undefined;
  readonly serverUs: number | undefined;
  readonly clientUs: number | undefined;
}

export const BARE_LOOP = 'bare loop';

/** The bare HTTP server that reads and writes what a side does, by the name of its payload: a dialect. */
export function bareHttp(dialect: string): string {
  return `node:http, ${dialect}`;
}

/** Our server's side of a dialect. */
export function ours(dialect: string, lanes: number, name = 'carpool'): string {
  return `${name} ${dialect}, ${lanes} lane${lanes === 1 ? '' : 's'}`;
}

/** Ends the names of sides that are measured while their page is open. */
export const PAGE_OPEN = ', page open';

export const EXPRESS = 'Express, oip-json';

/** One value a round, in order; rounds without it are left out. */
export function valuesOf(
  samples: readonly Sample[],
  side: string,
  connections: number,
  value: (sample: Sample) => number | undefined = ({ perSecond }) => perSecond,
): ReadonlyMap<number, number> {
  const found = samples.filter((sample) => sample.side === side && sample.connections === connections);
  return new Map(
    found.flatMap((sample): [number, number][] => {
      const number = value(sample);
      return number === undefined ? [] : [[sample.round, number]];
    }),
  );
}

/** One result a round that both have: what a shared machine does to both at a time cancels out in a ratio. */
export function byRound(
  left: ReadonlyMap<number, number>,
  right: ReadonlyMap<number, number>,
  result: (left: number, right: number) => number = (a, b) => a / b,
): number[] {
  return [...left].flatMap(([round, value]) => {
    const other = right.get(round);
    return other === undefined ? [] : [result(value, other)];
  });
}

/** The median, and the least and most where there are several: `0.93 (0.91 to 0.98)`. */
export function spread(values: readonly number[]): string {
  if (values.length === 0) return '-';
  const middle = short(median(values));
  return values.length === 1 ? middle : `${middle} (${short(Math.min(...values))} to ${short(Math.max(...values))})`;
}
