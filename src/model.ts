import type { Signature } from './tensors/tensor.ts';

const MODEL_NAME = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;

/** Whether a name may be a model's: letters, digits, dots, underscores and hyphens, without a dot in front. */
export function isModelName(name: string): boolean {
  return MODEL_NAME.test(name);
}

/** What dialects and pages may know of a loaded model version; plain data, no handles. */
export interface ModelDescription {
  readonly name: string;
  /** As text, e.g. "1". */
  readonly version: string;
  /** All versions ready now, ascending. */
  readonly versions: readonly string[];
  readonly task: string;
  readonly description?: string;
  readonly licence?: string;
  readonly signature: Signature;
  readonly labels?: readonly string[];
  /** Names of the classes of single outputs; if there are any, other outputs have none. */
  readonly outputLabels?: Readonly<Record<string, readonly string[]>>;
  /** Metadata for clients. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** Most items in one run; 1 for a model that cannot batch. */
  readonly maxItems: number;
  readonly maxDelayMs: number;
  /** Which of the versions on disk are served, as the manifest has it. */
  readonly versionPolicy: 'all' | { readonly latest: number } | { readonly specific: readonly number[] };
  /** The device of each lane that holds it, e.g. ["cpu", "cpu"] or ["cuda:0"]. */
  readonly devices: readonly string[];
  /** A request of the native API, if the model has one. */
  readonly example?: unknown;
}

/** Count and total time of one kind of event since the model was loaded, as in OIP's statistics extension. */
export interface StatisticDuration {
  count: number;
  ns: number;
}

/** What OIP's statistics extension reports of one model version (protocol: extension_statistics). Items are counted, but executionCount counts runs. */
export interface ModelStatistics {
  lastInferenceMs: number;
  inferenceCount: number;
  executionCount: number;
  success: StatisticDuration;
  fail: StatisticDuration;
  queue: StatisticDuration;
  computeInput: StatisticDuration;
  computeInfer: StatisticDuration;
  computeOutput: StatisticDuration;
  /** By batch size in items. */
  readonly batches: Map<
    number,
    { computeInput: StatisticDuration; computeInfer: StatisticDuration; computeOutput: StatisticDuration }
  >;
}
