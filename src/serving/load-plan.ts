import type { ModelOptions } from '../core/model-state.ts';
import type { PlannedLane } from '../lanes/plan.ts';
import type { Thread } from '../lanes/lane.ts';
import type { Placement } from '../lanes/placements.ts';
import { graphKey, type LoadAnswer } from '../lanes/protocol.ts';
import type { Log } from '../log.ts';
import { memoryBytes } from '../memory.ts';
import type { ModelSpec } from '../model-spec.ts';
import type { ModelSource } from '../repository/source.ts';
import { chooseProgram, createTask } from '../tasks/registry.ts';
import type { ProgramSpec, TaskSource } from '../tasks/task.ts';
import { sizesIn, tryGraph, type GraphToTry, type TrialParts } from './graph-trial.ts';
import { stampOf } from './model-files.ts';
import { limitsOf, servedModel, type ServedGraph, type ServedModel } from './served-model.ts';
import { runsSeen, warmPlan } from './warm-up.ts';

/** A model version that its first lane holds, and what the other lanes and the core need of it. */
export interface LoadPlan {
  readonly placement: Placement;
  readonly model: ServedModel;
  /** By key: the model, and the graph of its program where the tensor API runs that. */
  readonly queues: ReadonlyMap<string, ModelOptions>;
}

/** What is to be loaded, and where. */
export interface LoadOrder {
  readonly key: string;
  readonly source: ModelSource;
  readonly laneIds: readonly number[];
  /** Where each of them computes. */
  readonly lanes: readonly PlannedLane[];
  /** Of the first lane. */
  readonly thread: Thread;
}

export interface PlannerParts extends TrialParts {
  readonly log: Log;
  /** Most time of a request. */
  readonly timeoutMs: number;
}

/** Why a model was not warmed: its graph had no input to be run on, or its program made no run of its own. */
const NO_INPUT_RUNS = 'no made-up input runs; give an example in model.json';
const NO_RUN_MADE = 'its program makes no run before the first request';

/**
 * Loads a model on its first lane, and finds out there and by a trial what the others need to know: signature, limits, times of runs.
 * Throws a plain Error that says what is wrong with the model, or LANE_LOST.
 */
export async function planLoad(order: LoadOrder, parts: PlannerParts): Promise<LoadPlan> {
  const { key, source, laneIds, lanes, thread } = order;
  const { manifest } = source;
  const [lane] = lanes;
  if (lane === undefined) throw new Error('there is no lane');
  const unsigned = unsignedTask(key, source);
  const spec = specOf(key, source, await chooseProgram(unsigned));
  const stamp = await stampOf(spec);
  const toTry = { spec, source, taskSource: unsigned, lane, stamp };
  const tried = spec.program === undefined ? await tryGraph(toTry, parts) : undefined;
  const answer = await thread.command({ kind: 'load', model: spec, signature: tried?.signature });
  tellOf(spec, { model: source.name, answer }, parts);
  const taskSource = { ...unsigned, signature: answer.signature };
  const task = await createTask(taskSource);
  const limits = limitsOf(source, answer);
  const row = tried ?? { cost: 1 };
  const warm = warmPlan(source, { limits, device: lane.device.kind, ...row });
  const runs = warm === undefined ? [] : (await thread.command({ kind: 'warm', key, ...warm.first })).runs;
  if (warm !== undefined && runs.length === 0)
    parts.log.warn({ model: source.name }, `not warmed: ${spec.program === undefined ? NO_INPUT_RUNS : NO_RUN_MADE}`);
  const mostBytes = manifest.runMemoryBytes ?? usualRunBytes(lanes.length);
  const graph =
    spec.program === undefined
      ? { key, signature: answer.signature, mostBytes, ...sizesIn(tried) }
      : await programGraph({ ...toTry, given: answer.graph }, { thread, mostBytes, parts });
  const model = servedModel(order, { task, taskSource, graph, limits, answer, timeoutMs: parts.timeoutMs });
  const seenRuns = runsSeen(source, runs, { ...row, signature: answer.signature });
  return {
    placement: {
      spec,
      signature: graph?.signature,
      laneIds,
      runLimitMs: manifest.runLimitMs,
      warm: warm?.others,
      checkFiles: () => checkStamp(spec, stamp),
    },
    model,
    queues: queuesOf(
      model,
      { lanes: laneIds, runLimitMs: manifest.runLimitMs, weight: manifest.queue.weight },
      { seenRuns, stepping: answer.stepping ?? false },
    ),
  };
}

function tellOf(
  { program }: ModelSpec,
  { model, answer }: { readonly model: string; readonly answer: LoadAnswer },
  { log, alone }: PlannerParts,
): void {
  const {
    warnings = [],
    why,
    advice,
    signature: { leftOut },
  } = answer;
  for (const note of program?.notes ?? []) log.warn({ model, why: note }, 'a setting is taken otherwise');
  if (leftOut !== undefined) log.warn({ model, why: leftOut }, 'outputs are left out');
  for (const warning of warnings) log.warn({ model, why: warning }, 'weights stay mapped');
  if (advice !== undefined) log.info({ model, advice }, 'this model can be faster');
  if (why !== undefined) alone.tell(model, why);
}

/**
 * A program's graph as the tensor API runs it, if the program allows that. A trial finds out how its rows can be stacked, and the lane that
 * holds it is told.
 */
async function programGraph(
  { given, ...graph }: GraphToTry,
  { thread, mostBytes, parts }: { thread: Thread; mostBytes: number; parts: PlannerParts },
): Promise<ServedGraph | undefined> {
  if (given === undefined) return undefined;
  const key = graphKey(graph.spec.key);
  if (!given.batchable) return { key, signature: given, mostBytes, ...sizesIn(undefined) };
  const { signature, bytesPerElement } = await tryGraph({ ...graph, given }, parts);
  await thread.command({ kind: 'sign', key, signature });
  return { key, signature, mostBytes, elementsPerCost: 1, bytesPerElement };
}

function queuesOf(
  { key, graph, limits, queueItems }: ServedModel,
  shared: Pick<ModelOptions, 'lanes' | 'runLimitMs' | 'weight'>,
  own: Pick<ModelOptions, 'seenRuns' | 'stepping'>,
): ReadonlyMap<string, ModelOptions> {
  const queues = new Map<string, ModelOptions>([[key, { ...shared, limits, queueItems, ...own }]]);
  if (graph === undefined || graph.key === key) return queues;
  // The cost of rows of tensors is not limited.
  const alone = graph.signature.batchable ? {} : { maxItems: 1, maxDelayMs: 0 };
  return queues.set(graph.key, { ...shared, limits: { ...limits, ...alone, maxCost: Infinity }, queueItems });
}

/** Throws a plain Error if a graph is not the file that was loaded. */
async function checkStamp(spec: ModelSpec, stamp: string): Promise<void> {
  if ((await stampOf(spec)) !== stamp)
    throw new Error(
      'its files have changed since it was loaded, and the lanes of a model must hold the same: load it again',
    );
}

/** Most memory of a run where model.json does not say: a quarter of what the process may have, shared by the model's lanes. */
function usualRunBytes(lanes: number): number {
  return memoryBytes() / 4 / Math.max(1, lanes);
}

/** What its lanes open. */
function specOf(key: string, { weights, manifest }: ModelSource, program: ProgramSpec | undefined): ModelSpec {
  return {
    key,
    weights,
    session: manifest.session,
    ...(manifest.accuracyLevel === undefined ? {} : { accuracyLevel: byRole(manifest.accuracyLevel) }),
    ...(manifest.dynamicQuantisation === undefined ? {} : { dynamicQuantisation: manifest.dynamicQuantisation }),
    ...(manifest.batching.maxItems === undefined ? {} : { maxItems: manifest.batching.maxItems }),
    inputs: manifest.inputs,
    outputs: manifest.outputs,
    ...(Object.keys(manifest.simulate).length === 0 ? {} : { simulate: manifest.simulate }),
    ...(program === undefined ? {} : { program }),
  };
}

function byRole(level: number | Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return typeof level === 'number' ? { model: level, decoder: level } : level;
}

/** What its task is made of, before the signature is known. */
function unsignedTask(key: string, source: ModelSource): Omit<TaskSource, 'signature'> {
  return {
    key,
    model: source.name,
    task: source.task,
    folder: source.folder,
    weights: source.weights,
    files: source.files,
    options: source.manifest.options,
    ...(source.labels === undefined ? {} : { labels: source.labels }),
    ...(source.example !== undefined && 'file' in source.example ? { exampleType: source.example.contentType } : {}),
  };
}
