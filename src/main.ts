import type { Server } from 'node:http';
// First: it must be set before the library is loaded.
import './no-telemetry.ts';
// Without it a respawned worker thread fails with 'Module did not self-register'.
import 'onnxruntime-node';
import { isTerminal, type Config } from './config/config.ts';
import { countCores } from './lanes/cores.ts';
import { systemClock } from './core/clock.ts';
import { Core } from './core/core.ts';
import type { CoreEvents } from './core/events.ts';
import { messageOf, ServerError } from './errors.ts';
import { pullModels } from './hub/pull-models.ts';
import { BodyBudget } from './http/body-budget.ts';
import { InputFetcher } from './http/input-fetcher.ts';
import { closeIdleConnections } from './http/connections.ts';
import { createHttpServer, listen } from './http/server.ts';
import type { Services } from './http/services.ts';
import { listenProblem } from './http/listen-problem.ts';
import { createLogs, type Log, type Logs } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { CpuPool } from './cpu/pool.ts';
import { Lanes } from './lanes/lanes.ts';
import { Trials } from './trial/trials.ts';
import { findGpus, hiddenGpu } from './lanes/cuda.ts';
import { planLanes, type LanePlan } from './lanes/plan.ts';
import type { RepositoryEvent } from './repository/changes.ts';
import type { DtypeChoice } from './repository/dtype.ts';
import { publicReason } from './repository/reason.ts';
import { Repository } from './repository/repository.ts';
import { countCoreEvents, refreshGauges } from './serving/events.ts';
import { AloneLog } from './serving/alone-log.ts';
import { Loader } from './serving/loader.ts';
import type { ServedModel } from './serving/served-model.ts';
import { Submitter, type TensorCore } from './serving/submit.ts';
import { ServerState } from './state.ts';
import { VERSION } from './version.ts';

/** The composition root: every part is made here and handed to those that need it. */

/** Most threads that prepare and finish, where CPU_THREADS does not say: beyond that the lanes want the cores. */
const MOST_CPU_THREADS = 4;

export interface CarpoolServer {
  readonly port: number;
  readonly state: ServerState;
  /** Resolves when every model is loaded and warm; rejects with a StartError when the server cannot do its work. */
  readonly started: Promise<void>;
  /** Refuses new work, finishes what was admitted within the grace, closes. Resolves with whether all was finished. */
  drain(): Promise<boolean>;
  /** Writes out the log lines gathered so far, within a second: before the process ends. */
  flushLogs(): Promise<void>;
}

/** The server cannot start: says why, with every problem. */
export class StartError extends Error {}

/** Starts a server: it listens and answers probes at once, and loads its models meanwhile. Throws a StartError where it cannot listen. */
export async function startServer(config: Config, logs: Logs = defaultLogs(config)): Promise<CarpoolServer> {
  const { log } = logs;
  const parts = createParts(config, logs);
  const server = createHttpServer(parts.services);
  const port = await listen(server, { host: config.HOST, port: config.PORT }).catch((error: unknown) => {
    throw new StartError(listenProblem(config, error), { cause: error });
  });
  log.info({ host: config.HOST, port, version: VERSION }, 'listening');
  const started = load(parts);
  return {
    port,
    state: parts.services.state,
    started,
    drain: () => drain(parts, server, started),
    flushLogs: logs.flush,
  };
}

function defaultLogs(config: Config): Logs {
  const pretty = config.LOG_FORMAT === 'pretty' || (config.LOG_FORMAT === 'auto' && isTerminal());
  return createLogs({ level: config.LOG_LEVEL, pretty });
}

interface Parts {
  readonly services: Services;
  readonly core: TensorCore;
  readonly lanes: Lanes;
  readonly trials: Trials;
  plan: LanePlan | undefined;
}

function createParts(config: Config, { log, access }: Logs): Parts {
  const metrics = createMetrics();
  const state = new ServerState();
  const events: CoreEvents = countCoreEvents(metrics, (key) => loader.find(key));
  const core: TensorCore = new Core({ clock: systemClock, events });
  const fail = (detail: string): void => {
    // Clients see why in probes and refusals: without the paths of this machine.
    const reason = publicReason(detail, config.MODELS_DIR);
    if (reason !== detail) log.error({ detail }, 'failing');
    if (state.enter('failed', reason))
      core.failAll(new ServerError('FAILED', `The server has failed: ${reason}`), { running: true });
  };
  const lanes = createLanes({ core, metrics, log, fail });
  const cpuThreads = config.CPU_THREADS || Math.max(1, Math.min(MOST_CPU_THREADS, countCores().count - 1));
  const cpu = new CpuPool(cpuThreads, (error) => log.error({ err: error }, 'a CPU thread died'));
  const trials = new Trials();
  const alone = new AloneLog(log);
  const loader = new Loader({ lanes, core, cpu, trials, metrics, log, alone, timeoutMs: config.REQUEST_TIMEOUT_MS });
  const repository = new Repository<ServedModel>({
    modelsDir: config.MODELS_DIR,
    names: config.MODELS,
    overrides: config.MODEL_OPTIONS,
    dtype: config.DTYPE as DtypeChoice,
    control: config.MODEL_CONTROL as 'none' | 'explicit' | 'poll',
    pollMs: config.MODEL_POLL_INTERVAL_MS,
    loader,
    onEvent: (event) => logRepository(log, event),
  });
  const budget = new BodyBudget(config.BODY_BUDGET_BYTES, config.BODY_LIMIT_BYTES);
  const submitter = new Submitter({ core, cpu, metrics, clock: systemClock });
  state.onChange((phase, why) => log[phase === 'failed' ? 'error' : 'info']({ phase, why }, `server is ${phase}`));
  state.onChange((phase) => {
    if (phase === 'ready') alone.summarise();
  });
  const parts: Parts = {
    core,
    lanes,
    trials,
    plan: undefined,
    services: {
      config,
      version: VERSION,
      state,
      log,
      access,
      metrics,
      repository,
      submitter,
      cpu,
      budget,
      inputs: new InputFetcher({ mode: config.INPUT_URLS, limitBytes: config.BODY_LIMIT_BYTES, budget }),
      plan: () => ({ lanes: parts.plan?.lanes.length ?? 0, why: parts.plan?.why ?? '' }),
      refreshGauges: () => refreshGauges(metrics, { core, repository, phase: state.phase }),
    },
  };
  return parts;
}

function createLanes({ core, metrics, log, fail }: LanesParts): Lanes {
  const lanes = new Lanes({
    onUp(lane, device) {
      metrics.laneUp.set({ lane: lane.id, device }, 1);
      core.addLane(lane);
      log.info({ lane: lane.id, device }, 'lane is up');
    },
    onDown(lane, reason) {
      metrics.laneUp.set({ lane, device: lanes.deviceOf(lane) }, 0);
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
      void core.removeModel(key);
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
}

function logRepository(log: Log, event: RepositoryEvent): void {
  const { kind, ...rest } = event;
  const { name: model, durationMs, ...fields } = { name: undefined, durationMs: undefined, ...rest };
  log[kind === 'skipped' ? 'warn' : kind.endsWith('_failed') ? 'error' : 'info'](
    { model, ...fields, ...(durationMs === undefined ? {} : { durationMs: Math.round(durationMs) }) },
    `model ${kind.replaceAll('_', ' ')}`,
  );
}

async function load(parts: Parts): Promise<void> {
  const { services, lanes } = parts;
  const { config, log, repository, state } = services;
  parts.plan = await startLanes(lanes, config, log);
  const stop = new AbortController();
  state.onChange((phase) => {
    if (phase === 'draining') stop.abort();
  });
  const notPulled = await pullModels(config, log, stop.signal);
  const started = await repository.start();
  const failed = [...notPulled, ...started.failed];
  const loaded = repository.list();
  if (failed.length > 0 && (config.MODEL_ERRORS === 'exit' || loaded.length === 0))
    throw new StartError(failed.map(({ name, reason }) => `model ${name}: ${reason}`).join('\n'));
  if (config.DEFAULT_MODEL !== '' && repository.versions(config.DEFAULT_MODEL).length === 0)
    log.warn({ model: config.DEFAULT_MODEL }, 'DEFAULT_MODEL is not loaded');
  if (loaded.length === 0)
    log.warn(
      { why: 'MODELS_DIR holds none: a model is a folder with model.onnx in it, or an ONNX file' },
      'no model is loaded, so /ready is 503',
    );
  state.enter('ready', `${loaded.length} model version(s) loaded`);
}

/** Starts the lanes where DEVICE says; `auto` goes back to the CPU when CUDA is there but does not work. */
async function startLanes(lanes: Lanes, config: Config, log: Log): Promise<LanePlan> {
  const { count: cores, limit: coresLimit } = countCores();
  const options = { lanes: config.LANES, laneThreads: config.LANE_THREADS, cores, coresLimit };
  const hidden = config.DEVICE === 'cpu' ? undefined : hiddenGpu();
  const gpus = findGpus();
  const plan = planLanes({ ...options, device: config.DEVICE, gpus });
  try {
    await lanes.start(plan);
    if (hidden !== undefined) log.warn({ reason: hidden }, 'a GPU of this machine is not used');
    log.info({ lanes: plan.lanes.length, why: plan.why }, 'lanes chosen');
    return plan;
  } catch (error) {
    const reason = messageOf(error);
    const noGpu = gpus.length > 0 ? undefined : (hidden ?? 'this machine shows no NVIDIA device (/dev/nvidia*)');
    const why = noGpu === undefined ? reason : `${reason}; ${noGpu}`;
    if (config.DEVICE !== 'auto') throw new StartError(`DEVICE=${config.DEVICE}: ${why}`, { cause: error });
    log.warn({ reason }, 'CUDA is there but does not work; using the CPU');
    const onCpu = planLanes({ ...options, device: 'cpu', gpus: [] });
    await lanes.start(onCpu);
    const fallback = { ...onCpu, why: `CUDA does not work here; ${onCpu.why}` };
    log.info({ lanes: fallback.lanes.length, why: fallback.why }, 'lanes chosen');
    return fallback;
  }
}

async function drain(
  { services, core, lanes, trials }: Parts,
  server: Server,
  started: Promise<void>,
): Promise<boolean> {
  const { config, state, repository, cpu, metrics, log } = services;
  state.enter('draining', 'asked to stop');
  trials.close();
  // A lane that is loading a model is as busy as one that runs it.
  const loaded = Promise.all([repository.close(), started.catch(() => undefined)]);
  const idle = loaded.then(() => core.idle()).then(() => lanes.idle());
  const finished = await Promise.race([idle.then(() => true), sleep(config.DRAIN_GRACE_MS).then(() => false)]);
  if (!finished) {
    log.error({ busy: lanes.busy, graceMs: config.DRAIN_GRACE_MS }, 'the grace to finish work has run out');
    core.failAll(new ServerError('DRAINING'), { running: true });
  }
  await closeServer(server);
  metrics.stop();
  if (finished) await Promise.all([lanes.close(), cpu.close()]);
  log.info({ finished }, 'stopped');
  return finished;
}

/** Replies that are being written may take this long, then their connections are cut. */
const LAST_WRITES_MS = 2000;

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  closeIdleConnections(server);
  const cut = setTimeout(() => server.closeAllConnections(), LAST_WRITES_MS);
  await closed;
  clearTimeout(cut);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
