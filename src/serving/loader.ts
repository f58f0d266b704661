import type { ModelOptions } from '../core/model-state.ts';
import type { BatchLimits } from '../core/ticket.ts';
import { messageOf, ServerError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { CpuPool } from '../cpu/pool.ts';
import type { LaneThread } from '../lanes/lane.ts';
import { fillLane, type Lanes, type WarmRequest } from '../lanes/lanes.ts';
import { graphKey, type LoadAnswer, type WarmAnswer } from '../lanes/protocol.ts';
import type { ModelSpec } from '../model-spec.ts';
import type { Trials } from '../trial/trials.ts';
import type { ModelLoader } from '../repository/changes.ts';
import type { ModelSource } from '../repository/source.ts';
import { chooseProgram, createTask } from '../tasks/registry.ts';
import type { Prepared, Task, TaskSource } from '../tasks/task.ts';
import { oneByOne, type Signature } from '../tensors/tensor.ts';
import {
  bytesBeside,
  exampleItem,
  limitsOf,
  queueItemsOf,
  rowOf,
  runsSeen,
  sizesIn,
  specOf,
  usualRunBytes,
  warmPlan,
  withoutSignature,
  type Tried,
} from './load-plan.ts';
import type { AloneLog } from './alone-log.ts';
import type { ServedModel } from './served-model.ts';
import { createStatistics } from './statistics.ts';
import type { TensorCore } from './submit.ts';

export interface LoaderParts {
  readonly lanes: Lanes;
  readonly core: TensorCore;
  readonly cpu: CpuPool;
  readonly trials: Trials;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly alone: AloneLog;
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

  /** Throws LANE_LOST where lanes died each time that it was tried, else a plain Error that says what is wrong with the model. */
  async load(source: ModelSource): Promise<ServedModel> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#load(source);
      } catch (error) {
        if (!isLaneLost(error) || tries === LOAD_TRIES) throw error;
        this.#parts.log.warn({ model: source.name }, 'a lane died during the load; trying again');
        await this.#parts.lanes.replaced();
      }
    }
  }

  async #load(source: ModelSource): Promise<ServedModel> {
    const { lanes, core, cpu, metrics } = this.#parts;
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
        core.addModel(model.graph.key, { ...options, limits: graphLimits(limits, model.graph.signature) });
      metrics.modelLoadSeconds.set(
        { model: source.name, version: String(source.version) },
        (performance.now() - startMs) / 1000,
      );
      return model;
    } catch (error) {
      await lanes.clear(key, laneIds);
      cpu.forget(key);
      throw error;
    }
  }

  async unload(model: ServedModel): Promise<void> {
    const { core } = this.#parts;
    await Promise.all([core.removeModel(model.key), core.removeModel(graphKey(model.key))]);
    this.#models.delete(model.key);
    await this.#parts.lanes.unload(model.key);
    this.#parts.cpu.forget(model.key);
    this.#parts.metrics.modelLoadSeconds.remove({ model: model.name, version: model.version });
  }

  async #onLanes(key: string, source: ModelSource, laneIds: readonly number[]): Promise<Loaded> {
    const { lanes } = this.#parts;
    const threads = laneIds.map((id) => lanes.thread(id));
    const [first, ...others] = threads;
    if (first === undefined) throw new Error('there is no lane');
    const program = await chooseProgram(withoutSignature(key, source));
    const spec = specOf(key, source, program);
    const tried = await this.#tryGraph(spec, source, first);
    const answer = await first.command({ kind: 'load', model: spec, signature: tried?.signature });
    this.#tell(source.name, answer);
    const { signature } = answer;
    const row = tried ?? { cost: 1 };
    const taskSource = { ...withoutSignature(key, source), signature };
    const task = await createTask(taskSource);
    const limits = limitsOf(source, signature, answer);
    const devices = laneIds.map((id) => lanes.deviceOf(id));
    const warm = warmPlan(source, { limits, device: devices[0] ?? 'cpu', ...row });
    const runs = await this.#warm(first, { key, warm: warm?.first, model: source.name });
    const { runLimitMs } = source.manifest;
    const graph = await this.#graphOf({ spec, source, answer, tried, lanes: laneIds.length }, first);
    const placement = { spec, signature: graph?.signature, laneIds, devices, runLimitMs, warm: warm?.others };
    for (const thread of others) await fillLane(thread, placement);
    lanes.place(placement, threads);
    const seenRuns = runsSeen(source, runs, { ...row, signature });
    const queueItems = queueItemsOf(source, answer);
    const { stepping = false } = answer;
    return { signature, graph, task, taskSource, devices, limits, queueItems, seenRuns, stepping };
  }

  #tell(model: string, { warnings = [], why, signature: { leftOut } }: LoadAnswer): void {
    if (leftOut !== undefined) this.#parts.log.warn({ model, why: leftOut }, 'outputs are left out');
    for (const warning of warnings) this.#parts.log.warn({ model, why: warning }, 'weights stay mapped');
    if (why !== undefined) this.#parts.alone.tell(model, why);
  }

  async #warm(
    lane: LaneThread,
    { key, warm, model }: { key: string; warm: WarmRequest | undefined; model: string },
  ): Promise<WarmAnswer['runs']> {
    if (warm === undefined) return [];
    const { runs } = await lane.command({ kind: 'warm', key, ...warm });
    if (runs.length === 0)
      this.#parts.log.warn({ model }, 'not warmed: no made-up input runs; give an example in model.json');
    return runs;
  }

  /** Finds out by running, in another process, how the rows of a graph can be stacked, and which row a lane can be warmed with. */
  async #tryGraph(
    model: ModelSpec,
    source: ModelSource,
    { device, intraOpThreads }: LaneThread,
  ): Promise<Tried | undefined> {
    if (model.program !== undefined) return undefined;
    const { trials, alone } = this.#parts;
    const graph = { model, lane: { device, intraOpThreads }, bytes: await bytesBeside(source.weights) };
    return trials.open(graph, async (trial) => {
      const { signature } = trial;
      const example = await this.#example(source, { ...withoutSignature(model.key, source), signature });
      const tried = await trial.try(example === undefined ? undefined : rowOf(signature, example));
      // Of an example, too, others are made: what was too slow, or ended the process, need not be what clients send.
      const inputs = example === undefined ? 'made-up inputs' : 'inputs made from its example';
      const why = tried.kind === 'lost' ? `the trial with ${inputs}: ${tried.why}` : tried.why;
      if (why !== undefined) alone.tell(source.name, why);
      const cost = example?.cost ?? 1;
      if (tried.kind === 'lost') return { signature: oneByOne(signature), cost };
      return { ...tried, signature: { ...tried.signature, empties: await trial.empties() }, cost };
    });
  }

  /**
   * The graph that the tensor API runs: the model itself, or that of its program, if that gives it away. How the rows of the latter can be stacked
   * is found out here, and the lane that holds it is told.
   */
  async #graphOf({ spec, source, answer, tried: own, lanes }: Opened, lane: LaneThread): Promise<ServedModel['graph']> {
    const { signature: found, graph } = answer;
    const mostBytes = source.manifest.runMemoryBytes ?? usualRunBytes(lanes);
    if (spec.program === undefined) return { key: spec.key, signature: found, mostBytes, ...sizesIn(own) };
    if (graph === undefined) return undefined;
    const key = graphKey(spec.key);
    if (!graph.batchable) return { key, signature: graph, mostBytes, ...sizesIn(undefined) };
    const { device, intraOpThreads } = lane;
    const file = { model: spec, lane: { device, intraOpThreads }, bytes: await bytesBeside(spec.weights) };
    const { tried, signature } = await this.#parts.trials.open(file, async (trial) => {
      const tried = await trial.try();
      if (tried.why !== undefined) this.#parts.alone.tell(`${source.name} (its tensors)`, tried.why);
      if (tried.kind === 'lost') return { tried, signature: oneByOne(graph) };
      return { tried, signature: { ...tried.signature, empties: await trial.empties() } };
    });
    await lane.command({ kind: 'sign', key, signature });
    const sizes =
      tried.kind === 'lost' ? sizesIn(undefined) : { ...sizesIn(undefined), bytesPerElement: tried.bytesPerElement };
    return { key, signature, mostBytes, ...sizes };
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

/** A lane may die of other work; one that dies of the model dies again. */
const LOAD_TRIES = 3;

function isLaneLost(error: unknown): boolean {
  return error instanceof ServerError && error.code === 'LANE_LOST';
}

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
interface Opened {
  readonly spec: ModelSpec;
  readonly source: ModelSource;
  readonly answer: LoadAnswer;
  readonly tried: Tried | undefined;
  /** How many there are for the model. */
  readonly lanes: number;
}
interface Described {
  readonly key: string;
  readonly source: ModelSource;
  readonly laneIds: readonly number[];
}

/** Of a program's bare graph: rows of tensors, whose cost nobody counts. */
function graphLimits(limits: BatchLimits, { batchable }: Signature): BatchLimits {
  return { ...limits, ...(batchable ? {} : { maxItems: 1, maxDelayMs: 0 }), maxCost: Infinity };
}

function explain(error: unknown): string {
  if (error instanceof ServerError && error.cause instanceof Error) return error.cause.message;
  return messageOf(error);
}
