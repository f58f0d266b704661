import type { Answer, AnswerHead, DecodeContext, TensorModel, TensorsRequest } from '../dialects/shared/operation.ts';
import type { ErrorCode, PlainError } from '../errors.ts';
import type { Item, Outputs, Prepared, Reply, TaskSource } from '../tasks/task.ts';
import type { Tensor } from '../tensors/tensor.ts';
import type { Parcel } from './parcel.ts';

/**
 * What a CPU thread does: it runs an operation's codec by the operation's name (`decode` with the task's `prepare`, the task's `finish` with
 * `encode`), or one of a task's functions by its name. Nothing here knows an operation, a dialect or a task.
 */
export type CpuJob = DecodeJob | EncodeJob | CallJob;

/** A body to be decoded, and its items to be prepared if its model is found and has room for them. */
export interface DecodeJob {
  readonly kind: 'decode';
  readonly operation: string;
  /** Given away. */
  readonly body: Uint8Array;
  readonly context: DecodeContext;
  /** By operation: this one, and those that share its paths. Not for tensors. */
  readonly models: Readonly<Record<string, CpuModels>>;
  /** For tensors. */
  readonly tensorModel?: TensorModel;
}

/** The models that an operation may be for. */
export interface CpuModels {
  readonly all: readonly CpuModel[];
  /** Key of the model for bodies that name none; undefined if there is none. */
  readonly unnamed: string | undefined;
  /** The model is known already, so a name in the body does not count. */
  readonly isGiven: boolean;
  /** Unknown names stand for the only model. */
  readonly takesAnyName: boolean;
}

export interface CpuModel {
  readonly name: string;
  readonly version: string;
  /** Other names for it. */
  readonly aliases: readonly string[];
  /** Whether a name without a version means this one. */
  readonly isCurrent: boolean;
  readonly source: TaskSource;
  /** The number of items for which it has permits; of a larger request nothing is prepared. */
  readonly room: number;
}

export type Decoded = DecodedItems | DecodedTensors | DecodedCall | DecodeRefusal;

export interface DecodedItems {
  readonly kind: 'items';
  /** The operation that the body turned out to be for. */
  readonly operation: string;
  /** The name of the model that the body asks for. */
  readonly asked: string | undefined;
  /** Key of the model that the items were prepared for; undefined if it has no room for them, or is not among those given. */
  readonly key: string | undefined;
  readonly count: number;
  readonly ignored: readonly string[];
  readonly request: DecodedRequest | undefined;
}

/** The items of a request, and what its answer needs besides their outputs, in `options` or in the luggage. */
export interface DecodedRequest {
  readonly items: Parcel<Item | PreparedItem>;
  /** Time that the thread took to prepare all of them. */
  readonly prepareMs: number;
  readonly options?: unknown;
  /** Of many prepared items; the main thread does not read it. */
  readonly luggage?: Uint8Array;
}

/** What a long request brings to the thread that answers it, unread by the main thread. */
export interface Luggage {
  readonly options: unknown;
  /** By the index of the item, counting refused ones; absent for an item without a memo. */
  readonly memos: readonly unknown[];
}

/** An item of a large request, prepared, read for its task's `reading`, or refused. `prepareMs` is the item's own time on its thread. */
export type PreparedItem =
  | { readonly kind: 'prepared'; readonly prepared: Prepared; readonly prepareMs: number }
  | { readonly kind: 'read'; readonly read: unknown; readonly prepareMs: number }
  | ({ readonly kind: 'refused' } & PlainError);

export interface DecodedTensors {
  readonly kind: 'tensors';
  readonly request: TensorsRequest;
}

export interface DecodedCall {
  readonly kind: 'call';
  readonly asked: string | undefined;
  readonly key: string | undefined;
  readonly answer: Answer | undefined;
}

/** A body that is not a request; the operation gives the dialect of the error. */
export interface DecodeRefusal {
  readonly kind: 'refused';
  readonly operation: string;
  readonly error: PlainError;
}

export type EncodeJob = EncodeItemsJob | EncodeTensorsJob;

export interface EncodeItemsJob {
  readonly kind: 'encode';
  readonly of: 'items';
  readonly operation: string;
  readonly source: TaskSource;
  readonly head: AnswerHead;
  /** Without memos if those are in the luggage. */
  readonly results: Parcel<RanItem>;
  readonly options: unknown;
  readonly luggage?: Uint8Array | undefined;
}

/** The result of an item's run. */
export type RanItem =
  { readonly outputs: Outputs; readonly memo?: unknown } | { readonly reply: Reply } | { readonly error: PlainError };

export interface EncodeTensorsJob {
  readonly kind: 'encode';
  readonly of: 'tensors';
  readonly operation: string;
  readonly source: TaskSource;
  /** Without inputs, which were given to the lane. */
  readonly request: TensorsRequest;
  /** Given away. */
  readonly outputs: readonly Tensor[];
  readonly tensorModel: TensorModel;
}

export interface Encoded {
  /** Or the error of the whole request. */
  readonly answer: Answer | PlainError;
  /** Of items that had run and could not be finished. */
  readonly failed: readonly ErrorCode[];
  /** The first of them that is INTERNAL, for the log. */
  readonly fault?: PlainError | undefined;
}

/** A task's function by name: one of its `calls`, or `prepare` with an item. */
export interface CallJob {
  readonly kind: 'call';
  readonly source: TaskSource;
  readonly name: string;
  readonly argument: unknown;
  /** Buffers of the argument that are given away. */
  readonly give?: readonly ArrayBuffer[];
}

export interface CpuAnswers {
  decode: Decoded;
  encode: Encoded;
  call: unknown;
}

/** Errors are values here, because a thrown error loses its class and code on the way between threads. */
export type CpuAnswer<Value> =
  { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly error: PlainError };

/** What a CPU thread is given when it starts. */
export interface CpuData {
  /** Name of the BroadcastChannel that tells threads which models are gone. */
  readonly channel: string;
}
