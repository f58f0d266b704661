import { isRecord } from './errors.ts';
import { readEvents } from './events.ts';
import { Jobs } from './jobs.ts';
import { decodeReply, encodeRequest, type InputTensor, type OutputTensor } from './tensors.ts';
import {
  badReply,
  bodyCall,
  type CallOptions,
  type ClientOptions,
  jsonCall,
  failRead,
  parsed,
  readText,
  Transport,
} from './transport.ts';

/** The client of a Carpool server, for Node, browsers and other runtimes with `fetch`: `import { CarpoolClient } from 'carpool/client'`. docs/client.md */

export { CarpoolError } from './errors.ts';
export type { Job, JobPage, JobRequest, JobResult, JobStatus, WaitOptions } from './jobs.ts';
export type { Datatype, InputTensor, OutputTensor, TensorData } from './tensors.ts';
export type { CallOptions, ClientOptions } from './transport.ts';

/** Of all items of a request; each task has its own (docs/tasks.md). */
export type Parameters = Readonly<Record<string, unknown>>;

export interface PredictOptions extends CallOptions {
  readonly parameters?: Parameters;
  /** Type of the reply, for a task whose reply is a file: `image/png`. */
  readonly accept?: string;
}

/** What became of one item of many. */
export type ItemResult<Result> =
  { readonly result: Result } | { readonly error: string; readonly code: string; readonly result?: undefined };

export interface InferOptions extends CallOptions {
  /** Default: the highest that serves. */
  readonly version?: string | number;
  /** Names of the outputs wanted. Default: all. */
  readonly outputs?: readonly string[];
  readonly id?: string;
  readonly parameters?: Parameters;
}

export interface InferReply {
  readonly model: string;
  readonly version: string;
  readonly id?: string;
  readonly outputs: Readonly<Record<string, OutputTensor>>;
}

/** Time of a stream from its first to its last event, with the tries before it. */
const STREAM_TIMEOUT_MS = 600_000;

export class CarpoolClient {
  readonly jobs: Jobs;
  readonly #transport: Transport;

  constructor(options: ClientOptions) {
    this.#transport = new Transport(options);
    this.jobs = new Jobs(this.#transport);
  }

  /**
   * One item, by the native API: the task's reply, or a Blob where that is a file (an image). A Blob as item is sent as it is, with its
   * type, and takes no parameters. Throws a CarpoolError.
   */
  async predict<Result = unknown>(model: string, data: unknown, options: PredictOptions = {}): Promise<Result> {
    const { parameters, accept, ...rest } = options;
    const path = `/predict/${encodeURIComponent(model)}`;
    const wanted: Record<string, string> = accept === undefined ? {} : { accept };
    if (data instanceof Blob && parameters !== undefined) throw new TypeError('A Blob takes no parameters.');
    const call =
      data instanceof Blob
        ? { headers: { 'content-type': data.type || 'application/octet-stream' }, body: data, options: rest }
        : jsonCall({ data, parameters }, rest);
    const response = await this.#transport.send(path, { ...call, headers: { ...call.headers, ...wanted } });
    if (!isJson(response)) return (await readBlob(response)) as Result;
    const reply = parsed(response, await readText(response));
    if (!isRecord(reply) || !('result' in reply)) throw badReply(response, 'The reply has no result.');
    return reply['result'] as Result;
  }

  /** Many items in one request, by the native API, in their order. An item that fails alone has its error in its place. Throws a CarpoolError. */
  async predictItems<Result = unknown>(
    model: string,
    items: readonly unknown[],
    { parameters, ...rest }: Omit<PredictOptions, 'accept'> = {},
  ): Promise<ItemResult<Result>[]> {
    const path = `/predict/${encodeURIComponent(model)}`;
    return (await this.post<{ results: ItemResult<Result>[] }>(path, { items, parameters }, rest)).results;
  }

  /** Tensors, by the Open Inference Protocol in binary. Throws a TypeError for a tensor that does not fill its shape, and a CarpoolError. */
  async infer(
    model: string,
    inputs: Readonly<Record<string, InputTensor>>,
    { version, outputs, id, parameters, ...rest }: InferOptions = {},
  ): Promise<InferReply> {
    const { headBytes, body } = encodeRequest(inputs, {
      id,
      parameters: { ...parameters, binary_data_output: true },
      outputs: outputs?.map((name) => ({ name })),
    });
    const versioned = version === undefined ? '' : `/versions/${encodeURIComponent(version)}`;
    const response = await this.#transport.send(`/v2/models/${encodeURIComponent(model)}${versioned}/infer`, {
      headers: { 'content-type': 'application/octet-stream', 'inference-header-content-length': String(headBytes) },
      body,
      options: rest,
    });
    const decoded = decodeReply(response, await readBytes(response));
    const { model_name, model_version, id: named } = decoded.head as Record<string, string | undefined>;
    return {
      ...{ model: model_name ?? model, version: model_version ?? '' },
      ...(named === undefined ? {} : { id: named }),
      outputs: decoded.outputs,
    };
  }

  /** The reply of JSON to a body of JSON, or to a FormData, on any route: `/v1/embeddings`, `/v1/audio/transcriptions` ... Throws a CarpoolError. */
  async post<Reply = unknown>(path: string, body: unknown, options: CallOptions = {}): Promise<Reply> {
    return (await this.#transport.post(path, body, options)) as Reply;
  }

  /** The value of any route that is read: `/v1/models`, `/info` ... Throws a CarpoolError. */
  get(path: string, options: CallOptions = {}): Promise<unknown> {
    return this.#transport.json(path, { options });
  }

  /**
   * The events of a route that streams, each as its value: `/v1/chat/completions` with `stream: true` set by itself; or the lines of one of
   * Ollama's. A FormData names its own `stream`. A call is tried again until its first event only. Its time is ten minutes by default. Throws a CarpoolError.
   */
  async *stream(
    path: string,
    body: Readonly<Record<string, unknown>> | FormData,
    options: CallOptions = {},
  ): AsyncGenerator<unknown, void, undefined> {
    const value = body instanceof FormData ? body : { stream: true, ...body };
    const call = bodyCall(value, { timeoutMs: STREAM_TIMEOUT_MS, ...options });
    yield* readEvents(await this.#transport.send(path, call));
  }

  /** The text of a chat as it is written. `body` is that of `/v1/chat/completions`. Throws a CarpoolError. */
  async *chat(
    body: Readonly<Record<string, unknown>>,
    options: CallOptions = {},
  ): AsyncGenerator<string, void, undefined> {
    for await (const event of this.stream('/v1/chat/completions', body, options)) {
      const [choice] = (event as { choices?: readonly { delta?: { content?: string | null } }[] }).choices ?? [];
      const text = choice?.delta?.content;
      if (typeof text === 'string' && text !== '') yield text;
    }
  }

  /** Whether the server takes requests: all its models are loaded. False, too, where it cannot be reached. */
  async ready(options: CallOptions = {}): Promise<boolean> {
    try {
      await this.#transport.send('/ready', { options: { ...options, retries: 0 } });
      return true;
    } catch {
      return false;
    }
  }
}

function isJson(response: Response): boolean {
  return /^application\/json\b/i.test(response.headers.get('content-type') ?? '');
}

function readBlob(response: Response): Promise<Blob> {
  return response.blob().catch(failRead(response));
}

function readBytes(response: Response): Promise<ArrayBuffer> {
  return response.arrayBuffer().catch(failRead(response));
}
