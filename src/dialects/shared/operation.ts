import { checkParameters } from '../../json.ts';
import type { ModelDescription } from '../../model.ts';
import type { ServerError } from '../../errors.ts';
import type { Item, JsonItem, Reply } from '../../tasks/task.ts';
import type { Tensor } from '../../tensors/tensor.ts';
import type { About } from './about.ts';
import type { Dialect } from './dialect.ts';
import type { ItemResult } from './results.ts';

/**
 * An operation is one thing that a client can ask for: a row of its dialect's table. Its codecs are pure, and any thread finds them by its name; the
 * door does the rest (`serving/door.ts`).
 */
export type Operation = ItemsOperation | TensorsOperation | CallOperation | StandIn;

interface OperationBase {
  /** The dialect's name and its own, e.g. `openai.embeddings`. */
  readonly name: string;
  readonly dialect: Dialect;
  readonly about: About;
  /** All take POST. `:model` and `:version` stand for one part of a path, percent-encoded. */
  readonly paths: readonly string[];
}

interface Served extends OperationBase {
  readonly models: ModelChoice;
  readonly compression?: Compression;
  /** Largest body, if it is below the server's limit. */
  readonly mostBodyBytes?: number;
  /** Bytes of a body that must be parsed, which decide whether it leaves the main thread; default: all of them. */
  jsonBytes?(body: Uint8Array, context: DecodeContext): number;
}

/** A request for items of a model's task: they are prepared, run, finished one by one, and answered together. */
export interface ItemsOperation<Options = unknown> extends Served {
  readonly kind: 'items';
  /** A larger body of several items is prepared as a whole on the CPU pool. Absent: each item goes by itself, as its task says. */
  readonly lightItemsBytes?: number;
  /** Throws a ServerError if the body is not a valid request. */
  decode(body: Uint8Array, context: DecodeContext): ItemsRequest<Options> | Promise<ItemsRequest<Options>>;
  /** Throws the error of the whole request, if the results of its items amount to one. */
  encode(results: readonly ItemResult[], options: Options, head: AnswerHead): Answer;
  /** Absent: only its own paths lead to it. */
  readonly sharesPaths?: SharedPaths;
  /** Writes the answer piece by piece, on the main thread; undefined where the request does not ask for that. */
  stream?(options: Options, head: AnswerHead): AnswerStream | undefined;
}

/** A request for a run of a model's graph on tensors. */
export interface TensorsOperation<Request extends TensorsRequest = TensorsRequest> extends Served {
  readonly kind: 'tensors';
  decode(body: Uint8Array, context: DecodeContext, model: TensorModel): Request;
  /** `outputs` in the order of the model's signature; the request may come without its inputs. */
  encode(request: Request, outputs: readonly Tensor[], model: TensorModel): Answer;
  /** Bytes of outputs that the answer prints as text. */
  textBytes(request: Request, outputs: readonly Tensor[]): number;
}

/** A request that calls one of a task's own functions, without a lane or permits; the answer is the function's result as JSON. */
export interface CallOperation extends Served {
  readonly kind: 'call';
  decode(body: Uint8Array, context: DecodeContext): CallRequest;
}

/** A path that stands for another operation: the first that has a model here, else the first of the list. */
export interface StandIn extends OperationBase {
  readonly kind: 'stand-in';
  readonly of: readonly { readonly models: ModelChoice; readonly operation: string }[];
}

/** What a choice of models looks at. */
export interface ModelFacts {
  readonly name: string;
  readonly description: { readonly task: string };
  readonly task: { readonly calls?: Readonly<Record<string, unknown>> };
}

/** Which models an operation is for. */
export interface ModelChoice {
  readonly fits: (model: ModelFacts) => boolean;
  /** The error for a model that does not fit; called without a model, the error if no model fits. */
  readonly refusal: (model?: ModelFacts) => ServerError;
  /**
   * Which model serves a request that names none. `first` (the default): DEFAULT_MODEL if it fits, else the first that does. `default`: DEFAULT_MODEL, or
   * the only model there is. A list of conditions: the first model that meets the first condition that any model meets.
   */
  readonly unnamed?: 'first' | 'default' | readonly ((model: ModelFacts) => boolean)[];
}

/** Content codings of an answer. */
export interface Compression {
  /** In our order, for clients that accept several equally. */
  readonly codings: readonly string[];
  /** Larger answers go out as they are; default: none are too large. */
  readonly mostBytes?: number;
}

/** What a decoder may need besides the body; plain data. */
export interface DecodeContext {
  /** The header as sent. */
  readonly contentType?: string | undefined;
  readonly itemLimit: number;
  /** `floatRow` of the model's task; absent if it has none, or if only the body names the model. */
  readonly floatRow?: readonly number[] | undefined;
  /** The model's task; absent if only the body names the model. */
  readonly task?: string | undefined;
  /** Inference-Header-Content-Length of OIP, as sent. */
  readonly jsonLength?: string | undefined;
}

/** Shares the paths of another operation: some requests there are for this one, by their body or by their model. */
export interface SharedPaths {
  /** The name of the operation whose paths they are. Errors before the body is read have the shape of its dialect. */
  readonly of: string;
  /**
   * Whether a body is for this operation, before it is decoded. Must be quick if it is not, and never throw. Absent: bodies are the same, and this operation is for
   * those whose model fits it and not the other one.
   */
  owns?(body: Uint8Array, context: DecodeContext): boolean;
  /** Where the other operation knows its model before the body, that is this one's too. */
  readonly isSameModel?: boolean;
}

export interface ItemsRequest<Options> {
  /** The model that the body names, if it does. */
  readonly model: string | undefined;
  readonly items: readonly Item[];
  /** Names of unknown fields: they are ignored, and the reply says so. */
  readonly ignored?: readonly string[];
  /** What `encode` needs to know of the request; plain data. */
  readonly options: Options;
}

export interface TensorsRequest {
  /** In the order of the signature's inputs. */
  readonly inputs: readonly Tensor[];
  /** Size along the batch axes; 1 for a model that cannot batch. */
  readonly rows: number;
  /** 1 (highest) to 3; absent: that of the header, or the default. */
  readonly priority?: number;
  /** Time limit that the body sets; absent if it sets none. */
  readonly timeoutMs?: number;
}

export interface CallRequest {
  readonly model: string | undefined;
  /** Of the task's `calls`. */
  readonly name: string;
  readonly argument: unknown;
}

/** What the codecs of tensors need to know of the model. */
export type TensorModel = Pick<
  ModelDescription,
  'name' | 'version' | 'signature' | 'labels' | 'outputLabels' | 'maxItems'
>;

/** What an answer may say about itself and its model; plain data. */
export interface AnswerHead {
  /** The request's id. */
  readonly id: string;
  readonly model: string;
  readonly version: string;
  /** Seconds since 1970. */
  readonly created: number;
  /** The Accept header. */
  readonly accept?: string | undefined;
  /** The answer becomes the result of a job, which is whole. */
  readonly isJob?: boolean;
  /** How long it has taken, for answers that say so; filled in while the request is served. */
  readonly timing?: AnswerTiming;
}

/** Milliseconds. */
export interface AnswerTiming {
  /** Since the request began, as far as it is known. */
  readonly totalMs?: number;
  /** Of loading the model, where the request waited for that. */
  readonly loadMs?: number;
  /** From the first run to the first token of a text, */
  readonly promptMs?: number;
  /** and from there to its last. */
  readonly writeMs?: number;
}

/** An answer, ready to be sent. */
export interface Answer {
  readonly contentType: string;
  /** The body, in order. */
  readonly chunks: readonly Uint8Array[];
  readonly headers?: Readonly<Record<string, string | number>>;
}

/** A server-sent event: its data, or its data with its name. In an answer of bytes: some of them. */
export type StreamEvent = string | { readonly name: string; readonly data: string } | Uint8Array;

/** Writes an answer piece by piece. For a task without `serve`, only `end` is called. */
export interface AnswerStream {
  /** An answer of bytes, not of server-sent events. */
  readonly isOfBytes?: boolean;
  /** An answer in lines of JSON, not of server-sent events. */
  readonly isLines?: boolean;
  /** Of an answer that is no events, once its first piece is there. */
  readonly contentType?: string | undefined;
  /** What the task's `serve` emitted for an item. */
  piece(index: number, event: unknown): StreamEvent[];
  /** The rest of an item that is done. */
  done(index: number, reply: Reply): StreamEvent[];
  /** What follows when all items are done. Throws the error of the whole request, if there is one; it becomes the last event. */
  end(results: readonly ItemResult[]): StreamEvent[];
  /** The events of an error after the first event; default: one, as the dialect tells the error of a stream. An answer of bytes breaks off instead. */
  fail?(error: ServerError): StreamEvent[];
}

/** An answer of JSON. */
export function jsonAnswer(value: unknown): Answer {
  return { contentType: 'application/json', chunks: [Buffer.from(JSON.stringify(value))] };
}

/** One item with its parameters; those that are undefined are left out. Throws INVALID_INPUT on more of them than any task has. */
export function jsonItem(value: unknown, parameters: Readonly<Record<string, unknown>>): JsonItem {
  checkParameters(parameters);
  const entries = Object.entries(parameters).filter(([, one]) => one !== undefined);
  return entries.length === 0
    ? { kind: 'json', value }
    : { kind: 'json', value, parameters: Object.fromEntries(entries) };
}

/** Models of one task. */
export function ofTask(task: string): (model: ModelFacts) => boolean {
  return ({ description }) => description.task === task;
}
