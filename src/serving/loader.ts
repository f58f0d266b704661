import { readFile } from 'node:fs/promises';
import { ServerError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { CpuPool } from '../pool/cpu.ts';
import type { Lanes } from '../pool/lanes.ts';
import type { ModelSpec } from '../pool/messages.ts';
import type { ModelLoader } from '../repository/changes.ts';
import { shapeKey } from '../rows.ts';
import type { ModelSource } from '../repository/source.ts';
import { createTask } from '../tasks/registry.ts';
import type { Item, Prepared, Task, TaskSource } from '../tasks/task.ts';
import type { Signature, Tensor } from '../tensor.ts';
import type { ModelOptions } from '../core/model-state.ts';
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
      core.addModel(key, {
        limits: limitsOf(model),
        queueItems: source.manifest.queue.maxItems,
        lanes: laneIds,
        seenRuns: loaded.seenRuns,
      });
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
    await this.#parts.core.removeModel(model.key);
    this.#models.delete(model.key);
    await this.#parts.lanes.unload(model.key);
    this.#parts.metrics.modelLoadSeconds.remove({ model: model.name, version: model.version });
  }

  async #onLanes(key: string, source: ModelSource, laneIds: readonly number[]): Promise<Loaded> {
    const { lanes, log } = this.#parts;
    const [first, ...others] = laneIds.map((id) => lanes.thread(id));
    if (first === undefined) throw new Error('there is no lane');
    const spec = specOf(key, source);
    const { signature: candidate } = await first.command({ kind: 'load', model: spec });
    const example = await this.#example(source, taskSourceOf(key, source, candidate));
    const row = example === undefined ? undefined : rowOf(candidate, example);
    const rowPart = row === undefined ? {} : { row };
    const { signature, why } = await first.command({ kind: 'trial', key, ...rowPart });
    if (why !== undefined) log.warn({ model: source.name, why }, 'this model runs one request at a time');
    const taskSource = taskSourceOf(key, source, signature);
    const task = await createTask(taskSource);
    const warmSizes = source.manifest.warmup ? sizesOf(source, signature, example?.cost ?? 1) : [];
    const { runs } = await first.command({ kind: 'warm', key, sizes: warmSizes, ...rowPart });
    for (const thread of others) {
      await thread.command({ kind: 'load', model: spec, signature });
      await thread.command({ kind: 'warm', key, sizes: warmSizes, ...rowPart });
    }
    const devices = laneIds.map((id) => lanes.deviceOf(id));
    lanes.place({ spec, signature, laneIds, devices, runLimitMs: source.manifest.runLimitMs, warmSizes, ...rowPart });
    const cost = example?.cost ?? 1;
    const shape = row === undefined ? '' : shapeKey(signature, row);
    // The warm-up does without the sleep of `simulate`, but the runs to come do not.
    const sleepMs = source.manifest.simulate.runMs ?? 0;
    const seenRuns = runs.map(({ items, runMs }) => ({
      shapeKey: shape,
      cost: items * cost,
      items,
      wallMs: runMs + sleepMs,
      runMs: runMs + sleepMs,
    }));
    return { signature, task, taskSource, devices, seenRuns };
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

  #describe({ key, source, signature, task, taskSource, devices }: Loaded & Described): ServedModel {
    const { manifest } = source;
    return {
      key,
      name: source.name,
      version: String(source.version),
      manifest,
      signature,
      task,
      taskSource,
      statistics: createStatistics(),
      timeoutMs: Math.min(manifest.queue.timeoutMs ?? this.#parts.timeoutMs, this.#parts.timeoutMs),
      description: {
        name: source.name,
        version: String(source.version),
        task: manifest.task,
        signature,
        maxItems: signature.batchable ? manifest.batching.maxItems : 1,
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

interface Loaded {
  readonly signature: Signature;
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

function limitsOf({ manifest, description }: ServedModel) {
  return {
    maxItems: description.maxItems,
    maxCost: manifest.batching.maxCost ?? Infinity,
    maxDelayMs: description.maxItems === 1 ? 0 : manifest.batching.maxDelayMs,
  };
}

function specOf(key: string, { weights, manifest }: ModelSource): ModelSpec {
  return {
    key,
    weights,
    session: manifest.session,
    inputs: manifest.inputs,
    outputs: manifest.outputs,
    simulate: manifest.simulate,
  };
}

function taskSourceOf(key: string, source: ModelSource, signature: Signature): TaskSource {
  return {
    key,
    model: source.name,
    task: source.task,
    folder: source.folder,
    files: source.files,
    signature,
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

/** Batch sizes to warm: those of model.json, else powers of two, as far as the limits let a batch grow. */
export function sizesOf(
  { manifest: { batching } }: Pick<ModelSource, 'manifest'>,
  signature: Signature,
  cost: number,
): number[] {
  if (!signature.batchable) return [1];
  const most = Math.max(1, Math.min(batching.maxItems, Math.floor((batching.maxCost ?? Infinity) / cost)));
  const sizes = batching.buckets ?? Array.from({ length: 13 }, (_, power) => 2 ** power);
  return [...new Set([...sizes.filter((size) => size < most), most])];
}

function explain(error: unknown): string {
  if (error instanceof ServerError && error.cause instanceof Error) return error.cause.message;
  return error instanceof Error ? error.message : String(error);
}
