import { formatTable } from '../../src/benchmark/table.ts';
import { median } from '../../src/benchmark/statistics.ts';
import type { LimitModel } from './options.ts';
import { BARE_LOOP, bareHttp, byRound, EXPRESS, ours, type Sample, spread, valuesOf } from './samples.ts';

/** What the project wants to reach, as ratios within a run, and whether it does. */

interface Goal {
  readonly title: string;
  /** At least this; at most where `isLimit`. */
  readonly wanted: number;
  readonly isLimit?: boolean;
  readonly values: readonly number[];
}

/** The goals of a model for which all sides were measured, as a table; empty without any. */
export function goalsTable(model: LimitModel, samples: readonly Sample[]): string {
  const rows = goalsOf(model, samples)
    .filter(({ values }) => values.length > 0)
    .map((goal) => {
      const { title, wanted, isLimit = false, values } = goal;
      return [title, `${isLimit ? '<=' : '>='} ${wanted}`, spread(values), isMet(goal) ? 'yes' : 'no'];
    });
  return rows.length === 0 ? '' : formatTable(['goal', 'wanted', 'measured', 'met'], rows);
}

function isMet({ wanted, isLimit = false, values }: Goal): boolean {
  return isLimit ? median(values) <= wanted : median(values) >= wanted;
}

function goalsOf(model: LimitModel, samples: readonly Sample[]): Goal[] {
  const ratio = (side: string, other: string): number[] =>
    byRound(valuesOf(samples, side, 64), valuesOf(samples, other, 64));
  const [binary, json, native] = [ours('oip-binary', 1), ours('oip-json', 1), ours('native', 1)];
  const twoLanes = ours('oip-binary', 2);
  const own: Goal[] = [];
  if (model === 'A')
    own.push(
      { title: 'oip-json, 1 lane / bare loop', wanted: 0.65, values: ratio(json, BARE_LOOP) },
      { title: 'oip-binary, 1 lane / bare loop', wanted: 0.85, values: ratio(binary, BARE_LOOP) },
      { title: 'native / oip-json', wanted: 0.9, values: ratio(native, json) },
    );
  if (model === 'B') {
    const peers = [...new Set(samples.map(({ side }) => side))].filter((side) => side.startsWith('peer '));
    own.push(
      { title: 'oip-binary, 1 lane / node:http', wanted: 0.5, values: ratio(binary, bareHttp('oip-binary')) },
      { title: 'oip-json, 1 lane / Express', wanted: 2.5, values: ratio(json, EXPRESS) },
      ...peers.map((peer) => ({ title: `oip-binary, 1 lane / ${peer}`, wanted: 1, values: ratio(binary, peer) })),
    );
  }
  if (model === 'C')
    own.push(
      { title: 'oip-binary, 1 lane / bare loop', wanted: 0.95, values: ratio(binary, BARE_LOOP) },
      { title: 'oip-json, 1 lane / bare loop', wanted: 0.9, values: ratio(json, BARE_LOOP) },
      { title: 'oip-binary, 2 lanes / bare loop', wanted: 1.5, values: ratio(twoLanes, BARE_LOOP) },
    );
  const p50 = (side: string): ReadonlyMap<number, number> => valuesOf(samples, side, 1, ({ p50Ms }) => p50Ms);
  return [
    ...own,
    ...[binary, json].flatMap((side): Goal[] => [
      {
        title: `${side}: one client's p50 above the bare run, ms`,
        wanted: 0.3,
        isLimit: true,
        values: byRound(p50(side), p50(BARE_LOOP), (left, right) => left - right),
      },
      {
        title: `${side}: 256 connections / 64`,
        wanted: 1,
        values: byRound(valuesOf(samples, side, 256), valuesOf(samples, side, 64)),
      },
    ]),
  ];
}
