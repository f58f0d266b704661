import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Report } from './report.ts';
import { ratioOf, type Ratio } from './statistics.ts';
import { formatTable, short } from './table.ts';

/** Compares two runs round by round. */

/** Of a report what a comparison and a plot read. */
const SHAPE = z.looseObject({
  tool: z.literal('carpool bench'),
  rounds: z.array(z.looseObject({ perSecond: z.number(), p50Ms: z.number(), p99Ms: z.number() })).min(1),
  curve: z.array(z.tuple([z.number(), z.number()])),
});

/** Reads what `carpool bench --json` printed. Throws a plain Error that names the file. */
export async function readReport(file: string): Promise<Report> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new Error(`${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`, { cause: error });
  });
  try {
    return SHAPE.parse(JSON.parse(text)) as unknown as Report;
  } catch (error) {
    throw new Error(`${file} is not the JSON of a run: make it by \`carpool bench <url> --json > ${file}\``, {
      cause: error,
    });
  }
}

export interface Compared {
  readonly what: string;
  /** The second over the first; null where there are too few rounds, or one without an answer. */
  readonly ratio: Ratio | null;
  readonly verdict: 'better' | 'worse' | 'cannot tell';
}

const FIGURES = [
  { what: 'answers a second', field: 'perSecond', isBetterMore: true },
  { what: 'latency p50', field: 'p50Ms', isBetterMore: false },
  { what: 'latency p99', field: 'p99Ms', isBetterMore: false },
] as const;

/** The second run over the first. Rounds of one run lie beside each other in time, so what slows a machine for minutes is not in their spread. */
export function compare(first: Report, second: Report): Compared[] {
  return FIGURES.map(({ what, field, isBetterMore }) => {
    const values = ({ rounds }: Report): number[] => rounds.map((round) => round[field]);
    const ratio = ratioOf(values(first), values(second)) ?? null;
    if (ratio?.differs !== true) return { what, ratio, verdict: 'cannot tell' };
    return { what, ratio, verdict: ratio.ratio > 1 === isBetterMore ? 'better' : 'worse' };
  });
}

/** A comparison for a person. */
export function comparedText(compared: readonly Compared[], [first, second]: readonly [string, string]): string {
  const rows = compared.map(({ what, ratio, verdict }) => [
    what,
    ratio === null ? '-' : short(ratio.ratio),
    ratio === null ? '-' : `${short(ratio.low)} to ${short(ratio.high)}`,
    verdict === 'cannot tell' ? 'cannot be told apart' : verdict,
  ]);
  return [`${second} over ${first}:`, '', formatTable(['', 'ratio', '95 % interval', 'the second is'], rows)].join(
    '\n',
  );
}
