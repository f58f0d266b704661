import { Piscina } from 'piscina';
import type { AnsweringModel, OipAnswer } from '../dialects/oip-response.ts';
import type { OipModel, OipRequest } from '../dialects/oip-types.ts';
import { ServerError, type ErrorCode } from '../errors.ts';
import type { Item, Prepared, Reply, TaskSource } from '../tasks/task.ts';
import type { Tensor } from '../tensor.ts';
import { transferables } from './messages.ts';

/** What the CPU pool does, away from the main thread and the lanes. */
export type CpuRequest =
  | { readonly kind: 'prepare'; readonly source: TaskSource; readonly item: Item }
  | {
      readonly kind: 'finish';
      readonly source: TaskSource;
      readonly outputs: Readonly<Record<string, Tensor>>;
      readonly memo: unknown;
    }
  /** Large JSON bodies of the native dialect: decoded and prepared in one go, because parsed JSON is dear to hand over. */
  | {
      readonly kind: 'decodeNative';
      readonly source: TaskSource;
      readonly contentType: string | undefined;
      readonly body: Uint8Array;
      readonly itemLimit: number;
    }
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
  | { readonly kind: 'prepared'; readonly prepared: Prepared }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly message: string };

export interface CpuAnswers {
  prepare: Prepared;
  finish: Reply;
  decodeNative: { readonly single: boolean; readonly items: readonly PreparedItem[] };
  decodeInfer: OipRequest;
  encodeInfer: OipAnswer;
}

export type CpuAnswer<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string; readonly detail?: string };

const WORKER = new URL('../worker/cpu-main.js', import.meta.url);

/** Threads that prepare and finish heavy items. What waits here is bounded by the permits of the models. */
export class CpuPool {
  readonly #pool: Piscina;

  constructor(threads: number, onError: (error: unknown) => void) {
    this.#pool = new Piscina({
      filename: WORKER.href,
      minThreads: 1,
      maxThreads: threads,
      idleTimeout: 60_000,
      atomics: 'disabled',
      recordTiming: false,
    });
    this.#pool.on('error', onError);
  }

  /**
   * Runs one request. Buffers of the item or the outputs are given away. Throws the ServerError the task threw; anything else
   * becomes INTERNAL with the detail as its cause.
   */
  async run<Kind extends CpuRequest['kind']>(request: Extract<CpuRequest, { kind: Kind }>): Promise<CpuAnswers[Kind]> {
    let answer: CpuAnswer<CpuAnswers[Kind]>;
    try {
      answer = (await this.#pool.run(request, { transferList: given(request) })) as CpuAnswer<CpuAnswers[Kind]>;
    } catch (error) {
      throw new ServerError('INTERNAL', undefined, { cause: error });
    }
    if (answer.ok) return answer.value;
    throw new ServerError(
      answer.code,
      answer.message,
      answer.detail === undefined ? {} : { cause: new Error(answer.detail) },
    );
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }
}

function given(request: CpuRequest): ArrayBuffer[] {
  switch (request.kind) {
    case 'finish':
      return transferables(Object.values(request.outputs));
    case 'encodeInfer':
      return transferables(request.outputs);
    case 'prepare':
      return request.item.kind === 'raw' ? bufferOf(request.item.bytes) : [];
    case 'decodeNative':
    case 'decodeInfer':
      return bufferOf(request.body);
  }
}

function bufferOf({ buffer }: Uint8Array): ArrayBuffer[] {
  return buffer instanceof ArrayBuffer ? [buffer] : [];
}
