import { monitorEventLoopDelay } from 'node:perf_hooks';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Every metric of the server: name, help, labels and buckets. Each server has its own registry, never the global one. */

/** From 0.1 ms to 100 s in geometric steps: a request may be a table look-up or a picture. */
const SECONDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100,
];
/** From 1 Mbit/s to 10 Gbit/s, in bytes. */
const RATES = [1.25e5, 2.5e5, 6.25e5, 1.25e6, 2.5e6, 6.25e6, 1.25e7, 2.5e7, 6.25e7, 1.25e8, 2.5e8, 6.25e8, 1.25e9];
const SIZES = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256, 512, 1024];

/** Upper ends of the ranges of histograms. */
export const BOUNDS = { seconds: SECONDS, items: SIZES } as const;

/** Not labelled `quantile`, which only summaries may have: these are since the last scrape. */
const DELAY_STATISTICS = [
  ['p50', 50],
  ['p99', 99],
  ['max', 100],
] as const;

export type Metrics = ReturnType<typeof createMetrics>;

// One table: splitting it would only hide it.
// eslint-disable-next-line max-lines-per-function
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Counter({ name: `carpool_${name}`, help, labelNames, registers });
  const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Gauge({ name: `carpool_${name}`, help, labelNames, registers });
  const histogram = <Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    buckets = SECONDS,
  ) => new Histogram({ name: `carpool_${name}`, help, labelNames, buckets, registers });
  collectDefaultMetrics({ register: registry });
  // promtool refuses gauges that are named like counters; these are only sums of nodejs_active_handles and so on.
  for (const kind of ['handles', 'requests', 'resources']) registry.removeSingleMetric(`nodejs_active_${kind}_total`);
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  const eventLoop = new Gauge({
    name: 'carpool_event_loop_delay_seconds',
    help: 'Delay of the main thread since the last scrape',
    labelNames: ['statistic'],
    registers,
    collect() {
      // The monitor measures a timer of 10 ms: the rest is delay.
      for (const [statistic, percentile] of DELAY_STATISTICS)
        eventLoop.set({ statistic }, Math.max(0, delay.percentile(percentile) / 1e9 - 0.01));
      delay.reset();
    },
  });
  let readAcceptQueue: (() => Promise<number | undefined>) | undefined;
  const acceptQueue = new Gauge({
    name: 'carpool_accept_queue',
    help: 'New connections that the kernel has ready and the server has not accepted yet (Linux)',
    registers,
    async collect() {
      const connections = await readAcceptQueue?.();
      if (connections === undefined) acceptQueue.remove();
      else acceptQueue.set(connections);
    },
  });
  return {
    registry,
    /** Sets where the accept queue is read, at each scrape; it resolves with undefined where it is not known. */
    watchAcceptQueue(read: () => Promise<number | undefined>): void {
      readAcceptQueue = read;
    },
    /** Stops the measuring of the event loop. */
    stop: () => void delay.disable(),
    connections: gauge('connections', 'Open connections', []),
    connectionsFull: counter('connections_full_total', 'New connections at CONNECTION_LIMIT, by what became of them', [
      'outcome',
    ]),
    requests: counter('requests_total', 'Requests answered', ['model', 'dialect', 'code']),
    keyRequests: counter('key_requests_total', 'Requests answered, by the API key that they came with', [
      'key',
      'code',
    ]),
    keyItems: counter('key_items_total', 'Items of requests, by their API key', ['key']),
    keyRefusals: counter('key_refusals_total', 'Requests refused because of what their API key may do', [
      'key',
      'reason',
    ]),
    items: counter('items_total', 'Items of admitted requests, by outcome', ['model', 'outcome']),
    requestSeconds: histogram('request_seconds', 'From the first header byte parsed to the end of the reply', [
      'model',
      'dialect',
    ]),
    firstEventSeconds: histogram(
      'first_event_seconds',
      'Of streamed replies: from the first header byte parsed to the first event',
      ['model', 'dialect'],
    ),
    waitSeconds: histogram('queue_wait_seconds', 'From joining the queue, prepared, to the start of the run', [
      'model',
    ]),
    prepareSeconds: histogram(
      'prepare_seconds',
      'Turning an item into tensors, with the wait for a CPU thread where it has one to itself',
      ['model'],
    ),
    runSeconds: histogram('run_seconds', 'A run of the model alone', ['model']),
    finishSeconds: histogram('finish_seconds', 'Turning tensors into a reply', ['model']),
    batchItems: histogram('batch_items', 'Items in a run', ['model'], SIZES),
    batchCost: counter('batch_cost_total', 'Cost of all runs, in the unit of the task', ['model']),
    work: counter('work_total', 'Work done by models, by unit: tokens, prompt_tokens, audio_seconds', [
      'model',
      'unit',
    ]),
    cuts: counter('batches_cut_total', 'Batches by why they grew no further: items, cost, time, empty or delay', [
      'model',
      'reason',
    ]),
    rejects: counter('rejects_total', 'Requests refused, by reason', ['model', 'reason']),
    left: counter(
      'left_total',
      'Items whose client left or whose time ran out, by whether they were waiting or running',
      ['model', 'why', 'state'],
    ),
    jobs: counter('jobs_total', 'Jobs that this server has claimed, by what became of them', ['source', 'outcome']),
    jobsHeld: gauge('jobs_held', 'Jobs claimed and not reported yet', ['source']),
    oldestJobSeconds: gauge(
      'job_oldest_seconds',
      'Age of the oldest job held, since it was sent, or claimed where that is not known; 0: none is held',
      ['source'],
    ),
    jobSeconds: histogram('job_seconds', 'From the claim of a job to the end of its report', ['source']),
    jobLeases: counter('job_leases_total', 'Extensions of leases, by what became of them', ['source', 'outcome']),
    storedJobs: gauge('stored_jobs', 'Jobs in JOBS_DIR', ['status']),
    jobStoreBytes: gauge('job_store_bytes', 'Bytes of the jobs in JOBS_DIR and their results', []),
    commandBacklog: gauge(
      'command_backlog_files',
      'Checkpoint files of the command that runs that have changed and are not stored yet',
      [],
    ),
    storageBytes: counter('storage_bytes_total', 'Bytes moved to and from storage, those of failed attempts too', [
      'scheme',
      'direction',
    ]),
    storageCalls: counter('storage_calls_total', 'Calls of storage, by what came of them', [
      'scheme',
      'operation',
      'outcome',
    ]),
    storageSeconds: histogram('storage_call_seconds', 'Calls of storage, with their retries', ['scheme', 'operation']),
    storageRate: histogram(
      'storage_transfer_rate',
      'Bytes a second of transfers of at least 1 MB that succeeded',
      ['scheme', 'direction'],
      RATES,
    ),
    storageRetries: counter('storage_retries_total', 'Attempts that failed and were made again', ['scheme']),
    batches: gauge('batches', 'Batches of /v1/batches', ['status']),
    fileStoreBytes: gauge(
      'file_store_bytes',
      'Bytes of the files of /v1/files, and of results that are being written',
      [],
    ),
    webhooks: counter('webhooks_total', 'Calls of webhooks, by what came of them, and messages that were dropped', [
      'outcome',
    ]),
    webhooksWaiting: gauge('webhooks_waiting', 'Webhooks that are not delivered yet', []),
    queuePart: gauge('queue_part', 'Part of the queues that the monitor of the node lets be used', []),
    waitingItems: gauge('queue_items', 'Items waiting', ['model']),
    runningItems: gauge('running_items', 'Items running', ['model']),
    permitsUsed: gauge(
      'permits_used',
      'Permits taken by requests and jobs: items in preparation, waiting and running',
      ['model'],
    ),
    permitsLimit: gauge('permits_limit', 'Permits there are, for requests and for jobs each', ['model']),
    predictedWaitSeconds: gauge(
      'predicted_wait_seconds',
      'How long a new item would wait for its run: the figure to scale by',
      ['model'],
    ),
    fitSlope: gauge('run_fit_cost_seconds', 'a of the fit: run time = a * cost + b', ['model']),
    fitBase: gauge('run_fit_base_seconds', 'b of the fit: run time = a * cost + b', ['model']),
    laneUp: gauge('lane_up', '1 while the lane takes batches', ['lane', 'device']),
    lateRuns: counter('late_runs_total', 'Runs beyond the runLimitMs of their model', ['lane']),
    laneLosses: counter('lane_losses_total', 'Lanes that died', ['lane']),
    laneBusySeconds: counter('lane_busy_seconds_total', 'Time lanes spent on batches', ['lane']),
    spans: counter('spans_total', 'Spans of traces, by what became of them', ['outcome']),
    phase: gauge('phase', '1 for the phase the server is in', ['phase']),
    modelLoadSeconds: gauge('model_load_seconds', 'How long loading and warming took', ['model', 'version']),
    modelFileBytes: gauge(
      'model_file_bytes',
      'Bytes of the files that a model was loaded from: each of its lanes has a copy of its weights',
      ['model', 'version'],
    ),
  };
}
