import { readFile } from 'node:fs/promises';
import { ServerError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { CpuPool } from '../pool/cpu.ts';
import { fillLane, type Lanes, type Placement } from '../pool/lanes.ts';
import type { LaneThread } from '../pool/lane.ts';
import { rawKey, type LoadAnswer, type ModelSpec, type WarmAnswer } from '../pool/messages.ts';
import type { ModelLoader } from '../repository/changes.ts';
import { shapeKey } from '../rows.ts';
import type { ModelSource } from '../repository/source.ts';
import { chooseProgram, createTask } from '../tasks/registry.ts';
import type { Item, Prepared, ProgramSpec, Task, TaskSource } from '../tasks/task.ts';
import type { Signature, Tensor } from '../tensor.ts';
import type { ModelOptions } from '../core/model-state.ts';
import type { BatchLimits } from '../core/ticket.ts';
import type { ServedModel } from './served-model.ts';
import { createStatistics } from './statistics.ts';
import type { TensorCore } from './submit.ts';

export interface LoaderParts {
  readonly lanes: Lanes;
  readonly core: TensorCore;
  readonly cpu: CpuPool;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly timeoutMs: number;
}

/**
 * Brings a model version from its folder to the lanes: session, signature checked by a trial, warm-up on every lane, then the
 * core takes requests for it. Whatever fails, nothing of it stays behind.
 */
export class Loader implements ModelLoader<ServedModel> {
  readonly #parts: LoaderParts;
  readonly #models = new Map<string, ServedModel>();
  #loads = 0;

  constructor(parts: LoaderParts) {
    this.#parts = parts;
  }

  /** A model that is loaded, by its key. */
  find(key: string): ServedModel | undefined {
    return this.#models.get(key);
  }

  async load(source: ModelSource): Promise<ServedModel> {
    const { lanes, core, metrics } = this.#parts;
    const startMs = performance.now();
    this.#loads += 1;
    const key = `${source.name}/${source.version}#${this.#loads}`;
    const laneIds = await lanes.choose(source.manifest.devices, source.manifest.lanes);
    try {
      const loaded = await this.#onLanes(key, source, laneIds);
      const model = this.#describe({ key, source, laneIds, ...loaded });
      this.#models.set(key, model);
      const { limits, queueItems, seenRuns, stepping } = loaded;
      const options = { queueItems, lanes: laneIds, runLimitMs: source.manifest.runLimitMs };
      core.addModel(key, { ...options, limits, seenRuns, stepping });
      if (model.graph !== undefined && model.graph.key !== key)
        core.addModel(model.graph.key, { ...options, limits: { ...limits, maxCost: Infinity } });
      metrics.modelLoadSeconds.set(
        { model: source.name, version: String(source.version) },
        (performance.now() - startMs) / 1000,
      );
      return model;
    } catch (error) {
      for (const id of laneIds) await lanes.thread(id).ask({ kind: 'unload', key });
      throw error;
    }
  }

  async unload(model: ServedModel): Promise<void> {
    const { core } = this.#parts;
    await Promise.all([core.removeModel(model.key), core.removeModel(rawKey(model.key))]);
    this.#models.delete(model.key);
    await this.#parts.lanes.unload(model.key);
    this.#parts.metrics.modelLoadSeconds.remove({ model: model.name, version: model.version });
  }

  async #onLanes(key: string, source: ModelSource, laneIds: readonly number[]): Promise<Loaded> {
    const { lanes } = this.#parts;
    const [first, ...others] = laneIds.map((id) => lanes.thread(id));
    if (first === undefined) throw new Error('there is no lane');
    const program = await chooseProgram(withoutSignature(key, source));
    const spec = specOf(key, source, program);
    const answer = await first.command({ kind: 'load', model: spec });
    if (answer.why !== undefined) this.#parts.log.info({ model: source.name, why: answer.why }, RUNS_ALONE);
    const tried = program === undefined ? await this.#tryGraph(first, { key, source, answer }) : undefined;
    const signature = tried?.signature ?? answer.signature;
    const taskSource = { ...withoutSignature(key, source), signature };
    const task = await createTask(taskSource);
    const limits = limitsOf(source, signature, answer);
    const warm = warmPlan(source, { limits, ...(tried ?? { cost: 1 }) });
    const runs = await this.#warm(first, { key, warm, model: source.name });
    const devices = laneIds.map((id) => lanes.deviceOf(id));
    const known = program === undefined ? { signature } : {};
    const placement = { spec, ...known, laneIds, devices, runLimitMs: source.manifest.runLimitMs, warm };
    for (const thread of others) await fillLane(thread, placement);
    lanes.place(placement);
    const graph = program === undefined ? { key, signature } : rawGraph(key, answer.raw);
    const seenRuns = runsSeen(source, runs, { signature, ...(tried ?? { cost: 1 }) });
    const queueItems = source.manifest.queue.maxItems ?? answer.limits?.queueItems ?? QUEUE_ITEMS;
    const { stepping = false } = answer;
    return { signature, graph, task, taskSource, devices, limits, queueItems, seenRuns, stepping };
  }

  async #warm(
    lane: LaneThread,
    { key, warm, model }: { key: string; warm: Placement['warm']; model: string },
  ): Promise<WarmAnswer['runs']> {
    if (warm === undefined) return [];
    const { runs } = await lane.command({ kind: 'warm', key, ...warm });
    if (runs.length === 0)
      this.#parts.log.warn({ model }, 'not warmed: no made-up input runs; give an example in model.json');
    return runs;
  }

  /** Finds out by running how the rows of a graph can be stacked. */
  async #tryGraph(lane: LaneThread, { key, source, answer }: { key: string; source: ModelSource; answer: LoadAnswer }) {
    const example = await this.#example(source, { ...withoutSignature(key, source), signature: answer.signature });
    const row = example === undefined ? undefined : rowOf(answer.signature, example);
    const { signature, why } = await lane.command({ kind: 'trial', key, ...(row === undefined ? {} : { row }) });
    if (why !== undefined) this.#parts.log.warn({ model: source.name, why }, RUNS_ALONE);
    return { signature, row, cost: example?.cost ?? 1 };
  }

  /** The model's example, prepared: a row of true shape and values for the trial and the warm-up. */
  async #example(source: ModelSource, taskSource: TaskSource): Promise<Prepared | undefined> {
    const item = await exampleItem(source);
    if (item === undefined) return undefined;
    try {
      const task = await createTask(taskSource);
      return task.isLight(item)
        ? await task.prepare(item)
        : await this.#parts.cpu.run(
            { kind: 'prepare', source: taskSource, item },
            { limitMs: source.manifest.runLimitMs },
          );
    } catch (error) {
      throw new Error(`its example cannot be prepared: ${explain(error)}`, { cause: error });
    }
  }

  #describe({
    source,
    devices,
    graph,
    limits,
    key,
    signature,
    task,
    taskSource,
    queueItems,
  }: Loaded & Described): ServedModel {
    const { manifest } = source;
    return {
      key,
      limits,
      queueItems,
      name: source.name,
      version: String(source.version),
      manifest,
      signature,
      graph,
      task,
      taskSource,
      statistics: createStatistics(),
      timeoutMs: Math.min(manifest.queue.timeoutMs ?? this.#parts.timeoutMs, this.#parts.timeoutMs),
      description: {
        name: source.name,
        version: String(source.version),
        task: manifest.task,
        signature: graph?.signature ?? NO_TENSORS,
        maxItems: limits.maxItems,
        maxDelayMs: manifest.batching.maxDelayMs,
        devices,
        ...(manifest.description === undefined ? {} : { description: manifest.description }),
        ...(manifest.licence === undefined ? {} : { licence: manifest.licence }),
        ...(source.labels === undefined ? {} : { labels: source.labels }),
        ...(manifest.example === undefined ? {} : { example: manifest.example }),
      },
    };
  }
}

/** Most items in a run, and in the queue, where neither model.json nor a program says. */
const MAX_ITEMS = 32;
const QUEUE_ITEMS = 256;

const RUNS_ALONE = 'this model runs one request at a time';

/** What the tensor API shows of a model whose program keeps its graph to itself. */
const NO_TENSORS: Signature = { inputs: [], outputs: [], batchable: false };

interface Loaded {
  readonly signature: Signature;
  readonly graph: ServedModel['graph'];
  readonly limits: BatchLimits;
  readonly queueItems: number;
  readonly stepping: boolean;
  readonly task: Task;
  readonly taskSource: TaskSource;
  readonly devices: readonly string[];
  /** The warm-up's runs: the first predictions rest on them. */
  readonly seenRuns: NonNullable<ModelOptions['seenRuns']>;
}
interface Described {
  readonly key: string;
  readonly source: ModelSource;
  readonly laneIds: readonly number[];
}

/** model.json's limits; what it leaves open, the program decides. A graph that cannot batch runs one by one. */
function limitsOf({ manifest: { batching } }: ModelSource, { batchable }: Signature, answer: LoadAnswer): BatchLimits {
  const maxItems = batchable ? (batching.maxItems ?? answer.limits?.maxItems ?? MAX_ITEMS) : 1;
  return {
    maxItems,
    maxCost: batching.maxCost ?? answer.limits?.maxCost ?? Infinity,
    maxDelayMs: maxItems === 1 || answer.stepping === true ? 0 : batching.maxDelayMs,
  };
}

function rawGraph(key: string, signature: Signature | undefined): ServedModel['graph'] {
  return signature === undefined ? undefined : { key: rawKey(key), signature };
}

function specOf(key: string, { weights, manifest }: ModelSource, program: ProgramSpec | undefined): ModelSpec {
  return {
    key,
    weights,
    session: manifest.session,
    ...(manifest.accuracyLevel === undefined ? {} : { accuracyLevel: byRole(manifest.accuracyLevel) }),
    ...(manifest.dynamicQuantisation === undefined ? {} : { dynamicQuantisation: manifest.dynamicQuantisation }),
    inputs: manifest.inputs,
    outputs: manifest.outputs,
    simulate: manifest.simulate,
    ...(program === undefined ? {} : { program }),
  };
}

function byRole(level: number | Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return typeof level === 'number' ? { model: level, decoder: level } : level;
}

function withoutSignature(key: string, source: ModelSource): Omit<TaskSource, 'signature'> {
  return {
    key,
    model: source.name,
    task: source.task,
    folder: source.folder,
    weights: source.weights,
    files: source.files,
    options: source.manifest.options,
    ...(source.labels === undefined ? {} : { labels: source.labels }),
  };
}

/** The example of model.json as a client would send it. */
export async function exampleItem({ example }: Pick<ModelSource, 'example'>): Promise<Item | undefined> {
  if (example === undefined) return undefined;
  if ('file' in example) {
    const bytes = new Uint8Array(await readFile(example.file));
    return { kind: 'raw', contentType: example.contentType, bytes };
  }
  const { data: value, parameters } = example;
  return { kind: 'json', value, ...(parameters === undefined ? {} : { parameters }) };
}

function rowOf(signature: Signature, { inputs }: Prepared): Tensor[] {
  return signature.inputs.map(({ name }) => {
    const tensor = inputs[name];
    if (tensor === undefined) throw new Error(`the task prepared no input ${name}`);
    return tensor;
  });
}

/** What is run before the model takes requests; undefined where model.json switches it off. */
function warmPlan(
  source: ModelSource,
  { limits, row, cost }: Pick<Tried, 'row' | 'cost'> & { readonly limits: BatchLimits },
): Placement['warm'] {
  if (!source.manifest.warmup) return undefined;
  const { maxItems, maxCost } = limits;
  const sizes = sizesOf(source, limits, cost);
  return { sizes, limits: { maxItems, maxCost }, ...(row === undefined ? {} : { row }) };
}

interface Tried {
  readonly signature: Signature;
  /** The example as a row, and its cost. */
  readonly row?: readonly Tensor[] | undefined;
  readonly cost: number;
}

/** The warm-up's runs as the estimator wants them. It does without the sleep of `simulate`, but the runs to come do not. */
function runsSeen(
  { manifest }: ModelSource,
  runs: WarmAnswer['runs'],
  tried: Tried,
): NonNullable<ModelOptions['seenRuns']> {
  const sleepMs = manifest.simulate.runMs ?? 0;
  const shape = tried.row === undefined ? '' : shapeKey(tried.signature, tried.row);
  return runs.map(({ items, runMs, cost, shapeKey: own }) => ({
    shapeKey: own ?? shape,
    cost: cost ?? items * tried.cost,
    items,
    wallMs: runMs + sleepMs,
    runMs: runMs + sleepMs,
  }));
}

/** Batch sizes to warm: those of model.json, else powers of two, as far as the limits let a batch grow. */
export function sizesOf(
  { manifest: { batching } }: Pick<ModelSource, 'manifest'>,
  { maxItems, maxCost }: Pick<BatchLimits, 'maxItems' | 'maxCost'>,
  cost: number,
): number[] {
  const most = Math.max(1, Math.min(maxItems, Math.floor(maxCost / cost)));
  const sizes = batching.buckets ?? Array.from({ length: 13 }, (_, power) => 2 ** power);
  return [...new Set([...sizes.filter((size) => size < most), most])];
}

function explain(error: unknown): string {
  if (error instanceof ServerError && error.cause instanceof Error) return error.cause.message;
  return error instanceof Error ? error.message : String(error);
}
