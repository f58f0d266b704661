import { short } from '../../src/benchmark/table.ts';
import type { HealthTimes } from '../health-probe.ts';
import { median, percentileOf } from '../../src/benchmark/statistics.ts';
import { BROKEN, type CrowdAnswer, TIMED_OUT } from './load.ts';

/** What was measured of one server in one round. */
export interface Outcome {
  readonly name: string;
  readonly seconds: number;
  readonly peakPerSecond: number;
  readonly offeredPerSecond: number;
  readonly crowd: CrowdAnswer;
  readonly health: HealthTimes;
  /** The same on PROBE_PORT; undefined where there is none. */
  readonly probePort: HealthTimes | undefined;
  /** Processor time over the load, in cores; undefined where it is not known. */
  readonly cores: number | undefined;
  readonly mainThreadCores: number | undefined;
  readonly mainThreadSeconds: number | undefined;
  readonly meanBatch: number | undefined;
  /** MiB at intervals, the first before the load. */
  readonly rss: readonly number[];
  /** Connections ready to be accepted, at intervals. */
  readonly acceptQueue: readonly number[];
  /** Median of single requests on an idle server. */
  readonly loneMs: { readonly before: number; readonly after: number };
}

export const ROWS: readonly string[] = [
  'peak, answers/s',
  'offered, requests/s',
  'sent (not sent: too many under way)',
  'connections opened',
  'answered in time, answers/s',
  'answered / peak',
  'refused (429, 503)',
  'failed: no reply in time, broken',
  'other statuses',
  'latency of answers, p50 / p99 ms',
  'latency of refusals, p50 / p99 ms',
  '/health, p50 / p99 / most ms',
  '/health failed',
  'the same on PROBE_PORT',
  'accept queue, p50 / most',
  'server, cores (its main thread)',
  'main thread for a request, answered or refused, us',
  'client, cores (late by, p99 ms)',
  'mean batch',
  'memory before / most / at the end, MiB',
  'lone request before / after, ms',
];

const REFUSALS: ReadonlySet<number> = new Set([429, 503]);

/** A column of the table, in the order of `ROWS`. */
export function columnOf(outcome: Outcome): string[] {
  const { crowd, health, probePort, seconds, peakPerSecond, loneMs, rss, acceptQueue } = outcome;
  const { answered, refused, timedOut, broken, others } = sortOut(crowd);
  // What was answered after the end belongs to the queue, not to the rate.
  const inTime = answered.filter(
    (index) => (crowd.dueMs[index] ?? 0) + (crowd.latencyMs[index] ?? 0) <= seconds * 1000,
  );
  const latencies = (indices: readonly number[]): number[] => indices.map((index) => crowd.latencyMs[index] ?? 0);
  const known = (value: number | undefined): string => (value === undefined ? '-' : short(value));
  return [
    short(peakPerSecond),
    short(outcome.offeredPerSecond),
    `${crowd.status.length} (${crowd.dropped})`,
    String(crowd.opened),
    short(inTime.length / seconds),
    short(inTime.length / seconds / peakPerSecond),
    String(refused.length),
    `${timedOut}, ${broken}`,
    [...others].map(([status, count]) => `${status}: ${count}`).join(', ') || 'none',
    pair(latencies(answered)),
    pair(latencies(refused)),
    timesOf(health),
    failuresOf(health),
    probePort === undefined ? '-' : `${timesOf(probePort)}, ${failuresOf(probePort)} failed`,
    acceptQueue.length === 0 ? '-' : `${short(median(acceptQueue))} / ${short(percentileOf(acceptQueue, 100))}`,
    `${known(outcome.cores)} (${known(outcome.mainThreadCores)})`,
    known(mainThreadUs(outcome)),
    `${short(crowd.cpuSeconds / seconds)} (${short(percentileOf(crowd.lateMs, 99))})`,
    known(outcome.meanBatch),
    rss.length === 0 ? '-' : [rss[0], percentileOf(rss, 100), rss.at(-1)].map((mib) => known(mib)).join(' / '),
    `${short(loneMs.before)} / ${short(loneMs.after)}`,
  ];
}

function mainThreadUs({ mainThreadSeconds, crowd }: Outcome): number | undefined {
  return mainThreadSeconds === undefined ? undefined : (mainThreadSeconds / crowd.status.length) * 1e6;
}

function timesOf({ latenciesMs }: HealthTimes): string {
  return `${pair(latenciesMs)} / ${short(percentileOf(latenciesMs, 100))}`;
}

function failuresOf({ failures, latenciesMs }: HealthTimes): string {
  return `${failures} of ${latenciesMs.length}`;
}

function pair(latencies: readonly number[]): string {
  return `${short(median(latencies))} / ${short(percentileOf(latencies, 99))}`;
}

interface Sorted {
  /** Indices of requests. */
  readonly answered: readonly number[];
  readonly refused: readonly number[];
  readonly timedOut: number;
  readonly broken: number;
  readonly others: ReadonlyMap<number, number>;
}

/** Requests by what became of them. */
export function sortOut({ status }: Pick<CrowdAnswer, 'status'>): Sorted {
  const answered: number[] = [];
  const refused: number[] = [];
  const others = new Map<number, number>();
  let timedOut = 0;
  let broken = 0;
  status.forEach((code, index) => {
    if (code === TIMED_OUT) timedOut++;
    else if (code === BROKEN) broken++;
    else if (code >= 200 && code < 300) answered.push(index);
    else if (REFUSALS.has(code)) refused.push(index);
    else others.set(code, (others.get(code) ?? 0) + 1);
  });
  return { answered, refused, timedOut, broken, others };
}

export const CSV_HEAD = 'server,round,kind,due_ms,late_ms,latency_ms,status\n';

/** One line for each request and probe; status 0: broken, 1: no reply in time. Probes have neither due time nor status. */
export function csvLines({ name, crowd, health }: Outcome, round: number): string {
  const lines: string[] = [];
  crowd.status.forEach((status, index) => {
    const times = [crowd.dueMs, crowd.lateMs, crowd.latencyMs].map((column) => (column[index] ?? 0).toFixed(2));
    lines.push(`${name},${round},request,${times.join(',')},${status}\n`);
  });
  for (const latencyMs of health.latenciesMs) lines.push(`${name},${round},health,,,${latencyMs.toFixed(2)},\n`);
  return lines.join('');
}
