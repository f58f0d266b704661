// First, because it must be set before the library is loaded.
import './no-telemetry.ts';
// Without this import a respawned worker thread fails with 'Module did not self-register'.
import 'onnxruntime-node';
import { parseAliases } from './config/model-aliases.ts';
import type { Config } from './config/options.ts';
import { countCores } from './lanes/cores.ts';
import { systemClock } from './core/clock.ts';
import { Core } from './core/core.ts';
import type { CoreEvents } from './core/events.ts';
import { ServerError } from './errors.ts';
import { BodyBudget } from './http/body-budget.ts';
import { InputFetcher } from './http/input-fetcher.ts';
import type { Keys } from './http/keys/keys.ts';
import type { Services } from './http/services.ts';
import type { Log, Logs } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { CpuPool } from './cpu/pool.ts';
import { deviceName } from './lanes/lane.ts';
import { Lanes } from './lanes/lanes.ts';
import { graphKey } from './lanes/protocol.ts';
import { TrialProcess } from './trial/trial-process.ts';
import { identityOf } from './salad/identity.ts';
import type { Monitor } from './salad/monitor.ts';
import type { SaladNode } from './salad/node.ts';
import { hasBoard } from './jobs/boards.ts';
import type { QueueBoard } from './jobs/queue-board.ts';
import { JobPlaces } from './jobs/job-places.ts';
import { createSender, type JobsDir } from './jobs/jobs-dir.ts';
import { Outbox } from './jobs/webhooks/outbox.ts';
import type { JobWorker } from './jobs/worker.ts';
import type { LanePlan } from './lanes/plan.ts';
import type { RepositoryEvent } from './repository/changes.ts';
import { publicReason } from './repository/reason.ts';
import { Repository } from './repository/repository.ts';
import { refreshJobGauges } from './jobs/metrics.ts';
import { countCoreEvents, refreshGauges } from './serving/core-metrics.ts';
import { Door, type DoorParts } from './serving/door.ts';
import { AloneLog } from './serving/alone-log.ts';
import { Loader } from './serving/loader.ts';
import { modelsOf } from './serving/models.ts';
import type { ServedModel } from './serving/served-model.ts';
import type { TensorCore } from './serving/tickets.ts';
import { ServerState, type Phase } from './state.ts';
import { countStorage } from './storage/metrics.ts';
import { ServerStorage } from './storage/server-storage.ts';
import { openTracer } from './tracing/open.ts';
import { VERSION } from './version.ts';
import { LiveFeed } from './web/live/feed.ts';

/** The composition root: every part is made here and handed to those that need it. What they do together: `start.ts`, `drain.ts`. */

/** Most CPU threads, if CPU_THREADS does not say: the lanes need the other cores. */
const MOST_CPU_THREADS = 4;

/** What a server is made of. */
export interface Parts {
  readonly services: Services;
  readonly core: TensorCore;
  readonly cpu: CpuPool;
  readonly lanes: Lanes;
  readonly trials: TrialProcess;
  /** The load of lanes and models, which goes on for a while where the start fails for another reason. */
  loading?: Promise<unknown>;
  /** Undefined until the lanes have started. */
  plan: LanePlan | undefined;
  /** None until the server is ready, and without JOB_SOURCE and JOBS_DIR. */
  readonly workers: JobWorker[];
  /** Absent until the queue is open, and where jobs of clients do not go into it. */
  board?: QueueBoard | undefined;
  /** What is in JOBS_DIR; undefined without it. */
  readonly kept: JobsDir | undefined;
  /** Webhooks that are to be sent. */
  readonly outbox: Outbox;
  /** Absent elsewhere than on SaladCloud. */
  salad?: SaladNode;
  /** Absent until the server is ready, and without a limit to judge a node by. */
  monitor?: Monitor;
}

/** What has to be opened before. */
export interface Opened {
  readonly kept?: JobsDir | undefined;
  readonly keys?: Keys | undefined;
  readonly metrics?: Metrics;
}

/** Makes every part, and starts none. */
// One list of parts: splitting it would only hide it.
// eslint-disable-next-line max-lines-per-function
export function createParts(config: Config, { log, access }: Logs, opened: Opened = {}): Parts {
  const { kept, keys, metrics = createMetrics() } = opened;
  const state = new ServerState();
  const tracer = openTracer(config, { log, metrics });
  const counted = countCoreEvents(metrics, (key) => loader.find(key));
  const events: CoreEvents = {
    ...counted,
    started(event) {
      counted.started?.(event);
      live.events.started(event);
      tracer?.started(event);
    },
    finished(event) {
      counted.finished?.(event);
      live.events.finished(event);
      parts.monitor?.ran(event);
      tracer?.finished(event);
    },
  };
  const core: TensorCore = new Core({
    clock: systemClock,
    events,
    weights: { clients: 100 - config.JOB_SHARE_PERCENT, jobs: config.JOB_SHARE_PERCENT },
  });
  const fail = (detail: string): void => {
    // Probes and refusals show the reason to clients, so it must not hold paths of this machine.
    const reason = publicReason(detail, config.MODELS_DIR);
    if (reason !== detail) log.error({ detail }, 'failing');
    if (state.enter('failed', reason))
      core.failAll(new ServerError('FAILED', `The server has failed: ${reason}`), { running: true });
  };
  const lose = (key: string, reason: string): void => {
    // At once: the repository acts only in its turn.
    for (const lost of [key, graphKey(key)]) void core.removeModel(lost);
    const model = loader.find(key);
    if (model !== undefined) void repository.lose(model.name, model, reason);
  };
  const lanes = createLanes({ core, metrics, log, fail, lose });
  const cpuThreads = config.CPU_THREADS || Math.max(1, Math.min(MOST_CPU_THREADS, countCores().count - 1));
  const cpu = new CpuPool(cpuThreads, (error) => log.error({ err: error }, 'a CPU thread died'));
  const trials = new TrialProcess();
  const alone = new AloneLog(log);
  const loader = new Loader({ lanes, core, cpu, trials, metrics, log, alone, timeoutMs: config.REQUEST_TIMEOUT_MS });
  const repository = new Repository<ServedModel>({
    modelsDir: config.MODELS_DIR,
    names: config.MODELS,
    aliases: parseAliases(config.MODEL_ALIASES),
    overrides: config.MODEL_OPTIONS,
    dtype: config.DTYPE,
    control: config.MODEL_CONTROL,
    pollMs: config.MODEL_POLL_INTERVAL_MS,
    loading: config.MODEL_LOADING,
    keepLoadedMs: config.MODEL_KEEP_LOADED_MS,
    memoryBytes: config.MODEL_MEMORY_BYTES,
    clock: systemClock,
    loader,
    onEvent: (event) => logRepository(log, event, state.phase),
  });
  const budget = new BodyBudget(config.BODY_BUDGET_BYTES, config.BODY_LIMIT_BYTES);
  const storage = new ServerStorage({ config, log, events: countStorage(metrics) });
  const door = createDoor(config, { core, cpu, models: modelsOf(repository), state, metrics, log, budget, storage });
  summariseWhenReady(state, alone);
  const refresh = (): void => {
    refreshGauges(metrics, { core, repository, phase: state.phase });
    metrics.webhooksWaiting.set(outbox.size);
    if (kept !== undefined) refreshJobGauges(metrics, kept);
    for (const worker of parts.workers) worker.refreshGauges();
  };
  const live = new LiveFeed({
    ...{ metrics, clock: systemClock, state, repository, log },
    ...{ refreshGauges: refresh, version: VERSION },
  });
  const outbox = kept?.outbox ?? new Outbox({ sender: createSender(config), clock: systemClock, log });
  outbox.onSent = (outcome) => metrics.webhooks.inc({ outcome });
  const parts: Parts = {
    core,
    cpu,
    lanes,
    trials,
    plan: undefined,
    workers: [],
    kept,
    outbox,
    services: {
      config,
      version: VERSION,
      state,
      log,
      access,
      metrics,
      repository,
      door,
      cpuThreads,
      budget,
      storage,
      jobPlaces: new JobPlaces({
        inputs: storage.inputs,
        storage: storage.storage,
        budget,
        limitBytes: config.BODY_LIMIT_BYTES,
        clock: systemClock,
      }),
      node: identityOf(config),
      get jobs() {
        return hasBoard(config) ? parts.board : kept?.jobs;
      },
      batches: kept?.batches,
      keys,
      tracer,
      outbox,
      plan: () => ({ lanes: parts.plan?.lanes.length ?? 0, why: parts.plan?.why ?? '' }),
      refreshGauges: refresh,
      live,
    },
  };
  return parts;
}

function summariseWhenReady(state: ServerState, alone: AloneLog): void {
  state.onChange((phase) => {
    if (phase === 'ready') alone.summarise();
  });
}

function createDoor(
  { INPUT_URLS, BODY_LIMIT_BYTES, ITEM_LIMIT, DEFAULT_MODEL, MODEL_ID }: Config,
  {
    budget,
    storage,
    ...parts
  }: Pick<DoorParts, 'core' | 'cpu' | 'models' | 'state' | 'metrics' | 'log'> & {
    budget: BodyBudget;
    storage: ServerStorage;
  },
): Door {
  return new Door({
    ...parts,
    clock: systemClock,
    inputs: new InputFetcher({ mode: INPUT_URLS, limitBytes: BODY_LIMIT_BYTES, budget, stored: storage.inputs }),
    itemLimit: ITEM_LIMIT,
    defaultModel: DEFAULT_MODEL,
    takesAnyName: MODEL_ID !== '',
  });
}

function createLanes({ core, metrics, log, fail, lose }: LanesParts): Lanes {
  const lanes = new Lanes({
    onUp(lane, device) {
      metrics.laneUp.set({ lane: lane.id, device }, 1);
      core.addLane(lane);
      log.info({ lane: lane.id, device }, 'lane is up');
    },
    onDown(lane, reason) {
      metrics.laneUp.set({ lane, device: deviceName(lanes.planOf(lane).device) }, 0);
      metrics.laneLosses.inc({ lane });
      core.removeLane(lane);
      log.error({ lane, reason }, 'lane died; it is being replaced');
    },
    onLate(lane, begunForMs) {
      log.error(
        { lane, begunForMs: Math.round(begunForMs) },
        'a run takes longer than its model allows; its requests are failed',
      );
      metrics.lateRuns.inc({ lane });
      core.failRun(lane, new ServerError('RUN_TOO_LONG'));
    },
    onModelLost(key, reason) {
      log.error({ key, reason }, 'model lost: it could not be loaded on the new lane; load it again');
      lose(key, reason);
    },
    onFailed: fail,
  });
  return lanes;
}

interface LanesParts {
  readonly core: TensorCore;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly fail: (reason: string) => void;
  readonly lose: (modelKey: string, reason: string) => void;
}

/** Logs a line for each event; a load that a drain ends is not a failure. */
function logRepository(log: Log, event: RepositoryEvent, phase: Phase): void {
  const { kind, ...rest } = event;
  const { name: model, durationMs, ...fields } = { name: undefined, durationMs: undefined, ...rest };
  const isFailure = kind.endsWith('_failed') && phase !== 'draining';
  const isWarning = kind === 'skipped' || kind === 'config_not_honoured';
  log[isWarning ? 'warn' : isFailure ? 'error' : 'info'](
    { model, ...fields, ...(durationMs === undefined ? {} : { durationMs: Math.round(durationMs) }) },
    `model ${kind.replaceAll('_', ' ')}`,
  );
}
