import type { ErrorCode } from '../errors.ts';
import type { ModelSpec } from '../model-spec.ts';
import type { Signature, Tensor } from '../tensors/tensor.ts';

/**
 * What passes between the main thread and a lane. Every answer is tagged instead of thrown, because a thrown error loses its
 * class and code on the way between threads.
 */

/** The key under which a lane runs a program's graph, for the tensor API. */
export function graphKey(key: string): string {
  return `${key}:graph`;
}

/** What a ticket brings to its (first) run. */
export interface LaneWork {
  /** In signature order. */
  readonly inputs: readonly Tensor[];
  /** For a program. */
  readonly parameters?: unknown;
}

/** A ticket in a run. */
export interface LaneTicket extends Partial<LaneWork> {
  /** The same in every run of the ticket; unique among those of a lane. Without inputs it goes on from its last run. */
  readonly id: number;
}

/** Limits of a batch: rows, and cost in the task's unit. */
export interface RunLimits {
  readonly maxItems: number;
  readonly maxCost: number;
}

/** Time limits of a lane for warming a model; the first shape is run however long it takes. */
export interface WarmLimits {
  /** One run. */
  readonly runMs: number;
  readonly allMs: number;
  /** Every shape is run twice, because the first run of each is slow (kernels of a GPU). */
  readonly repeat: boolean;
}

export type LaneRequest =
  /** Tries the lane's device on a tiny graph. */
  | { readonly kind: 'probe' }
  /** Loads a model; `signature` is what a trial has found, otherwise that of the metadata counts. */
  | { readonly kind: 'load'; readonly model: ModelSpec; readonly signature?: Signature | undefined }
  /** Gives a loaded graph the signature that a trial has found. */
  | { readonly kind: 'sign'; readonly key: string; readonly signature: Signature }
  /** Makes the runs that requests will need, as far as the budget allows: of a graph at each size, of a program in the shapes that it uses within the limits. */
  | {
      readonly kind: 'warm';
      readonly key: string;
      readonly sizes: readonly number[];
      readonly limits: RunLimits;
      readonly budget: WarmLimits;
      readonly row?: readonly Tensor[];
    }
  /** One batch. The program releases the state of tickets that are no longer named: they have left. */
  | { readonly kind: 'run'; readonly key: string; readonly tickets: readonly LaneTicket[] }
  | { readonly kind: 'unload'; readonly key: string };

export interface Failure {
  readonly ok: false;
  readonly code: ErrorCode;
  readonly message: string;
  /** The device is lost (a CUDA error that is not out-of-memory): only a restart helps. */
  readonly fatal?: boolean;
}

export type TicketOutcome =
  | { readonly ok: true; readonly outputs: readonly Tensor[] }
  /** Not done: the ticket goes on in the next run of its lane. `progress` reaches the task's `serve` (`onProgress`); other tasks do not hear of it. */
  | { readonly ok: true; readonly more: true; readonly progress?: unknown }
  | Failure;

export interface RunAnswer {
  readonly ok: true;
  /** One for each ticket, in the order of the run. */
  readonly outcomes: readonly TicketOutcome[];
  /** Time in ONNX Runtime, and time to put rows together and to part them again. */
  readonly runMs: number;
  readonly stackMs: number;
  readonly splitMs: number;
  /** Most items that memory holds, once a larger batch did not fit: the core makes no larger ones from then on. */
  readonly maxItems?: number;
  /** The device is lost, and why. */
  readonly fatal?: string;
}

export interface LoadAnswer {
  readonly ok: true;
  readonly signature: Signature;
  /** Signature of a program's graph, where the tensor API may run it. */
  readonly graph?: Signature;
  /** Limits that suit a program on this device, where model.json names none. */
  readonly limits?: Partial<RunLimits & { readonly queueItems: number }>;
  /** The program's tickets take several runs. */
  readonly stepping?: boolean;
  /** For the log. */
  readonly warnings?: readonly string[];
  /** Why a program's rows run one by one, if they could otherwise share runs. */
  readonly why?: string;
  /** A choice in model.json that would make it faster, and its price, for the log. */
  readonly advice?: string;
}

export interface WarmAnswer {
  readonly ok: true;
  /**
   * The runs that were made. A program may give their `cost` and `shapeKey`; otherwise these follow from the row. A stepping program gives `join` as
   * `shapeKey` of a run in which tickets begin, and `step` for the others, as the core predicts them apart.
   */
  readonly runs: readonly {
    readonly items: number;
    readonly runMs: number;
    readonly cost?: number;
    readonly shapeKey?: string;
  }[];
}

export interface DoneAnswer {
  readonly ok: true;
}

/** The answer to each kind of request. */
export interface LaneAnswers {
  probe: DoneAnswer;
  load: LoadAnswer;
  sign: DoneAnswer;
  warm: WarmAnswer;
  run: RunAnswer;
  unload: DoneAnswer;
}
export type LaneAnswer<Kind extends LaneRequest['kind']> = LaneAnswers[Kind] | Failure;
