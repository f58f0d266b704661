import { readdir, readFile, stat } from 'node:fs/promises';
import { totalmem } from 'node:os';
import path from 'node:path';
import type { ModelOptions } from '../core/model-state.ts';
import type { BatchLimits } from '../core/ticket.ts';
import type { WarmRequest } from '../lanes/lanes.ts';
import type { LoadAnswer, WarmAnswer, WarmLimits } from '../lanes/protocol.ts';
import type { ModelSpec } from '../model-spec.ts';
import type { TrialRun } from '../trial/protocol.ts';
import type { ModelSource } from '../repository/source.ts';
import { shapeKey } from '../tensors/rows.ts';
import type { Item, Prepared, ProgramSpec, TaskSource } from '../tasks/task.ts';
import { elementCount, type Signature, type Tensor } from '../tensors/tensor.ts';
import type { ServedGraph } from './served-model.ts';

/** What loading a model takes from its folder, and how its lanes are warmed. */

/** Most items in a run, and in the queue, where neither model.json nor a program says. */
const MAX_ITEMS = 32;
const QUEUE_ITEMS = 256;

/** model.json's limits; what it leaves open, the program decides. A graph that cannot batch runs one by one. */
export function limitsOf(
  { manifest: { batching } }: ModelSource,
  { batchable }: Signature,
  answer: LoadAnswer,
): BatchLimits {
  const maxItems = batchable ? (batching.maxItems ?? answer.limits?.maxItems ?? MAX_ITEMS) : 1;
  return {
    maxItems,
    maxCost: batching.maxCost ?? answer.limits?.maxCost ?? Infinity,
    maxDelayMs: maxItems === 1 || answer.stepping === true ? 0 : batching.maxDelayMs,
  };
}

/** Most items waiting and running together. */
export function queueItemsOf({ manifest: { queue } }: ModelSource, { limits }: LoadAnswer): number {
  return queue.maxItems ?? limits?.queueItems ?? QUEUE_ITEMS;
}

export function specOf(key: string, { weights, manifest }: ModelSource, program: ProgramSpec | undefined): ModelSpec {
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

export function withoutSignature(key: string, source: ModelSource): Omit<TaskSource, 'signature'> {
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

export function rowOf(signature: Signature, { inputs }: Prepared): Tensor[] {
  return signature.inputs.map(({ name }) => {
    const tensor = inputs[name];
    if (tensor === undefined) throw new Error(`the task prepared no input ${name}`);
    return tensor;
  });
}

/**
 * A CPU runs most shapes at their usual speed from the first time on: a few small runs make the first request quick and tell what runs cost, and
 * more would cost time and memory (batches of 32 images were seen to take 30 s and 3 GB). A GPU pays for each new shape.
 */
const CPU_WARMTH: WarmLimits = { runMs: 500, allMs: 1000, repeat: false };
const GPU_WARMTH: WarmLimits = { runMs: 5000, allMs: 60_000, repeat: true };
/** Of the sizes that model.json names. */
const NAMED_WARMTH: WarmLimits = { runMs: 10_000, allMs: 60_000, repeat: false };
/** One run: the lane's memory is there, and what runs cost another lane has told. */
const ONE_RUN: WarmLimits = { runMs: 0, allMs: 0, repeat: false };

/** What is run before the model takes requests, on its first lane and on each of the others; undefined where model.json switches it off. */
export function warmPlan(
  source: ModelSource,
  {
    limits,
    row,
    cost,
    device,
  }: Pick<Tried, 'row' | 'cost'> & { readonly limits: BatchLimits; readonly device: string },
): { readonly first: WarmRequest; readonly others: WarmRequest } | undefined {
  const { warmup, batching } = source.manifest;
  if (!warmup) return undefined;
  const { maxItems, maxCost } = limits;
  const plan = {
    sizes: sizesOf(source, limits, cost),
    limits: { maxItems, maxCost },
    ...(row === undefined ? {} : { row }),
  };
  if (device !== 'cpu') return { first: { ...plan, budget: GPU_WARMTH }, others: { ...plan, budget: GPU_WARMTH } };
  const budget = batching.buckets === undefined ? CPU_WARMTH : NAMED_WARMTH;
  return { first: { ...plan, budget }, others: { ...plan, budget: ONE_RUN } };
}

/** The bytes of all files beside the weights: what opening them may have to read. */
export async function bytesBeside(weights: string): Promise<number> {
  const folder = path.dirname(weights);
  const sizes = (await readdir(folder)).map(async (name) => {
    const file = await stat(path.join(folder, name)).catch(() => undefined);
    return file?.isFile() === true ? file.size : 0;
  });
  return (await Promise.all(sizes)).reduce((sum, bytes) => sum + bytes, 0);
}

export interface Tried {
  readonly signature: Signature;
  /** A row that runs, and its cost: the example, or one that was made up. */
  readonly row?: readonly Tensor[] | undefined;
  readonly cost: number;
  /** Runs of the trial, the larger ones last, and the memory that they took. */
  readonly runs?: readonly TrialRun[];
  readonly bytesPerElement?: number | undefined;
}

/** What elements of a graph's inputs stand for. */
export function sizesIn(tried: Tried | undefined): Pick<ServedGraph, 'elementsPerCost' | 'bytesPerElement'> {
  if (tried?.row === undefined) return { elementsPerCost: 1, bytesPerElement: undefined };
  const elements = tried.row.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  return { elementsPerCost: Math.max(1, elements) / tried.cost, bytesPerElement: tried.bytesPerElement };
}

/** Most memory of a run where model.json does not say: a quarter of what the process may have, shared by the model's lanes. */
export function usualRunBytes(lanes: number): number {
  const limit = process.constrainedMemory();
  return Math.min(totalmem(), limit > 0 ? limit : Infinity) / 4 / Math.max(1, lanes);
}

/**
 * The warm-up's runs as the estimator wants them. It does without the sleep of `simulate`, but the runs to come do not; a sleep beyond the run limit
 * stands for a run that hangs, which nothing predicts.
 */
export function runsSeen(
  { manifest }: ModelSource,
  runs: WarmAnswer['runs'],
  tried: Tried,
): NonNullable<ModelOptions['seenRuns']> {
  const { simulate, runLimitMs } = manifest;
  const sleepMs = simulate.runMs === undefined || simulate.runMs > runLimitMs ? 0 : simulate.runMs;
  const shape = tried.row === undefined ? '' : shapeKey(tried.signature, tried.row);
  const { elementsPerCost } = sizesIn(tried);
  // Of shapes that no lane has run: larger inputs are known from these alone.
  const larger = (tried.runs ?? []).map(({ items, elements, runMs }) => {
    const ms = runMs + sleepMs;
    return { shapeKey: '', cost: elements / elementsPerCost, items, wallMs: ms, runMs: ms };
  });
  const warm = runs.map(({ items, runMs, cost, shapeKey: own }) => ({
    shapeKey: own ?? shape,
    cost: cost ?? items * tried.cost,
    items,
    wallMs: runMs + sleepMs,
    runMs: runMs + sleepMs,
  }));
  return [...larger, ...warm];
}

/** Batch sizes to warm: those of model.json, else powers of two, as far as the limits let a batch grow. */
export function sizesOf(
  { manifest: { batching } }: Pick<ModelSource, 'manifest'>,
  { maxItems, maxCost }: Pick<BatchLimits, 'maxItems' | 'maxCost'>,
  cost: number,
): number[] {
  const most = Math.max(1, Math.min(maxItems, Math.floor(maxCost / cost)));
  const sizes = batching.buckets?.toSorted((a, b) => a - b) ?? Array.from({ length: 13 }, (_, power) => 2 ** power);
  return [...new Set([...sizes.filter((size) => size < most), most])];
}
