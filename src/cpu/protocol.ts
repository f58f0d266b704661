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

/** A body, to be decoded, and prepared where the request has one model and that has room for it. */
export interface DecodeJob {
  readonly kind: 'decode';
  readonly operation: string;
  /** Given away. */
  readonly body: Uint8Array;
  readonly context: DecodeContext;
  /** By operation: this one, and those that it may turn out to be. Not for tensors. */
  readonly models: Readonly<Record<string, CpuModels>>;
  /** For tensors. */
  readonly tensorModel?: TensorModel;
}

/** The models that an operation may be for. */
export interface CpuModels {
  readonly all: readonly CpuModel[];
  /** Key of the one that serves where none is named; undefined: there is none. */
  readonly unnamed: string | undefined;
  /** The path has named the model: the body's word does not count. */
  readonly isGiven: boolean;
}

export interface CpuModel {
  readonly name: string;
  readonly version: string;
  /** It serves where a name comes without a version. */
  readonly isCurrent: boolean;
  readonly source: TaskSource;
  /** Items that it has permits for: of a request of more, nothing is prepared. */
  readonly room: number;
}

export type Decoded = DecodedItems | DecodedTensors | DecodedCall | DecodeRefusal;

export interface DecodedItems {
  readonly kind: 'items';
  /** What the body turned out to be. */
  readonly operation: string;
  /** The model it asks for. */
  readonly asked: string | undefined;
  /** Key of the model whose task has its items; undefined: none has, as it has no room for them, or is not among those given. */
  readonly key: string | undefined;
  readonly count: number;
  readonly ignored: readonly string[];
  readonly request: DecodedRequest | undefined;
}

/** The items of a request, and what its answer needs besides their outputs: `options`, or in the luggage. */
export interface DecodedRequest {
  readonly items: Parcel<Item | PreparedItem>;
  /** Time of the thread, all of them together. */
  readonly prepareMs: number;
  readonly options?: unknown;
  /** Of many that are prepared; the main thread does not read it. */
  readonly luggage?: Uint8Array;
}

/** What goes with a long request to the thread that answers it, unread. */
export interface Luggage {
  readonly options: unknown;
  /** By the number of the item, refused ones included; absent where it has none. */
  readonly memos: readonly unknown[];
}

/** An item of a large request, prepared or refused. */
export type PreparedItem =
  /** `prepareMs` is the item's own time on its thread. */
  | { readonly kind: 'prepared'; readonly prepared: Prepared; readonly prepareMs: number }
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

/** A body that is no request, told in the dialect of what it turned out to be. */
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
  /** Without memos where they are in the luggage. */
  readonly results: Parcel<RanItem>;
  readonly options: unknown;
  readonly luggage?: Uint8Array | undefined;
}

/** What became of an item on its lane. */
export type RanItem =
  { readonly outputs: Outputs; readonly memo?: unknown } | { readonly reply: Reply } | { readonly error: PlainError };

export interface EncodeTensorsJob {
  readonly kind: 'encode';
  readonly of: 'tensors';
  readonly operation: string;
  readonly source: TaskSource;
  /** Its inputs are on the lane: there are none here. */
  readonly request: TensorsRequest;
  /** Given away. */
  readonly outputs: readonly Tensor[];
  readonly tensorModel: TensorModel;
}

export interface Encoded {
  /** Or the error that stands for the request. */
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

/** Errors are told, not thrown: a thrown one loses its class and code on the way. */
export type CpuAnswer<Value> =
  { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly error: PlainError };

/** What a CPU thread is given when it starts. */
export interface CpuData {
  /** Name of the BroadcastChannel by which threads hear of models that are gone. */
  readonly channel: string;
}
