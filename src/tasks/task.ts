import type { Signature, Tensor } from '../tensor.ts';

/**
 * A task turns a model's items into tensors (`prepare`) and its tensors into replies (`finish`). Tasks are pure: they know
 * nothing of HTTP, lanes or ONNX Runtime, and run in any thread (the main one when an item is light, else the CPU pool).
 */

/** One item as a client sent it: a JSON value, or a raw body with its content type (lower case, no parameters). */
export type Item = JsonItem | RawItem;
export interface JsonItem {
  readonly kind: 'json';
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

/** What a task needs to know of its model; structured-cloneable, so that another thread can build the same task. */
export interface TaskSource {
  /** Unique per loaded model version and load: the key of caches in other threads. */
  readonly key: string;
  readonly model: string;
  /** A built-in task's name, or the absolute path of a module that exports a task of the user's own. */
  readonly task: string;
  /** The folder that holds the weights and assets of this version. */
  readonly folder: string;
  /** Further files named in `model.json` (absolute paths), by role. */
  readonly files: Readonly<Record<string, string>>;
  readonly signature: Signature;
  readonly labels?: readonly string[];
  /** `options` of `model.json`: whatever the task understands. */
  readonly options: Readonly<Record<string, unknown>>;
}

/**
 * One item ready to run: one row for each batched input (the batch axis is present and 1), by input name. The tensors are given
 * away: their memory goes to another thread, so none may be kept or given twice.
 */
export interface Prepared {
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** Anything `finish` needs from the item; structured-cloneable and small. */
  readonly memo?: unknown;
  /** The item's share of a run, in units of the task (items by default: 1; pixels, tokens, ...). */
  readonly cost: number;
}

/**
 * A reply as JSON, or as bytes of a media type (base64 text where the client can only take JSON). Large JSON comes back from
 * other threads as `jsonText`, already encoded; tasks themselves give `json`.
 */
export type Reply =
  | { readonly json: unknown }
  | { readonly jsonText: Uint8Array }
  | { readonly contentType: string; readonly bytes: Uint8Array };

export interface Task {
  /** Media types taken as raw bodies, e.g. `text/plain`, `image/png`. */
  readonly rawTypes: readonly string[];
  /** True when preparing this item costs well under a millisecond and may happen on the main thread. */
  isLight(item: Item): boolean;
  /** Throws a `ServerError` (BAD_REQUEST, UNSUPPORTED_MEDIA_TYPE, TOO_LARGE or INVALID_INPUT) on an item it cannot take. */
  prepare(item: Item): Prepared | Promise<Prepared>;
  /** True when `finish` on outputs of this many bytes may happen on the main thread. */
  isLightReply(outputBytes: number): boolean;
  /** `outputs` are the item's own rows (batch axis present and 1), by output name. */
  finish(outputs: Readonly<Record<string, Tensor>>, memo: unknown): Reply | Promise<Reply>;
}

/** Builds a task for a model; reads assets, throws a plain Error saying what is wrong with the model folder. */
export type CreateTask = (source: TaskSource) => Task | Promise<Task>;
