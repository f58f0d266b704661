import type { LoadShape } from './flags.ts';
import type { Loaded } from './load.ts';
import { isAnswer, isRefusal, STAGES, type Stage } from './record.ts';
import type { LoadTarget } from './request.ts';
import { ascending, mean, percentile } from './statistics.ts';

/** What `carpool bench --json` prints, and `--compare` reads. Times are milliseconds. */

export interface Percentiles {
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** A part of the measurement, by when requests were due. */
export interface Round {
  readonly answered: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface Report {
  readonly tool: 'carpool bench';
  readonly version: string;
  readonly url: string;
  readonly model: string | null;
  readonly task: string | null;
  readonly path: string;
  readonly load: LoadShape;
  readonly seconds: number;
  /** Sent; `dropped` were not, because too many were under way. */
  readonly requests: number;
  readonly answered: number;
  readonly refused: number;
  readonly failed: number;
  readonly dropped: number;
  /** Answers in a second. */
  readonly perSecond: number;
  readonly statuses: Readonly<Record<string, number>>;
  /** Why requests failed, and how often. */
  readonly failures: Readonly<Record<string, number>>;
  /** Of answers: in an open loop from when a request was due, in a closed one from when it was sent. */
  readonly latencyMs: Percentiles | null;
  readonly refusalMs: Percentiles | null;
  /** Of answers, as the server tells it in Server-Timing. */
  readonly stagesMs: Readonly<Partial<Record<Stage, Percentiles>>>;
  readonly meanBatch: number | null;
  readonly firstTokenMs: Percentiles | null;
  readonly betweenTokensMs: Percentiles | null;
  readonly tokensPerSecond: number | null;
  readonly rounds: readonly Round[];
  /** Latency by percentile, for a plot. */
  readonly curve: readonly (readonly [number, number])[];
  readonly client: {
    /** Part of one core that this process took. */
    readonly cpu: number;
    readonly behindMs: number;
  };
}

/** Points of the curve: dense where few requests are. */
const CURVE = [0, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.75, 99.9, 99.95, 99.99, 100];

export interface Run {
  readonly url: string;
  readonly target: LoadTarget;
  readonly shape: LoadShape;
  readonly loaded: Loaded;
  readonly version: string;
}

/** The figures of a load. */
export function reportOf({ url, target, shape, loaded, version }: Run): Report {
  const { records, elapsedMs } = loaded;
  const { status, latencyMs } = records;
  const seconds = elapsedMs / 1000;
  const latencies = (fits: (status: number) => boolean): Float64Array =>
    ascending(latencyMs.filter((_, index) => fits(status[index] ?? 0)));
  const answered = latencies(isAnswer);
  const refused = latencies(isRefusal);
  const tokens = records.firstTokenMs.length + records.betweenTokensMs.length;
  const { model = null, task = null, request } = target;
  return {
    tool: 'carpool bench',
    version,
    url,
    model,
    task,
    path: request.path,
    load: shape,
    seconds,
    requests: status.length,
    answered: answered.length,
    refused: refused.length,
    failed: status.length - answered.length - refused.length,
    dropped: records.dropped,
    perSecond: answered.length / seconds,
    statuses: countsOf(status),
    failures: Object.fromEntries(records.reasons),
    latencyMs: percentilesOf(answered),
    refusalMs: percentilesOf(refused),
    stagesMs: Object.fromEntries(
      STAGES.flatMap((stage) => {
        const found = percentilesOf(ascending(records.stages.get(stage) ?? []));
        return found === null ? [] : [[stage, found]];
      }),
    ),
    meanBatch: records.batchItems.length === 0 ? null : mean(records.batchItems),
    firstTokenMs: percentilesOf(ascending(records.firstTokenMs)),
    betweenTokensMs: percentilesOf(ascending(records.betweenTokensMs)),
    tokensPerSecond: tokens === 0 ? null : tokens / seconds,
    rounds: roundsOf(shape, loaded),
    curve: answered.length === 0 ? [] : CURVE.map((percent) => [percent, percentile(answered, percent)]),
    client: { cpu: loaded.cpuMs / elapsedMs, behindMs: loaded.behindMs },
  };
}

function percentilesOf(values: Float64Array): Percentiles | null {
  if (values.length === 0) return null;
  const at = (percent: number): number => percentile(values, percent);
  return { mean: mean(values), p50: at(50), p90: at(90), p95: at(95), p99: at(99), p999: at(99.9), max: at(100) };
}

function countsOf(statuses: readonly number[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const status of statuses) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

/** Equal parts of the time in which requests were due. Answers count where they were due, so that no round lacks the slow ones. */
function roundsOf({ rounds: count, warmUpMs, durationMs }: LoadShape, { records, elapsedMs }: Loaded): Round[] {
  const lengthMs = Math.min(durationMs, elapsedMs) / count;
  const parts = Array.from({ length: count }, (): number[] => []);
  records.dueMs.forEach((dueMs, index) => {
    if (!isAnswer(records.status[index] ?? 0)) return;
    const place = Math.min(count - 1, Math.floor((dueMs - warmUpMs) / lengthMs));
    parts[place]?.push(records.latencyMs[index] ?? 0);
  });
  return parts.map((values) => {
    const sorted = ascending(values);
    return {
      answered: sorted.length,
      perSecond: (sorted.length * 1000) / lengthMs,
      p50Ms: percentile(sorted, 50),
      p99Ms: percentile(sorted, 99),
    };
  });
}
