import type { ProgramSpec } from './tasks/task.ts';
import type { Tensor } from './tensors/tensor.ts';

/** Overrides of one tensor's metadata, from model.json. */
export interface TensorOverride {
  readonly name: string;
  readonly datatype?: Tensor['datatype'] | undefined;
  readonly shape?: readonly number[] | undefined;
  /** What clients of the tensor API send or get in its place. */
  readonly clientShape?: readonly number[] | undefined;
  /** Of inputs: sizes of a usual row. */
  readonly exampleShape?: readonly number[] | undefined;
  readonly batchAxis?: number | null | undefined;
}

/** `alone`: a run has one row. `together`: rows share runs, and change each other's answers. */
export type DynamicQuantisation = 'alone' | 'together';

/** What a lane, or a trial, needs to open a model: its files and what model.json says of them. */
export interface ModelSpec {
  readonly key: string;
  /** Absolute path of the ONNX file. */
  readonly weights: string;
  readonly session: Readonly<Record<string, unknown>>;
  /** By role of the graph (`model`, `decoder`). */
  readonly accuracyLevel?: Readonly<Record<string, number>>;
  /** What rows of dynamically quantised graphs may share: of all graphs, or by role. Default: `alone`. */
  readonly dynamicQuantisation?: DynamicQuantisation | Readonly<Record<string, DynamicQuantisation>>;
  /** Most items in a run, where model.json says. */
  readonly maxItems?: number;
  readonly inputs: readonly TensorOverride[];
  readonly outputs: readonly TensorOverride[];
  /** Absent: none. */
  readonly simulate?: Faults;
  /** Absent: the graph itself, run once on stacked rows. */
  readonly program?: ProgramSpec;
}

/** Faults that model.json asks for, for demos and tests. */
export interface Faults {
  /** Added to each run. */
  readonly runMs?: number | undefined;
  /** The lane's thread ends at this run; 1 is the first after warm-up. */
  readonly dieAtRun?: number | undefined;
}
