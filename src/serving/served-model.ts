import type { Manifest } from '../repository/manifest.ts';
import type { ModelDescription, ModelStatistics } from '../model.ts';
import type { Task, TaskSource } from '../tasks/task.ts';
import type { Signature } from '../tensor.ts';

/** A model version that takes requests. */
export interface ServedModel {
  /** Unique per load: the key in the core and the lanes. */
  readonly key: string;
  readonly name: string;
  readonly version: string;
  readonly manifest: Manifest;
  readonly signature: Signature;
  readonly task: Task;
  readonly taskSource: TaskSource;
  readonly statistics: ModelStatistics;
  /** All but `versions`, which other versions decide. */
  readonly description: Omit<ModelDescription, 'versions'>;
  /** Time limit of a request. */
  readonly timeoutMs: number;
}
