// First, because it sets what must be set before ONNX Runtime's library is loaded.
import { createParts, type Opened, type Parts } from './main.ts';
import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from './config/options.ts';
import { systemClock } from './core/clock.ts';
import { LocalSource } from './jobs/local/source.ts';
import { openJobsDir, type JobsDir } from './jobs/jobs-dir.ts';
import type { JobWorker } from './jobs/worker.ts';
import { countCores } from './lanes/cores.ts';
import { messageOf, ServerError } from './errors.ts';
import { pullModels } from './hub/pull-models.ts';
import { readAcceptQueue } from './http/accept-queue.ts';
import { closeIdleConnections } from './http/connections.ts';
import { listenOnMany, type Listening } from './http/listen.ts';
import { listenProblem, type PortOption } from './http/listen-problem.ts';
import { ProbePort } from './http/probe-port.ts';
import { Certificate } from './http/certificate.ts';
import { Keys } from './http/keys/keys.ts';
import { isLoopbackHost } from './http/management.ts';
import { hasNoModel, isEmpty } from './http/probes.ts';
import { createHttpServer } from './http/server.ts';
import { createLogs, type Log, type Logs } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { createFitness, watchNode } from './node-watch.ts';
import type { Lanes } from './lanes/lanes.ts';
import { findGpus, hiddenGpu } from './lanes/cuda.ts';
import { planLanes, type LanePlan } from './lanes/plan.ts';
import { readGpu } from './salad/gpu.ts';
import { logFields } from './salad/identity.ts';
import { isOnSalad, SaladNode } from './salad/node.ts';
import { nearName } from './near-name.ts';
import { openQueue, pullJobs } from './queue-of-jobs.ts';
import { cannotStart, orUnfit, StartError } from './start-error.ts';
import { startReport } from './start-report.ts';
import { queuesOf } from './serving/served-model.ts';
import type { LoadFailure } from './repository/models-dir.ts';
import type { Services } from './http/services.ts';
import type { ServerState } from './state.ts';
import { VERSION } from './version.ts';

/** The life of a server: start, fallback from CUDA to the CPU, drain. */

export interface CarpoolServer {
  readonly port: number;
  /** Undefined without PROBE_PORT. */
  readonly probePort: number | undefined;
  readonly state: ServerState;
  /** Resolves when every model is loaded and warm; rejects with a StartError when the server cannot do its work. */
  readonly started: Promise<void>;
  /** Refuses new work, finishes what was admitted within the grace, closes. Resolves with whether all was finished. */
  drain(why?: string): Promise<boolean>;
  /** What a person at a terminal is told once it has started; undefined elsewhere. */
  report(): string | undefined;
  /** Writes out the log lines gathered so far, within a second; for the end of the process. */
  flushLogs(): Promise<void>;
}

/** What serves, without HTTP: for commands that bring their requests themselves. */
export interface Engine extends Pick<CarpoolServer, 'started' | 'drain'> {
  readonly services: Services;
}

/** Starts the lanes and loads the models. */
export function startEngine(config: Config, logs: Logs, opened: Opened = {}): Engine {
  const parts = createParts(config, logs, opened);
  logPhases(parts.services);
  const started = start(parts);
  return { services: parts.services, started, drain: (why) => drain(parts, { started, why }) };
}

/** Starts a server: it listens and answers probes at once, and loads its models meanwhile. Throws a StartError where it cannot listen. */
export async function startServer(config: Config, logs: Logs = defaultLogs(config)): Promise<CarpoolServer> {
  const { log } = logs;
  const kept = config.JOBS_DIR === '' ? undefined : await openKept(config, log);
  const metrics = createMetrics();
  const keys = await openKeys(config, log, metrics);
  const parts = createParts(config, logs, { kept, keys, metrics });
  logPhases(parts.services);
  const certificate = await Certificate.open(config, log).catch(cannotStart('TLS_CERT_FILE, TLS_KEY_FILE'));
  const server = createHttpServer(parts.services, certificate);
  const refuse = (error: unknown, option: PortOption): never => {
    void kept?.close();
    throw new StartError(listenProblem(config, error, option), { cause: error });
  };
  const listening = await listenOnMany(server, { host: config.HOST, port: config.PORT }).catch((error: unknown) =>
    refuse(error, 'PORT'),
  );
  const { port } = listening;
  parts.services.metrics.watchAcceptQueue(() => readAcceptQueue(port));
  const probes = await openProbePort(parts.services).catch((error: unknown) => {
    void listening.close();
    return refuse(error, 'PROBE_PORT');
  });
  const probePort = probes?.port;
  log.info(
    { host: config.HOST, port, ...(probePort === undefined ? {} : { probePort }), version: VERSION },
    'listening',
  );
  tellKeys(parts.services);
  const started = start(parts);
  return {
    port,
    probePort,
    state: parts.services.state,
    started,
    async drain(why) {
      const close = (): Promise<void> => closeServer(server, listening);
      const finished = await drain(parts, { started, why, close });
      // Last, so that probes are answered to the end.
      await probes?.close();
      keys?.close();
      certificate?.close();
      return finished;
    },
    report: () => (isReadable(config) ? startReport(parts.services, port) : undefined),
    flushLogs: logs.flush,
  };
}

async function openProbePort(services: Services): Promise<ProbePort | undefined> {
  return services.config.PROBE_PORT === -1 ? undefined : ProbePort.open(services);
}

function defaultLogs(config: Config): Logs {
  return createLogs({ level: config.LOG_LEVEL, pretty: isReadable(config), fields: logFields(config) });
}

/** Whether a person reads the output. */
function isReadable({ LOG_FORMAT }: Config): boolean {
  return LOG_FORMAT === 'pretty' || (LOG_FORMAT === 'auto' && process.stdout.isTTY);
}

/** Logs each phase of the server; without a model the line does not say ready, because /ready is 503. */
function logPhases(services: Services): void {
  const { state, log } = services;
  state.onChange((phase, why) => {
    const isIdle = phase === 'ready' && isEmpty(services);
    log[phase === 'failed' ? 'error' : isIdle ? 'warn' : 'info'](
      { phase, why },
      isIdle ? 'server is up without a model, so /ready is 503' : `server is ${phase}`,
    );
  });
}

async function start(parts: Parts): Promise<void> {
  const { services, lanes } = parts;
  const { config, log, repository, state } = services;
  const stop = new AbortController();
  state.onChange((phase) => {
    if (phase === 'draining') stop.abort();
  });
  if (isOnSalad(config)) parts.salad = new SaladNode(config, log);
  const fitness = createFitness(parts);
  await orUnfit(fitness.check(stop.signal));
  const gpuTold = tellGpu(services);
  await services.storage.open().catch(cannotStart('STORAGE_CACHE_DIR'));
  parts.plan = await startLanes(lanes, config, log);
  const notPulled = await pullModels(config, log, stop.signal);
  const loadMs = performance.now();
  const { failed } = await repository.start();
  const warmUpMs = performance.now() - loadMs;
  const loaded = repository.list().length;
  const asleep = repository.asleep().length;
  checkModels([...notPulled, ...failed], services);
  const { DEFAULT_MODEL: usual } = config;
  const names = services.door.models.all().flatMap(({ name }) => [name, ...repository.aliasesOf(name)]);
  if (usual !== '' && !names.includes(usual)) {
    const near = nearName(usual, names);
    const hint = near === undefined ? '' : `; did you mean ${near}?`;
    log.warn({ model: usual }, `DEFAULT_MODEL names no model that is there${hint}`);
  }
  await gpuTold;
  await orUnfit(fitness.checkWarmUp(warmUpMs, stop.signal));
  const queue = config.JOB_SOURCE === 'none' ? undefined : await openQueue(parts);
  state.enter(
    'ready',
    loaded + asleep > 0
      ? `${loaded} model version(s) loaded${asleep === 0 ? '' : `, ${asleep} model(s) to be loaded when a request comes`}`
      : 'MODELS_DIR holds no model: a model is a folder with model.onnx in it, or an ONNX file',
  );
  parts.salad?.tellWork(() => workOf(parts));
  await watchNode(parts, fitness);
  if (queue !== undefined) await pullJobs(queue, parts);
  if (parts.kept !== undefined) await pullJobs({ source: new LocalSource(parts.kept.jobs, systemClock, log) }, parts);
  if (services.batches !== undefined) await pullJobs({ source: services.batches.source }, parts);
}

function openKeys(config: Config, log: Log, metrics: Metrics): Promise<Keys | undefined> {
  return Keys.open({ config, log, metrics }).catch(cannotStart('API_KEYS_FILE'));
}

/** Says who may use the server. */
function tellKeys({ config, keys, log }: Services): void {
  if (keys !== undefined) log.info({ keys: keys.count }, 'API keys are asked for');
  else if (!isLoopbackHost(config.HOST))
    log.warn({ host: config.HOST }, 'whoever reaches this address may use the server: there are no API keys (API_KEY)');
}

function openKept(config: Config, log: Log): Promise<JobsDir> {
  return openJobsDir(config, log).catch(cannotStart('JOBS_DIR'));
}

/** Finds the name of the GPU for replies and results, on SaladCloud alone. */
async function tellGpu({ node, log, access }: Services): Promise<void> {
  if (node === undefined) return;
  try {
    const gpu = await readGpu();
    if (gpu === undefined) return;
    node.nameGpu(gpu.name);
    for (const one of [log, access]) one.setBindings({ gpu: gpu.name });
  } catch (error) {
    log.warn({ reason: messageOf(error) }, 'the GPU has no name: nvidia-smi does not answer');
  }
}

/** Items waiting and running, and what it would cost to lose the commands that run. */
function workOf({ core, services, workers }: Parts): number {
  let items = 0;
  for (const { commandCost } of workers) items += commandCost;
  for (const key of services.repository.list().flatMap(queuesOf)) {
    const { waiting, running } = core.depth(key);
    items += waiting + running;
  }
  return items;
}

/** Throws a StartError with every failure if MODEL_ERRORS is `exit` or no model is left to serve. */
function checkModels(failed: readonly LoadFailure[], { config, repository }: Services): void {
  if (failed.length > 0 && (config.MODEL_ERRORS === 'exit' || hasNoModel(repository)))
    throw new StartError(failed.map(({ name, reason }) => `model ${name}: ${reason}`).join('\n'));
}

/** Starts the lanes on the device that DEVICE names; `auto` falls back to the CPU if CUDA is there but does not work. */
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

interface Drain {
  readonly started: Promise<void>;
  readonly why: string | undefined;
  readonly close?: () => Promise<void>;
}

async function drain(parts: Parts, { started, why = 'asked to stop', close }: Drain): Promise<boolean> {
  const { services, core, cpu, lanes, trials } = parts;
  const { config, state, repository, metrics, log } = services;
  state.enter('draining', why);
  for (const worker of parts.workers) worker.stop();
  trials.close();
  // A lane that is loading a model is as busy as one that runs it.
  const loaded = Promise.all([repository.close(), started.catch(() => undefined)]);
  const idle = loaded
    .then(() => Promise.all([core.idle(), ...parts.workers.map(({ ended }) => ended.catch(() => undefined))]))
    .then(() => lanes.idle());
  const finished = await Promise.race([idle.then(() => true), sleep(config.DRAIN_GRACE_MS, false, { ref: false })]);
  if (!finished) {
    log.error({ busy: lanes.busy, graceMs: config.DRAIN_GRACE_MS }, 'the grace to finish work has run out');
    core.failAll(new ServerError('DRAINING'), { running: true });
    await Promise.all(parts.workers.map(giveUp));
  }
  services.live.close();
  await close?.();
  await parts.outbox.close();
  await parts.kept?.close();
  await parts.board?.close();
  await services.storage.close();
  await services.tracer?.close(LAST_WRITES_MS);
  metrics.stop();
  parts.monitor?.stop();
  await parts.salad?.close();
  if (finished) await Promise.all([lanes.close(), cpu.close()]);
  log.info({ finished }, 'stopped');
  return finished;
}

/** Replies that are being written, and jobs that are being given back, may take this long; then their connections are closed. */
const LAST_WRITES_MS = 2000;

async function giveUp(worker: JobWorker): Promise<void> {
  worker.giveUp();
  await Promise.race([worker.ended.catch(() => undefined), sleep(LAST_WRITES_MS, undefined, { ref: false })]);
}

async function closeServer(server: Server, listening: Listening): Promise<void> {
  const closed = listening.close();
  closeIdleConnections(server);
  const cut = setTimeout(() => server.closeAllConnections(), LAST_WRITES_MS);
  await closed;
  clearTimeout(cut);
}
