import type { Counts, Histogram, ModelNumbers } from './protocol.ts';

/** Numbers that only grow, turned into what they say of a stretch of time. */

/** What happened between two frames, of one model or of several together. */
export interface Figures {
  readonly seconds: number;
  /** Requests a second that were answered well. */
  readonly okPerS: number;
  /** Requests a second that were refused: there was no room or no time for them. */
  readonly refusedPerS: number;
  /** Requests a second that failed otherwise: 4xx but for refusals, 5xx. */
  readonly failedPerS: number;
  /** Requests a second whose client left. */
  readonly leftPerS: number;
  /** Items a second that ran. */
  readonly itemsPerS: number;
  /** Milliseconds, from the first byte to the end of the reply; undefined: there was none. */
  readonly latencyP50: number | undefined;
  readonly latencyP99: number | undefined;
  readonly waitP50: number | undefined;
  readonly waitP99: number | undefined;
  readonly runMs: number | undefined;
  /** Items of a run, on average. */
  readonly batch: number | undefined;
  readonly runsPerS: number;
  readonly cuts: Counts;
  readonly rejects: Counts;
  /** Items that left before they were answered, by why. */
  readonly left: Counts;
  readonly work: Counts;
  /** Runs by their items, in the ranges of histograms. */
  readonly sizes: readonly number[];
}

/** Of no time at all. */
export const NO_FIGURES: Figures = {
  ...{ seconds: 0, okPerS: 0, refusedPerS: 0, failedPerS: 0, leftPerS: 0, itemsPerS: 0, runsPerS: 0 },
  ...{ latencyP50: undefined, latencyP99: undefined, waitP50: undefined, waitP99: undefined },
  ...{ runMs: undefined, batch: undefined, cuts: {}, rejects: {}, left: {}, work: {}, sizes: [] },
};

export interface Bounds {
  readonly seconds: readonly number[];
}

/** What happened between the earlier numbers and the later ones, `seconds` after them. */
export function figuresOf(
  later: ModelNumbers,
  earlier: ModelNumbers | undefined,
  { seconds, bounds }: { readonly seconds: number; readonly bounds: Bounds },
): Figures {
  const requests = minus(later.requests, earlier?.requests);
  const rejects = minus(later.rejects, earlier?.rejects);
  const left = minus(later.left, earlier?.left);
  // What waited until no run could be in time any more is answered like what was not let in.
  const refused = sumOf(rejects, (reason) => FULL.has(reason)) + (left['late'] ?? 0);
  const request = histogramMinus(later.request, earlier?.request);
  const wait = histogramMinus(later.wait, earlier?.wait);
  const run = histogramMinus(later.run, earlier?.run);
  const batch = histogramMinus(later.batch, earlier?.batch);
  const perS = (count: number): number => (seconds > 0 ? count / seconds : 0);
  const ms = (quantile: number | undefined): number | undefined =>
    quantile === undefined ? undefined : quantile * 1e3;
  return {
    seconds,
    okPerS: perS(sumOf(requests, isWell)),
    refusedPerS: perS(refused),
    failedPerS: perS(sumOf(requests, (status) => !isWell(status) && status !== REFUSED && status !== LEFT)),
    leftPerS: perS(requests[LEFT] ?? 0),
    itemsPerS: perS(batch.sum),
    latencyP50: ms(quantileOf(request, bounds.seconds, 0.5)),
    latencyP99: ms(quantileOf(request, bounds.seconds, 0.99)),
    waitP50: ms(quantileOf(wait, bounds.seconds, 0.5)),
    waitP99: ms(quantileOf(wait, bounds.seconds, 0.99)),
    runMs: ms(meanOf(run)),
    batch: meanOf(batch),
    runsPerS: perS(batch.count),
    cuts: minus(later.cuts, earlier?.cuts),
    rejects,
    left,
    work: minus(later.work, earlier?.work),
    sizes: batch.ranges,
  };
}

/** Statuses of requests that are neither served nor failed: there was no room for them, their client left. */
const REFUSED = '429';
const LEFT = '499';
/** Reasons of refusals with that status; others are failures by their own. */
const FULL: ReadonlySet<string> = new Set(['QUEUE_FULL', 'WAIT_TOO_LONG']);

function isWell(status: string): boolean {
  return status.startsWith('2');
}

/** The numbers of several models as if they were one. */
export function together(all: Iterable<ModelNumbers>): ModelNumbers | undefined {
  let sum: ModelNumbers | undefined;
  for (const one of all)
    sum =
      sum === undefined
        ? one
        : {
            waiting: sum.waiting + one.waiting,
            running: sum.running + one.running,
            permits: sum.permits + one.permits,
            permitsLimit: sum.permitsLimit + one.permitsLimit,
            predictedWaitS: Math.max(sum.predictedWaitS, one.predictedWaitS),
            requests: plus(sum.requests, one.requests),
            rejects: plus(sum.rejects, one.rejects),
            left: plus(sum.left, one.left),
            cuts: plus(sum.cuts, one.cuts),
            work: plus(sum.work, one.work),
            request: histogramPlus(sum.request, one.request),
            wait: histogramPlus(sum.wait, one.wait),
            run: histogramPlus(sum.run, one.run),
            batch: histogramPlus(sum.batch, one.batch),
          };
  return sum;
}

export function sumOf(counts: Counts, is: (name: string) => boolean = () => true): number {
  return Object.entries(counts).reduce((sum, [name, count]) => (is(name) ? sum + count : sum), 0);
}

function plus(one: Counts, other: Counts): Counts {
  const sum: Record<string, number> = { ...one };
  for (const [name, count] of Object.entries(other)) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}

/** What was added; a server that has started anew counts from 0 again. */
function minus(later: Counts, earlier: Counts = {}): Counts {
  return Object.fromEntries(
    Object.entries(later)
      .map(([name, count]) => [name, Math.max(0, count - (earlier[name] ?? 0))] as const)
      .filter(([, count]) => count > 0),
  );
}

function histogramPlus(one: Histogram, other: Histogram): Histogram {
  return {
    count: one.count + other.count,
    sum: one.sum + other.sum,
    ranges: one.ranges.map((count, index) => count + (other.ranges[index] ?? 0)),
  };
}

function histogramMinus(later: Histogram, earlier: Histogram | undefined): Histogram {
  if (earlier === undefined) return later;
  return {
    count: Math.max(0, later.count - earlier.count),
    sum: Math.max(0, later.sum - earlier.sum),
    ranges: later.ranges.map((count, index) => Math.max(0, count - (earlier.ranges[index] ?? 0))),
  };
}

function meanOf({ count, sum }: Histogram): number | undefined {
  return count === 0 ? undefined : sum / count;
}

/** A quantile, as `histogram_quantile` of Prometheus estimates it: within a range, values are taken to lie evenly. */
export function quantileOf({ ranges }: Histogram, bounds: readonly number[], quantile: number): number | undefined {
  const count = ranges.reduce((sum, one) => sum + one, 0);
  if (count === 0) return undefined;
  let left = quantile * count;
  for (const [index, inRange] of ranges.entries()) {
    const from = index === 0 ? 0 : (bounds[index - 1] ?? 0);
    // The last range has no end.
    const to = bounds[index] ?? from;
    if (left <= inRange) return from + (to - from) * (inRange === 0 ? 0 : left / inRange);
    left -= inRange;
  }
  return bounds.at(-1);
}
