import type { Config } from './config/options.ts';
import { systemClock } from './core/clock.ts';
import { messageOf } from './errors.ts';
import { hasNoModel } from './http/probes.ts';
import type { Services } from './http/services.ts';
import { pullModels } from './hub/pull-models.ts';
import { LocalSource } from './jobs/local/source.ts';
import { countCores } from './lanes/cores.ts';
import { findGpus, hiddenGpu } from './lanes/cuda.ts';
import type { Lanes } from './lanes/lanes.ts';
import { planLanes, type LanePlan } from './lanes/plan.ts';
import type { Log } from './log.ts';
import type { Parts } from './main.ts';
import { nearName } from './near-name.ts';
import { createFitness, watchNode } from './node-watch.ts';
import { closeQueue, openQueue, pullJobs, type Queue } from './queue-of-jobs.ts';
import type { LoadFailure } from './repository/models-dir.ts';
import type { NodeFitness } from './salad/fitness.ts';
import { readGpu } from './salad/gpu.ts';
import { isOnSalad, SaladNode } from './salad/node.ts';
import { queuesOf } from './serving/served-model.ts';
import { cannotStart, orUnfit, StartError } from './start-error.ts';

/**
 * Brings a server from `starting` to `ready`: checks of the node, lanes, models, then the sources of jobs. Rejects with a StartError when the server cannot
 * do its work.
 */
export async function start(parts: Parts): Promise<void> {
  const { config, log, batches, state } = parts.services;
  const stop = new AbortController();
  state.onChange((phase) => {
    if (phase === 'draining') stop.abort();
  });
  if (isOnSalad(config)) parts.salad = new SaladNode(config, log);
  const fitness = createFitness(parts);
  // At once: models may take minutes, and a wrong address or password is not to be told after that.
  const opening = config.JOB_SOURCE === 'none' ? undefined : openQueue(parts);
  let queue: Queue | undefined;
  const loading = load(parts, fitness, stop.signal);
  parts.loading = loading;
  try {
    let loaded: string;
    [loaded, queue] = await Promise.all([loading, opening && orStopped(opening, stop.signal)]);
    state.enter('ready', loaded);
  } catch (error) {
    void opening?.then((late) => closeLate(late, parts)).catch(() => undefined);
    throw error;
  }
  parts.salad?.tellWork(() => workOf(parts));
  await watchNode(parts, fitness);
  if (queue !== undefined) await pullJobs(queue, parts);
  if (parts.kept !== undefined) await pullJobs({ source: new LocalSource(parts.kept.jobs, systemClock, log) }, parts);
  if (batches !== undefined) await pullJobs({ source: batches.source }, parts);
}

/** Rejects if the server is stopped meanwhile: a queue that does not answer may take as long as its time limit. */
function orStopped(opening: Promise<Queue>, signal: AbortSignal): Promise<Queue> {
  return Promise.race([
    opening,
    new Promise<never>((_, reject) => {
      const stop = (): void => reject(new StartError('stopped before the queue of jobs was open'));
      if (signal.aborted) stop();
      else signal.addEventListener('abort', stop, { once: true });
    }),
  ]);
}

/** Closes a queue that was opened for a server that does not start. */
async function closeLate(queue: Queue, { board }: Parts): Promise<void> {
  await Promise.all([closeQueue(queue), board?.close()]);
}

/** Starts the lanes and loads the models, on a node that does. Resolves with what there is then, in words. */
async function load(parts: Parts, fitness: NodeFitness, signal: AbortSignal): Promise<string> {
  const { services, lanes } = parts;
  const { config, log, repository } = services;
  await orUnfit(fitness.check(signal));
  const gpuTold = tellGpu(services);
  await services.storage.open().catch(cannotStart('STORAGE_CACHE_DIR'));
  parts.plan = await startLanes(lanes, config, log);
  const notPulled = await pullModels(config, log, signal);
  const loadMs = performance.now();
  const { failed } = await repository.start();
  const warmUpMs = performance.now() - loadMs;
  const loaded = repository.list().length;
  const asleep = repository.asleep().length;
  checkModels([...notPulled, ...failed], services);
  checkDefaultModel(services);
  await gpuTold;
  await orUnfit(fitness.checkWarmUp(warmUpMs, signal));
  return loaded + asleep > 0
    ? `${loaded} model version(s) loaded${asleep === 0 ? '' : `, ${asleep} model(s) to be loaded when a request comes`}`
    : 'MODELS_DIR holds no model: a model is a folder with model.onnx in it, or an ONNX file';
}

/** Warns of a DEFAULT_MODEL that is not there. */
function checkDefaultModel({ config, door, repository, log }: Services): void {
  const { DEFAULT_MODEL: usual } = config;
  const names = door.known.all().flatMap(({ name }) => [name, ...repository.aliasesOf(name)]);
  if (usual === '' || names.includes(usual)) return;
  const near = nearName(usual, names);
  const hint = near === undefined ? '' : `; did you mean ${near}?`;
  log.warn({ model: usual }, `DEFAULT_MODEL names no model that is there${hint}`);
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
