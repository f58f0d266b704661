import type { ErrorCode } from '../errors.ts';
import type { Signature, Tensor } from '../tensor.ts';

/**
 * What passes between the main thread and a lane. Every answer is tagged instead of thrown, because a thrown error loses its
 * class and code on the way between threads.
 */

/** Where a lane computes. */
export type Device = { readonly kind: 'cpu' } | { readonly kind: 'cuda'; readonly index: number };

/** Given to a lane's thread at birth. */
export interface LaneData {
  readonly device: Device;
  readonly intraOpThreads: number;
  /** One Int32: runs begun minus runs ended is 1 while ONNX Runtime computes; the watchdog watches `begun`. */
  readonly progress: SharedArrayBuffer;
}
export const PROGRESS_BEGUN = 0;
export const PROGRESS_ENDED = 1;
export const PROGRESS_BYTES = 8;

/** Overrides of one tensor's metadata, from model.json. */
export interface TensorOverride {
  readonly name: string;
  readonly datatype?: Tensor['datatype'] | undefined;
  readonly shape?: readonly number[] | undefined;
  readonly batchAxis?: number | null | undefined;
}

export interface ModelSpec {
  readonly key: string;
  /** Absolute path of the ONNX file. */
  readonly weights: string;
  readonly session: Readonly<Record<string, unknown>>;
  readonly inputs: readonly TensorOverride[];
  readonly outputs: readonly TensorOverride[];
  readonly simulate: { readonly runMs?: number | undefined; readonly dieAtRun?: number | undefined };
}

export type LaneRequest =
  /** Tries the lane's device on a tiny graph. */
  | { readonly kind: 'probe' }
  /** Loads a session. Without `signature` it is read from metadata, to be checked by a trial. */
  | { readonly kind: 'load'; readonly model: ModelSpec; readonly signature?: Signature }
  /** Checks by running whether rows can be stacked; `row` is an example, made up where absent. */
  | { readonly kind: 'trial'; readonly key: string; readonly row?: readonly Tensor[] }
  /** Runs once at each size. */
  | { readonly kind: 'warm'; readonly key: string; readonly sizes: readonly number[]; readonly row?: readonly Tensor[] }
  /** One batch: the inputs of each ticket, in signature order. */
  | { readonly kind: 'run'; readonly key: string; readonly tickets: readonly (readonly Tensor[])[] }
  | { readonly kind: 'unload'; readonly key: string };

export interface Failure {
  readonly ok: false;
  readonly code: ErrorCode;
  readonly message: string;
  /** The device is lost (a CUDA error that is not out-of-memory): only a restart helps. */
  readonly fatal?: boolean;
}

export type TicketOutcome = { readonly ok: true; readonly outputs: readonly Tensor[] } | Failure;

export interface RunAnswer {
  readonly ok: true;
  readonly outcomes: readonly TicketOutcome[];
  readonly runMs: number;
  readonly stackMs: number;
  readonly splitMs: number;
  readonly maxItems?: number;
  readonly fatal?: string;
}

export interface LoadAnswer {
  readonly ok: true;
  readonly signature: Signature;
}

export interface TrialAnswer {
  readonly ok: true;
  readonly signature: Signature;
  /** Why the model runs one by one, when it does. */
  readonly why?: string;
}

export interface WarmAnswer {
  readonly ok: true;
  readonly runs: readonly { readonly items: number; readonly runMs: number }[];
}

export interface DoneAnswer {
  readonly ok: true;
}

/** The answer to each kind of request. */
export interface LaneAnswers {
  probe: DoneAnswer;
  load: LoadAnswer;
  trial: TrialAnswer;
  warm: WarmAnswer;
  run: RunAnswer;
  unload: DoneAnswer;
}
export type LaneAnswer<Kind extends LaneRequest['kind']> = LaneAnswers[Kind] | Failure;

/** Below this size a buffer is copied rather than transferred: handing it over costs more than its bytes (measured at 80 B and 3 kB). */
const TRANSFER_BYTES = 2048;

/**
 * The buffers of tensors worth transferring, each once. Whoever gives tensors to a lane, or a lane that answers, gives them away.
 */
export function transferables(tensors: Iterable<Tensor>): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const tensor of tensors) {
    if (tensor.datatype === 'BYTES') continue;
    const { buffer } = tensor.data;
    if (buffer instanceof ArrayBuffer && buffer.byteLength >= TRANSFER_BYTES) buffers.add(buffer);
  }
  return [...buffers];
}
