import type { BatchLimits } from '../core/ticket.ts';
import type { Manifest } from '../repository/manifest.ts';
import type { ModelDescription, ModelStatistics } from '../model.ts';
import type { Task, TaskSource } from '../tasks/task.ts';
import type { Signature } from '../tensors/tensor.ts';

/** A graph as the tensor API runs it. */
export interface ServedGraph {
  readonly key: string;
  readonly signature: Signature;
  /** Elements of all inputs together that make a cost of 1: those of an item of the task, where it is the task's graph. */
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
  readonly manifest: Manifest;
  /** What tickets of its task take and give. */
  readonly signature: Signature;
  /** What the tensor API runs: the graph itself. Absent where a program keeps it to itself. */
  readonly graph: ServedGraph | undefined;
  /** model.json's, or what suits the task and its device where that says nothing. */
  readonly limits: BatchLimits;
  /** Items waiting and running together. */
  readonly queueItems: number;
  readonly task: Task;
  readonly taskSource: TaskSource;
  readonly statistics: ModelStatistics;
  /** All but `versions`, which other versions decide. */
  readonly description: Omit<ModelDescription, 'versions'>;
  /** Time limit of a request. */
  readonly timeoutMs: number;
}
