import { randomUUID } from 'node:crypto';
import { BroadcastChannel } from 'node:worker_threads';
import { Piscina } from 'piscina';
import { errorOf, ServerError, type ErrorCode } from '../errors.ts';
import { transferables } from '../tensors/transferables.ts';
import type { Item } from '../tasks/task.ts';
import { FairQueue, type WaitingCall } from './fair-queue.ts';
import { buffersOf } from './parcel.ts';
import type { CpuAnswer, CpuAnswers, CpuData, CpuJob } from './protocol.ts';

const WORKER = new URL('./main.js', import.meta.url);

/** A call that its client may leave. */
interface Left {
  cancel(): void;
}

export interface CpuLimits {
  /** From now; later the result is of no use. */
  readonly limitMs: number;
  /** Tells when the client has left. */
  readonly cancellation?: { add(call: Left): void; remove(call: Left): void };
}

/**
 * Heap of a thread; one that needs more ends alone. The largest body takes half of it. With V8's own limit, of gigabytes, mostly the whole process ended.
 */
const MOST_HEAP_MB = 1024;

/** A call still running this long after its limit is stuck, and its thread is replaced. */
const STUCK_AFTER_MS = 5000;

/** Unloaded models that are remembered: a late call would make a thread build the task again. */
const MOST_GONE = 1000;

/**
 * Threads that prepare and finish heavy items. What waits here is bounded by the permits of the models and the budget of bodies, and leaves
 * when its client does or its time is up; models have equal shares of the threads, and within a model requests. User code may hang: no ONNX
 * Runtime runs in these threads, so one that is stuck can be ended, unlike a lane.
 */
export class CpuPool {
  readonly #pool: Piscina;
  /** How many threads there may be. */
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
   * Does a job; buffers that it gives away are gone. Throws DEADLINE_EXCEEDED, CANCELLED, or the ServerError that the task threw; anything else becomes
   * INTERNAL with the detail as its cause.
   */
  run<Kind extends CpuJob['kind']>(job: Extract<CpuJob, { kind: Kind }>, limits: CpuLimits): Promise<CpuAnswers[Kind]> {
    return this.runLate(modelOf(job), () => job, limits);
  }

  /** Does a job of a model ('' if it has none yet); `make` is called when its turn has come. Throws as `run`, and what `make` throws. */
  runLate<Kind extends CpuJob['kind']>(
    model: string,
    make: () => Extract<CpuJob, { kind: Kind }>,
    { limitMs, cancellation }: CpuLimits,
  ): Promise<CpuAnswers[Kind]> {
    if (limitMs <= 0) return Promise.reject(new ServerError('DEADLINE_EXCEEDED'));
    return new Promise((resolve, reject) => {
      const abort = new AbortController();
      let started = false;
      let stuck: NodeJS.Timeout | undefined;
      const call: WaitingCall = {
        model,
        request: cancellation ?? abort,
        start: () => {
          started = true;
          void this.#timed(call, () => this.#send(make, abort.signal))
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

  /** Makes the threads drop a model's task, once no call of it waits or runs here. */
  forget(model: string): void {
    this.#gone.add(model);
    const [oldest] = this.#gone;
    if (this.#gone.size > MOST_GONE && oldest !== undefined) this.#gone.delete(oldest);
    this.#letGo(model);
  }

  /** Ends the threads, whatever they do: call it when no call is awaited. */
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

  async #send<Kind extends CpuJob['kind']>(
    make: () => Extract<CpuJob, { kind: Kind }>,
    signal: AbortSignal,
  ): Promise<CpuAnswers[Kind]> {
    const job = make();
    let answer: CpuAnswer<CpuAnswers[Kind]>;
    try {
      answer = (await this.#pool.run(job, { transferList: given(job), signal })) as CpuAnswer<CpuAnswers[Kind]>;
    } catch (error) {
      if (signal.aborted) this.#onError(new Error(`${job.kind} was stuck; its thread was replaced`));
      // What cannot be cloned comes as an error that has lost its text on the way.
      const cause =
        error instanceof Error
          ? error
          : new Error(`the result of ${job.kind} cannot leave its thread (a function, a symbol or a proxy in it?)`);
      throw new ServerError('INTERNAL', undefined, { cause });
    }
    if (answer.ok) return answer.value;
    throw errorOf(answer.error);
  }
}

function modelOf(job: CpuJob): string {
  return 'source' in job ? job.source.key : '';
}

/** The buffers that go along. */
function given(job: CpuJob): ArrayBuffer[] {
  switch (job.kind) {
    case 'decode':
      return buffersOf([job.body]);
    case 'encode': {
      if (job.of === 'tensors') return transferables(job.outputs);
      const { results, luggage } = job;
      if ('chunks' in results) return buffersOf([...results.chunks, ...(luggage === undefined ? [] : [luggage])]);
      return transferables(results.values.flatMap((ran) => ('outputs' in ran ? Object.values(ran.outputs) : [])));
    }
    case 'call': {
      if (job.name !== 'prepare') return [...(job.give ?? [])];
      const item = job.argument as Item;
      return item.kind === 'raw' ? buffersOf([item.bytes]) : [];
    }
  }
}
