import type {
  Counts,
  Histogram,
  JobNumbers,
  LaneRow,
  ModelNumbers,
  ProcessNumbers,
} from '../../../web/live/protocol.ts';
import type { Metrics } from '../../metrics.ts';

/** The numbers that pages show, read from the metrics themselves, so that a page and a scrape never differ. */

type Labels = Readonly<Partial<Record<string, string | number>>>;
interface Value {
  readonly value: number;
  readonly labels: Labels;
  readonly metricName?: string;
}
/** What all kinds of metrics of prom-client have. */
interface Readable {
  get(): Promise<{ readonly values: readonly Value[] }>;
}

async function valuesOf(metric: Readable): Promise<readonly Value[]> {
  return (await metric.get()).values;
}

/** Sums by model. */
async function byModel(metric: Readable): Promise<ReadonlyMap<string, number>> {
  const sums = new Map<string, number>();
  for (const { value, labels } of await valuesOf(metric)) {
    const model = String(labels['model'] ?? '');
    sums.set(model, (sums.get(model) ?? 0) + value);
  }
  return sums;
}

/** Sums by one label, for each value of another one (by default the model). */
async function countsBy(metric: Readable, label: string, of = 'model'): Promise<ReadonlyMap<string, Counts>> {
  const all = new Map<string, Record<string, number>>();
  for (const { value, labels } of await valuesOf(metric)) {
    const owner = String(labels[of] ?? '');
    let counts = all.get(owner);
    if (counts === undefined) all.set(owner, (counts = {}));
    const name = String(labels[label] ?? '');
    counts[name] = (counts[name] ?? 0) + value;
  }
  return all;
}

async function sumsBy(metric: Readable, label: string): Promise<Counts> {
  return Object.fromEntries([...(await countsBy(metric, label, ''))].flatMap(([, counts]) => Object.entries(counts)));
}

/** Histograms by model, whatever else they are labelled with. */
async function histogramsOf(metric: Readable, ranges: number): Promise<ReadonlyMap<string, Histogram>> {
  const all = new Map<string, { count: number; sum: number; ranges: number[] }>();
  // Of each set of labels, ranges come in order, each with those below it.
  let index = 0;
  let below = 0;
  for (const { value, labels, metricName } of await valuesOf(metric)) {
    const model = String(labels['model'] ?? '');
    let histogram = all.get(model);
    if (histogram === undefined)
      all.set(model, (histogram = { count: 0, sum: 0, ranges: new Array<number>(ranges).fill(0) }));
    if (metricName?.endsWith('_sum') === true) histogram.sum += value;
    else if (metricName?.endsWith('_count') === true) {
      histogram.count += value;
      index = 0;
      below = 0;
    } else {
      histogram.ranges[index] = (histogram.ranges[index] ?? 0) + value - below;
      below = value;
      index += 1;
    }
  }
  return all;
}

const NO_COUNTS: Counts = {};

/** The numbers of all models that have any. Gauges must be up to date. */
export async function readModels(
  metrics: Metrics,
  bounds: { readonly seconds: number; readonly items: number },
): Promise<ReadonlyMap<string, ModelNumbers>> {
  const [waiting, running, permits, permitsLimit, predictedWait] = await Promise.all(
    [
      metrics.waitingItems,
      metrics.runningItems,
      metrics.permitsUsed,
      metrics.permitsLimit,
      metrics.predictedWaitSeconds,
    ].map(byModel),
  );
  const [requests, rejects, left, cuts, work] = await Promise.all([
    countsBy(metrics.requests, 'code'),
    countsBy(metrics.rejects, 'reason'),
    countsBy(metrics.left, 'why'),
    countsBy(metrics.cuts, 'reason'),
    countsBy(metrics.work, 'unit'),
  ]);
  const [request, wait, run] = await Promise.all(
    [metrics.requestSeconds, metrics.waitSeconds, metrics.runSeconds].map((metric) =>
      histogramsOf(metric, bounds.seconds + 1),
    ),
  );
  const batch = await histogramsOf(metrics.batchItems, bounds.items + 1);
  const none = (ranges: number): Histogram => ({ count: 0, sum: 0, ranges: new Array<number>(ranges + 1).fill(0) });
  const noSeconds = none(bounds.seconds);
  const names = new Set([waiting, requests, rejects, batch].flatMap((by) => [...(by?.keys() ?? [])]));
  const noItems = none(bounds.items);
  const numbersOf = (name: string): ModelNumbers => {
    const number = (by: ReadonlyMap<string, number> | undefined): number => by?.get(name) ?? 0;
    const counts = (by: ReadonlyMap<string, Counts>): Counts => by.get(name) ?? NO_COUNTS;
    const times = (by: ReadonlyMap<string, Histogram> | undefined): Histogram => by?.get(name) ?? noSeconds;
    return {
      waiting: number(waiting),
      running: number(running),
      permits: number(permits),
      permitsLimit: number(permitsLimit),
      predictedWaitS: number(predictedWait),
      requests: counts(requests),
      rejects: counts(rejects),
      left: counts(left),
      cuts: counts(cuts),
      work: counts(work),
      request: times(request),
      wait: times(wait),
      run: times(run),
      batch: batch.get(name) ?? noItems,
    };
  };
  return new Map([...names].map((name) => [name, numbersOf(name)]));
}

/** Lanes that have ever been up, in order. */
export async function readLanes({ laneUp, laneBusySeconds }: Metrics): Promise<LaneRow[]> {
  const busy = new Map((await valuesOf(laneBusySeconds)).map(({ labels, value }) => [Number(labels['lane']), value]));
  return (await valuesOf(laneUp))
    .map(({ labels, value }) => {
      const lane = Number(labels['lane']);
      return { lane, device: String(labels['device']), up: value === 1, busyS: rounded(busy.get(lane) ?? 0) };
    })
    .sort((one, other) => one.lane - other.lane);
}

export async function readJobs({ jobsHeld, jobs, storedJobs, batches }: Metrics): Promise<JobNumbers> {
  const [held, ended, stored, ofBatches] = await Promise.all([
    sumsBy(jobsHeld, 'source'),
    sumsBy(jobs, 'outcome'),
    sumsBy(storedJobs, 'status'),
    sumsBy(batches, 'status'),
  ]);
  return { held, ended, stored, batches: ofBatches };
}

/** But for the delays, which a scrape would lose if they were read from its metric. */
export async function readProcess({
  registry,
  connections,
}: Metrics): Promise<Omit<ProcessNumbers, 'delayP99Ms' | 'delayMaxMs'>> {
  const read = async (metric: Readable | undefined): Promise<number> =>
    metric === undefined ? 0 : ((await valuesOf(metric))[0]?.value ?? 0);
  const named = (name: string): Promise<number> => read(registry.getSingleMetric(name));
  // Reading the first of each group brings the others up to date.
  await Promise.all([named('process_cpu_user_seconds_total'), named('nodejs_heap_size_total_bytes')]);
  const [residentBytes, heapBytes, cpuS, open] = await Promise.all([
    named('process_resident_memory_bytes'),
    named('nodejs_heap_size_used_bytes'),
    named('process_cpu_seconds_total'),
    read(connections),
  ]);
  return { residentBytes, heapBytes, cpuS: rounded(cpuS), connections: open };
}

function rounded(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
