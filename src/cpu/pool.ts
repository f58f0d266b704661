import { randomUUID } from 'node:crypto';
import { BroadcastChannel } from 'node:worker_threads';
import { Piscina } from 'piscina';
import type { ApiCallName, ApiName } from '../dialects/shared/apis.ts';
import type { EmbeddingRows } from '../dialects/shared/embedding-text.ts';
import type { AnsweringModel, OipAnswer } from '../dialects/oip/response.ts';
import type { OipModel, OipRequest } from '../dialects/oip/types.ts';
import { ServerError, type ErrorCode } from '../errors.ts';
import type { Item, Prepared, Reply, TaskSource } from '../tasks/task.ts';
import type { Tensor } from '../tensors/tensor.ts';
import { FairQueue, type WaitingCall } from './fair-queue.ts';
import { transferables } from '../lanes/protocol.ts';

/** What the CPU pool does, away from the main thread and the lanes. */
export type CpuRequest =
  | { readonly kind: 'prepare'; readonly source: TaskSource; readonly item: Item }
  | {
      readonly kind: 'finish';
      readonly source: TaskSource;
      readonly outputs: Readonly<Record<string, Tensor>>;
      readonly memo: unknown;
    }
  /** One of the task's `calls`; `give` are buffers of the argument that go along. */
  | {
      readonly kind: 'call';
      readonly source: TaskSource;
      readonly name: string;
      readonly argument: unknown;
      readonly give?: readonly ArrayBuffer[];
    }
  /** Large JSON bodies of the native dialect: decoded and prepared in one go, because parsed JSON is dear to hand over. */
  | {
      readonly kind: 'decodeNative';
      readonly source: TaskSource;
      readonly contentType: string | undefined;
      readonly body: Uint8Array;
      readonly itemLimit: number;
    }
  /** What a large JSON body says of where it should go; the body comes back. */
  | { readonly kind: 'peekJson'; readonly body: Uint8Array }
  /** A large body of a translated API. */
  | {
      readonly kind: 'decodeApi';
      readonly api: ApiName;
      readonly contentType: string | undefined;
      readonly body: Uint8Array;
      readonly itemLimit: number;
    }
  /** Some of the items of a request. */
  | { readonly kind: 'prepareItems'; readonly source: TaskSource; readonly items: ItemBlock }
  /** A body of an API that calls a function of the task; the answer is JSON text. */
  | {
      readonly kind: 'callApi';
      readonly api: ApiCallName;
      readonly source: TaskSource;
      readonly body: Uint8Array;
      readonly itemLimit: number;
    }
  /** Many embeddings as JSON text. */
  | { readonly kind: 'printEmbeddings'; readonly rows: EmbeddingRows }
  /** Large JSON bodies of OIP. */
  | {
      readonly kind: 'decodeInfer';
      readonly body: Uint8Array;
      readonly headerLength: number | undefined;
      readonly model: OipModel;
    }
  /** Large JSON answers of OIP. */
  | {
      readonly kind: 'encodeInfer';
      readonly request: Pick<OipRequest, 'id' | 'outputs'>;
      readonly outputs: readonly Tensor[];
      readonly model: AnsweringModel;
    };

/** An item of a large request, prepared or refused. */
export type PreparedItem =
  /** `prepareMs` is the item's own time on its thread. */
  | { readonly kind: 'prepared'; readonly prepared: Prepared; readonly prepareMs: number }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly message: string };

/** Items, or JSON text of them: it is handed over at once, however many they are. */
export type ItemBlock = readonly Item[] | Uint8Array;

export interface CpuAnswers {
  prepare: Prepared;
  finish: Reply;
  call: unknown;
  decodeNative: { readonly single: boolean; readonly items: readonly (PreparedItem | Item)[] };
  peekJson: {
    readonly model: string | undefined;
    /** Names of the first fields. */
    readonly fields: readonly string[];
    readonly body: Uint8Array;
  };
  decodeApi: {
    readonly model: string | undefined;
    readonly options: unknown;
    readonly blocks: readonly ItemBlock[];
    readonly ignored?: readonly string[];
  };
  prepareItems: readonly (PreparedItem | Item)[];
  callApi: Uint8Array;
  printEmbeddings: Uint8Array;
  decodeInfer: OipRequest;
  encodeInfer: OipAnswer;
}

export type CpuAnswer<Value> =
  | { readonly ok: true; readonly value: Value }
  | {
      readonly ok: false;
      readonly code: ErrorCode;
      readonly message: string;
      readonly param?: string;
      readonly reason?: string;
      readonly detail?: string;
    };

const WORKER = new URL('./main.js', import.meta.url);

/** A call that its client may leave. */
interface Left {
  cancel(): void;
}

export interface CpuLimits {
  /** From now: after it the result is of no use to anybody. */
  readonly limitMs: number;
  /** Tells when the client has left. */
  readonly cancellation?: { add(call: Left): void; remove(call: Left): void };
}

/**
 * A thread that needs more ends alone. The largest body takes half of it; near V8's own limit, of gigabytes, it mostly was the process that ended.
 */
const MOST_HEAP_MB = 1024;

/** A call still running this long after its limit is stuck, and its thread is replaced. */
const STUCK_AFTER_MS = 5000;

/** What a CPU thread is given when it starts. */
export interface CpuData {
  /** Name of the BroadcastChannel by which threads hear of models that are gone. */
  readonly channel: string;
}

/** Models gone that are remembered: a call that comes late would make a thread build the task again. */
const MOST_GONE = 1000;

/**
 * Threads that prepare and finish heavy items. What waits here is bounded by the permits of the models and the budget of bodies, and leaves
 * when its client does or its time is up; models have equal shares of the threads, and within a model requests. User code may hang: no ONNX
 * Runtime runs in these threads, so one that is stuck can be ended, unlike a lane.
 */
export class CpuPool {
  readonly #pool: Piscina;
  /** How many there may be. */
  readonly threads: number;
  readonly #onError: (error: unknown) => void;
  readonly #queue = new FairQueue();
  readonly #channel: BroadcastChannel;
  readonly #gone = new Set<string>();
  #running = 0;

  constructor(threads: number, onError: (error: unknown) => void) {
    this.threads = threads;
    this.#onError = onError;
    const channel = `carpool-cpu-${randomUUID()}`;
    this.#channel = new BroadcastChannel(channel);
    this.#channel.unref();
    this.#pool = new Piscina({
      filename: WORKER.href,
      minThreads: 1,
      maxThreads: threads,
      idleTimeout: 60_000,
      atomics: 'disabled',
      recordTiming: false,
      resourceLimits: { maxOldGenerationSizeMb: MOST_HEAP_MB },
      workerData: { channel } satisfies CpuData,
    });
    this.#pool.on('error', onError);
  }

  /**
   * Runs one request. Buffers of the item or the outputs are given away. Throws DEADLINE_EXCEEDED, CANCELLED, or the ServerError the task
   * threw; anything else becomes INTERNAL with the detail as its cause.
   */
  run<Kind extends CpuRequest['kind']>(
    request: Extract<CpuRequest, { kind: Kind }>,
    { limitMs, cancellation }: CpuLimits,
  ): Promise<CpuAnswers[Kind]> {
    if (limitMs <= 0) return Promise.reject(new ServerError('DEADLINE_EXCEEDED'));
    return new Promise((resolve, reject) => {
      const abort = new AbortController();
      let started = false;
      let stuck: NodeJS.Timeout | undefined;
      const call: WaitingCall = {
        model: modelOf(request),
        request: cancellation ?? abort,
        start: () => {
          started = true;
          void this.#timed(call, () => this.#send(request, abort.signal))
            .finally(() => {
              end();
              clearTimeout(stuck);
            })
            .then(resolve, reject);
        },
      };
      const left = { cancel: () => leave('CANCELLED') };
      const end = (): void => {
        clearTimeout(late);
        cancellation?.remove(left);
      };
      const leave = (code: ErrorCode): void => {
        reject(new ServerError(code));
        if (this.#queue.delete(call)) end();
      };
      const late = setTimeout(() => {
        leave('DEADLINE_EXCEEDED');
        if (started) stuck = setTimeout(() => abort.abort(), STUCK_AFTER_MS).unref();
      }, limitMs);
      this.#queue.add(call);
      cancellation?.add(left);
      this.#next();
    });
  }

  /** The threads let go of a model's task, once nothing of it waits or runs here. */
  forget(model: string): void {
    this.#gone.add(model);
    const [oldest] = this.#gone;
    if (this.#gone.size > MOST_GONE && oldest !== undefined) this.#gone.delete(oldest);
    this.#letGo(model);
  }

  /** Ends the threads, whatever they do: call it when nobody waits for them. */
  async close(): Promise<void> {
    this.#channel.close();
    await this.#pool.destroy();
  }

  #next(): void {
    for (;;) {
      const call = this.#queue.next({ free: this.threads - this.#running, threads: this.threads });
      if (call === undefined) return;
      call.start();
    }
  }

  async #timed<Value>(call: WaitingCall, send: () => Promise<Value>): Promise<Value> {
    const startMs = performance.now();
    this.#running += 1;
    try {
      return await send();
    } finally {
      this.#running -= 1;
      this.#queue.ended(call, performance.now() - startMs);
      this.#letGo(call.model);
      this.#next();
    }
  }

  #letGo(model: string): void {
    if (!this.#gone.has(model) || !this.#queue.isIdle(model)) return;
    this.#queue.forget(model);
    this.#channel.postMessage(model);
  }

  async #send<Kind extends CpuRequest['kind']>(
    request: Extract<CpuRequest, { kind: Kind }>,
    signal: AbortSignal,
  ): Promise<CpuAnswers[Kind]> {
    let answer: CpuAnswer<CpuAnswers[Kind]>;
    try {
      answer = (await this.#pool.run(request, { transferList: given(request), signal })) as CpuAnswer<CpuAnswers[Kind]>;
    } catch (error) {
      if (signal.aborted) this.#onError(new Error(`${request.kind} was stuck; its thread was replaced`));
      throw new ServerError('INTERNAL', undefined, { cause: error });
    }
    if (answer.ok) return answer.value;
    const { code, message, detail, param, reason } = answer;
    throw new ServerError(code, message, {
      ...(detail === undefined ? {} : { cause: new Error(detail) }),
      ...(param === undefined ? {} : { param }),
      ...(reason === undefined ? {} : { reason }),
    });
  }
}

function modelOf(request: CpuRequest): string {
  return 'source' in request ? request.source.key : '';
}

function given(request: CpuRequest): ArrayBuffer[] {
  switch (request.kind) {
    case 'finish':
      return transferables(Object.values(request.outputs));
    case 'encodeInfer':
      return transferables(request.outputs);
    case 'call':
      return [...(request.give ?? [])];
    case 'prepare':
      return request.item.kind === 'raw' ? bufferOf(request.item.bytes) : [];
    case 'prepareItems':
      return request.items instanceof Uint8Array ? bufferOf(request.items) : [];
    case 'printEmbeddings':
      return bufferOf(request.rows.bytes);
    case 'decodeNative':
    case 'peekJson':
    case 'decodeApi':
    case 'callApi':
    case 'decodeInfer':
      return bufferOf(request.body);
  }
}

function bufferOf({ buffer }: Uint8Array): ArrayBuffer[] {
  return buffer instanceof ArrayBuffer ? [buffer] : [];
}
