import type { Signature, Tensor } from '../tensors/tensor.ts';

/**
 * A task turns a model's items into tensors (`prepare`) and its tensors into replies (`finish`). Tasks are pure: they know
 * nothing of HTTP, lanes or ONNX Runtime, and run in any thread (the main one when an item is light, else the CPU pool).
 */

/** One item as a client sent it: a JSON value, or a raw body with its content type (lower case, no parameters). */
export type Item = JsonItem | RawItem;
export interface JsonItem {
  readonly kind: 'json';
  /** Of a task with `floatRow`, the value may be a Float32Array: its numbers, in arrays nested as that shape. */
  readonly value: unknown;
  /** The request's `parameters` object, as sent. */
  readonly parameters?: Readonly<Record<string, unknown>>;
}
export interface RawItem {
  readonly kind: 'raw';
  readonly contentType: string;
  readonly bytes: Uint8Array;
  readonly parameters?: Readonly<Record<string, unknown>>;
}

/** What a task needs to know about its model; structured-cloneable, so that another thread can build the same task. */
export interface TaskSource {
  /** Unique for each load of a model version: the key of caches in other threads. */
  readonly key: string;
  readonly model: string;
  /** A built-in task's name, or the absolute path of a module that exports a task of the user's own. */
  readonly task: string;
  /** The folder that holds the weights and assets of this version. */
  readonly folder: string;
  /** Absolute path of the weights (`files.model`). */
  readonly weights: string;
  /** Further files named in `model.json` (absolute paths), by role. */
  readonly files: Readonly<Record<string, string>>;
  /** The inputs and outputs of a ticket: the program's if the task has one, else the graph's. */
  readonly signature: Signature;
  readonly labels?: readonly string[];
  /** The media type of the example of `model.json`, where it is a file. */
  readonly exampleType?: string;
  /** `options` of `model.json`; the task checks them. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** The programs of a lane, besides running a graph once: keys of the table in src/programs/programs.ts. */
export type ProgramKind =
  'text-encoder' | 'generation' | 'diffusion' | 'speech' | 'ctc' | 'image-text' | 'text-to-text';

/** The program that a lane is to run for a model, as plain data. Without one, a lane stacks rows and runs the graph once. */
export interface ProgramSpec {
  readonly kind: ProgramKind;
  /** Absolute paths of its ONNX files by role; `model` is the graph that the tensor API serves. */
  readonly graphs: Readonly<Record<string, string>>;
  /** Options of the program. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Settings of the folder that are taken otherwise than they say, for the log. */
  readonly notes?: readonly string[];
}

/** What one ticket brings to a lane. The tensors are given away: their memory goes to another thread, so none may be kept or used twice. */
export interface Work {
  /** One row for each batched input (the batch axis is present and 1), by input name of the signature. */
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** Anything that a program needs besides tensors (sampling parameters, say); structured-cloneable. */
  readonly parameters?: unknown;
  /** The share of a run, in units of the task (items by default: 1; pixels, tokens, ...). */
  readonly cost: number;
  /** Work with the same bucket may share a run whatever its shapes, because the program pads. Without a bucket, shapes must be equal. */
  readonly bucket?: string;
}

/** One item ready to run. */
export interface Prepared extends Work {
  /** Anything `finish` needs from the item; structured-cloneable and small. */
  readonly memo?: unknown;
  /** Of an item of text: counted in `carpool_work_total` once it has run. A task with `serve` counts by itself. */
  readonly promptTokens?: number;
}

/** A reply as JSON, or as bytes of a media type (base64 text if the client takes only JSON). */
export type Reply = { readonly json: unknown } | { readonly contentType: string; readonly bytes: Uint8Array };

/** A row's outputs by output name (batch axis present and 1). */
export type Outputs = Readonly<Record<string, Tensor>>;

/** What `serve` may use. Everything it starts ends with the request: a client that leaves rejects all of it with CANCELLED. */
export interface ServeContext {
  /**
   * Runs one ticket. `onProgress` is called with the `progress` that a stepping program reports between two runs. Rejects with a ServerError; with
   * CANCELLED when `signal` is aborted, which ends the ticket early.
   */
  run(work: Work, onProgress?: (progress: unknown) => void, signal?: AbortSignal): Promise<Outputs>;
  /**
   * Serves `count` parts of the item, as many side by side as there are permits to spare (always at least one). `part` is called when its turn
   * has come, so that not all need to be in memory, and runs its tickets one after another by `run`. Results in order. Rejects with the
   * first error, once what runs is cancelled.
   */
  runEach<Result>(
    count: number,
    part: (index: number, run: (work: Work) => Promise<Outputs>) => Promise<Result>,
  ): Promise<readonly Result[]>;
  /** Calls one of the task's own `calls`: on the CPU pool, or here where `light`. `give` lists buffers that go along. */
  call(name: string, argument: unknown, options?: { light?: boolean; give?: readonly ArrayBuffer[] }): Promise<unknown>;
  /** Sends a piece to a client that streams; does nothing for others. The operation's `AnswerStream` reads the event. */
  emit(event: unknown): void;
  /** Counts what was done, for `carpool_work_total`: `tokens` generated, `prompt_tokens`, `audio_seconds` transcribed, ... */
  count(unit: string, amount: number): void;
  /** True if the client streams, so that `emit` has an effect. */
  readonly streaming: boolean;
  /** What is left of the request's time. */
  leftMs(): number;
  /**
   * Calls back when the client leaves, at once where it has left: for what runs beside tickets and calls. Call the returned function when
   * that has ended.
   */
  onLeave(callback: () => void): () => void;
}

export interface Task {
  /** Media types taken as raw bodies, e.g. `text/plain`, `image/png`. */
  readonly rawTypes: readonly string[];
  /** The shape of an item that is nothing but float32 numbers: where a body has these, they come without the arrays (`JsonItem`). */
  readonly floatRow?: readonly number[];
  /** True when preparing this item costs well under a millisecond and may happen on the main thread. */
  isLight(item: Item): boolean;
  /** One item to one row of each input. Throws a `ServerError` (BAD_REQUEST, UNSUPPORTED_MEDIA_TYPE, TOO_LARGE or INVALID_INPUT) for an item it cannot take. */
  prepare(item: Item): Prepared | Promise<Prepared>;
  /** A made-up item, for the trial and the warm-up of a model without an example; absent: tensors are made up from the graph alone. */
  example?(): Prepared;
  /** For tensors sent directly, in the graph's order and of any number of rows: throws TOO_LARGE above the limits that items have. */
  checkTensors?(inputs: readonly Tensor[]): void;
  /** True when `finish` on outputs of this many bytes may happen on the main thread. */
  isLightReply(outputBytes: number): boolean;
  /** `outputs` are the item's own rows. */
  finish(outputs: Outputs, memo: unknown): Reply | Promise<Reply>;
  /**
   * Called instead of `prepare` and `finish`, for items that need more than one ticket (long audio) or a reply that comes piece by piece.
   * It runs on the main thread, so anything that computes belongs in `calls`.
   */
  readonly serve?: (item: Item, context: ServeContext) => Promise<Reply>;
  /** Whether `serve` is for this item; absent: it is for all. Others go through `prepare` and `finish`. */
  readonly serves?: (item: Item) => boolean;
  /** How items of `serve` in a large body are served; absent: `serve` gets them as they came. */
  readonly reading?: Reading;
  /** Functions that `serve` and dialects call by name, on any thread; arguments and results are structured-cloneable. */
  readonly calls?: Readonly<Record<string, (argument: never) => unknown>>;
}

/** Serves an item in two parts, so that the main thread is spared what came with it. */
export interface Reading {
  /** On the CPU thread that has decoded the body: what the other part needs of the item, plain data. Throws as `prepare` does. */
  read(item: Item): unknown;
  /** On the main thread, as `serve`. */
  serve(read: never, context: ServeContext): Promise<Reply>;
}

/** Builds a task for a model, reading its assets. Throws a plain Error that says what is wrong with the model folder. */
export type CreateTask = (source: TaskSource) => Task | Promise<Task>;

/** Decides from a model's files and options whether it needs a program. Throws a plain Error that says what is wrong with the folder. */
export type ChooseProgram = (
  source: Omit<TaskSource, 'signature'>,
) => ProgramSpec | undefined | Promise<ProgramSpec | undefined>;
