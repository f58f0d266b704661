import { Piscina } from 'piscina';
import { messageOf, ServerError, type ErrorCode } from '../errors.ts';
import { transferables } from '../tensors/transferables.ts';
import type { LaneAnswer, LaneAnswers, LaneRequest } from './protocol.ts';
import { PROGRESS_BEGUN, PROGRESS_BYTES, PROGRESS_ENDED, type Device, type LaneData } from '../device.ts';

const WORKER = new URL('../programs/main.js', import.meta.url);

/** Limit of all requests but runs: a session may load for minutes, but not for ever. */
const CONTROL_LIMIT_MS = 600_000;

export interface LaneOptions {
  readonly id: number;
  readonly device: Device;
  readonly intraOpThreads: number;
  /** Called once when the thread is gone or does not answer. */
  readonly onLost: (reason: string) => void;
}

/** What others see of a lane's thread; tests bring their own threads. */
export type Thread = Pick<LaneThread, keyof LaneThread>;

/** Short name of a device: `cpu`, `cuda:0`. */
export function deviceName(device: Device): string {
  return device.kind === 'cuda' ? `cuda:${device.index}` : 'cpu';
}

/**
 * One inference thread: a piscina pool of exactly one, so that it can be addressed. Requests go one after the other; the next may be sent while one runs. Running
 * work is never aborted, because ending a thread inside ONNX Runtime aborts the process; a lane is closed when idle.
 */
export class LaneThread {
  readonly id: number;
  readonly #pool: Piscina;
  readonly #progress: Int32Array;
  readonly #onLost: (reason: string) => void;
  #lost = false;
  #closing = false;
  /** Requests without an answer. */
  #open = 0;
  /** Each ends the wait for a run, the one on the thread first. */
  readonly #giveUpRuns = new Set<(error: ServerError) => void>();

  constructor({ id, device, intraOpThreads, onLost }: LaneOptions) {
    this.id = id;
    this.#onLost = onLost;
    const progress = new SharedArrayBuffer(PROGRESS_BYTES);
    this.#progress = new Int32Array(progress);
    this.#pool = new Piscina({
      filename: WORKER.href,
      minThreads: 1,
      maxThreads: 1,
      // One that runs, and one that waits at the thread for its end.
      concurrentTasksPerWorker: 2,
      idleTimeout: Infinity,
      // 'sync' would freeze the thread's event loop between tasks, and is no faster.
      atomics: 'disabled',
      recordTiming: false,
      workerData: { device, intraOpThreads, progress } satisfies LaneData,
    });
    this.#pool.on('error', (error: unknown) => this.#lose(error));
    // Piscina does not report a thread that exits while idle, and puts an empty one in its place. A run that dies with its thread
    // gives a better reason, so it goes first.
    this.#pool.on('workerDestroy', () => setImmediate(() => this.#lose('the thread ended while idle')));
  }

  get lost(): boolean {
    return this.#lost;
  }

  /** True while the thread computes or loads: then it cannot be ended without ending the process. */
  get isBusy(): boolean {
    return this.#open > 0;
  }

  /** How many ONNX runs have begun and ended so far: the watchdog's view into a thread that cannot answer. */
  get progress(): { begun: number; ended: number } {
    return { begun: Atomics.load(this.#progress, PROGRESS_BEGUN), ended: Atomics.load(this.#progress, PROGRESS_ENDED) };
  }

  /**
   * Sends a request and gives its tagged answer. Buffers of a run's tensors are given away. Throws LANE_LOST when the thread is
   * gone, INTERNAL when the request could not be sent. A run has no limit here: the watchdog judges it by progress.
   */
  async ask<Kind extends LaneRequest['kind']>(
    request: Extract<LaneRequest, { kind: Kind }>,
  ): Promise<LaneAnswer<Kind>> {
    if (this.#lost) throw new ServerError('LANE_LOST');
    const transferList =
      'tickets' in request ? transferables(request.tickets.flatMap(({ inputs }) => inputs ?? [])) : [];
    try {
      const answer = this.#send(request, transferList);
      return await (request.kind === 'run'
        ? this.#unlessGivenUp(answer)
        : within(answer, CONTROL_LIMIT_MS, request.kind));
    } catch (error) {
      if (error instanceof ServerError) throw error;
      if (error instanceof Error && error.name === 'DataCloneError')
        throw new ServerError('INTERNAL', undefined, { cause: error });
      this.#lose(error);
      throw new ServerError('LANE_LOST', undefined, { cause: error });
    }
  }

  /** Stops waiting for the run on the thread, and for one that waits there for its end. The thread is lost with it, and computes until the run ends by itself. */
  giveUp(reason: string): void {
    this.#lose(new LateError(reason));
    let code: ErrorCode = 'RUN_TOO_LONG';
    for (const giveUpRun of this.#giveUpRuns) {
      giveUpRun(new ServerError(code));
      code = 'LANE_LOST';
    }
  }

  /** As `ask`, but a tagged failure becomes a plain Error with its message. */
  async command<Kind extends Exclude<LaneRequest['kind'], 'run'>>(
    request: Extract<LaneRequest, { kind: Kind }>,
  ): Promise<LaneAnswers[Kind]> {
    const answer = await this.ask(request);
    if (!answer.ok) throw new Error((answer as { message: string }).message);
    return answer;
  }

  /** Ends the thread once it is idle. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#pool.close();
  }

  async #send<Kind extends LaneRequest['kind']>(
    request: Extract<LaneRequest, { kind: Kind }>,
    transferList: ArrayBuffer[],
  ): Promise<LaneAnswer<Kind>> {
    this.#open += 1;
    try {
      return (await this.#pool.run(request, { transferList })) as LaneAnswer<Kind>;
    } finally {
      this.#open -= 1;
      // The thread was given up, and has ended after all.
      if (this.#lost && this.#open === 0) void this.#pool.destroy().catch(() => undefined);
    }
  }

  #unlessGivenUp<Answer>(answer: Promise<Answer>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#giveUpRuns.add(reject);
      answer.then(resolve, reject).finally(() => this.#giveUpRuns.delete(reject));
    });
  }

  #lose(error: unknown): void {
    if (this.#lost || this.#closing) return;
    this.#lost = true;
    this.#onLost(messageOf(error));
    // Piscina has put an empty thread in the place of a dead one, and that may be ended; a thread that is only late may not.
    if (!(error instanceof LateError)) void this.#pool.destroy().catch(() => undefined);
    // A late thread is ended when its answer comes.
  }
}

class LateError extends Error {}

async function within<T>(promise: Promise<T>, limitMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new LateError(`${what} took longer than ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
