import type { BatchLimits } from '../core/ticket.ts';
import { deviceName } from '../lanes/lane.ts';
import type { PlannedLane } from '../lanes/plan.ts';
import type { LoadAnswer } from '../lanes/protocol.ts';
import type { ExampleSource } from '../repository/assets.ts';
import type { ModelSource } from '../repository/source.ts';
import type { ModelDescription, ModelStatistics } from '../model.ts';
import type { Task, TaskSource } from '../tasks/task.ts';
import type { Signature } from '../tensors/tensor.ts';
import { createStatistics } from './statistics.ts';

/** A graph as the tensor API runs it. */
export interface ServedGraph {
  readonly key: string;
  readonly signature: Signature;
  /** Elements of all inputs together that make a cost of 1: those of an item of the task, if it is the task's graph. */
  readonly elementsPerCost: number;
  /** Memory of a run, as larger inputs were measured; undefined where their size hardly matters. */
  readonly bytesPerElement: number | undefined;
  /** Most memory that a run may be predicted to take. */
  readonly mostBytes: number;
}

/** A model version that takes requests. */
export interface ServedModel {
  /** Unique per load: the key in the core and the lanes. */
  readonly key: string;
  readonly name: string;
  readonly version: string;
  /** What tickets of its task take and give. */
  readonly signature: Signature;
  /** What the tensor API runs: the graph itself. Absent if a program does not give its graph. */
  readonly graph: ServedGraph | undefined;
  /** Those of model.json, or else those that suit the task and its device. */
  readonly limits: BatchLimits;
  /** Items waiting and running together. */
  readonly queueItems: number;
  readonly task: Task;
  readonly taskSource: TaskSource;
  readonly statistics: ModelStatistics;
  /** All fields but `versions`, which depends on other versions. */
  readonly description: Omit<ModelDescription, 'versions'>;
  /** Its example with the place of the file, if it is one. */
  readonly example?: ExampleSource | undefined;
  /** Time limit of a request. */
  readonly timeoutMs: number;
  /** Of the files that it was loaded from. */
  readonly fileBytes: number;
}

/** Keys of a model's queues: its own, and that of its graph if the tensor API runs that beside its program. */
export function queuesOf({ key, graph }: Pick<ServedModel, 'key' | 'graph'>): readonly string[] {
  return graph === undefined || graph.key === key ? [key] : [key, graph.key];
}

/** Most items in a run, and in the queue, if neither model.json nor a program says. */
const MAX_ITEMS = 64;
const QUEUE_ITEMS = 256;
/** Full runs of each lane that there are permits for: one runs, one is sent ahead of its turn, and two wait. */
const RUNS_OF_LANE = 4;

/** The limits of model.json, and where it leaves them open, those of the program. A graph that cannot batch runs one by one. */
export function limitsOf({ manifest: { batching } }: ModelSource, answer: LoadAnswer): BatchLimits {
  const maxItems = answer.signature.batchable ? (batching.maxItems ?? answer.limits?.maxItems ?? MAX_ITEMS) : 1;
  return {
    maxItems,
    maxCost: batching.maxCost ?? answer.limits?.maxCost ?? Infinity,
    maxDelayMs: maxItems === 1 || answer.stepping === true ? 0 : batching.maxDelayMs,
  };
}

/** What model.json lets a model have, before it is loaded: a run's items and the permits of its queue. */
export function likelySizes({ manifest: { batching, queue } }: Pick<ModelSource, 'manifest'>): {
  readonly limits: Pick<BatchLimits, 'maxItems'>;
  readonly queueItems: number;
} {
  return { limits: { maxItems: batching.maxItems ?? MAX_ITEMS }, queueItems: queue.maxItems ?? QUEUE_ITEMS };
}

/** Most items waiting and running together: fewer than some full runs of each lane would leave lanes without work. */
export function queueItemsOf(
  { manifest: { queue } }: Pick<ModelSource, 'manifest'>,
  suits: number | undefined,
  { lanes, maxItems }: { lanes: number; maxItems: number },
): number {
  return queue.maxItems ?? Math.max(suits ?? QUEUE_ITEMS, RUNS_OF_LANE * lanes * maxItems);
}

/** What the tensor API shows of a model whose program does not give its graph. */
const NO_TENSORS: Signature = { inputs: [], outputs: [], batchable: false };

/** Joins what a model's folder says and what loading it has found. `timeoutMs` is the limit of all requests. */
export function servedModel(
  {
    key,
    source,
    lanes,
  }: { readonly key: string; readonly source: ModelSource; readonly lanes: readonly PlannedLane[] },
  {
    answer,
    timeoutMs,
    ...found
  }: Pick<ServedModel, 'task' | 'taskSource' | 'graph' | 'limits' | 'timeoutMs'> & { readonly answer: LoadAnswer },
): ServedModel {
  const { manifest, labels, outputLabels } = source;
  const { description, licence, example, parameters } = manifest;
  const about = { name: source.name, version: String(source.version) };
  return {
    key,
    ...about,
    ...found,
    signature: answer.signature,
    queueItems: queueItemsOf(source, answer.limits?.queueItems, {
      lanes: lanes.length,
      maxItems: found.limits.maxItems,
    }),
    statistics: createStatistics(),
    example: source.example,
    fileBytes: source.fileBytes,
    timeoutMs: Math.min(manifest.queue.timeoutMs ?? timeoutMs, timeoutMs),
    description: {
      ...about,
      task: manifest.task,
      signature: found.graph?.signature ?? NO_TENSORS,
      maxItems: found.limits.maxItems,
      maxDelayMs: manifest.batching.maxDelayMs,
      versionPolicy: manifest.versions,
      devices: lanes.map(({ device }) => deviceName(device)),
      ...(description === undefined ? {} : { description }),
      ...(licence === undefined ? {} : { licence }),
      ...(labels === undefined ? {} : { labels }),
      ...(outputLabels === undefined ? {} : { outputLabels }),
      ...(parameters === undefined ? {} : { parameters }),
      ...(example === undefined ? {} : { example }),
    },
  };
}
