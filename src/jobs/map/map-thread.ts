import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Clock } from '../../core/ticket.ts';
import { messageOf } from '../../errors.ts';
import type { MapAnswer, MapCall, MapFunction, MapStart, MapValue } from './protocol.ts';

const THREAD = new URL('./thread.js', import.meta.url);
const MOST_HEAP_MB = 512;

/** The thread has ended, or was ended because a call took too long; any of the calls it had may be why. */
export class MapThreadLost extends Error {}

/** The module cannot be loaded. */
export class MapLoadError extends Error {}

interface Waiting {
  readonly resolve: (value: MapValue) => void;
  readonly reject: (error: MapThreadLost) => void;
  readonly forget: () => void;
}

export interface MapThreadOptions {
  /** Absolute path of the user's module. */
  readonly file: string;
  /** Of loading the module, and of each call. */
  readonly limitMs: number;
  readonly clock: Clock;
}

/** A thread with a user's module. A call beyond its limit ends the thread, since nothing else ends an endless loop. */
export class MapThread {
  readonly functions: ReadonlySet<MapFunction>;
  readonly #worker: Worker;
  readonly #options: MapThreadOptions;
  readonly #waiting = new Map<number, Waiting>();
  #count = 0;
  #isLost = false;

  private constructor(worker: Worker, functions: readonly MapFunction[], options: MapThreadOptions) {
    this.functions = new Set(functions);
    this.#worker = worker;
    this.#options = options;
    worker.on('message', (answer: MapAnswer) => this.#settle(answer));
    // An error that nobody caught, or too little memory; `exit` comes after it.
    worker.on('error', (error) => this.#lose(messageOf(error)));
    worker.on('exit', (code) => this.#lose(`its thread ended with code ${code}`));
  }

  /** Rejects with a MapLoadError. */
  static async start(options: MapThreadOptions): Promise<MapThread> {
    const { file, limitMs, clock } = options;
    const worker = new Worker(THREAD, {
      workerData: file,
      name: 'carpool-job-map',
      resourceLimits: { maxOldGenerationSizeMb: MOST_HEAP_MB },
    });
    let problem = 'its thread ended';
    const late = new AbortController();
    const forget = clock.after(limitMs, () => {
      problem = `loading it took longer than ${limitMs} ms`;
      late.abort();
    });
    worker.once('exit', () => late.abort());
    try {
      const [start] = (await once(worker, 'message', { signal: late.signal })) as [MapStart];
      if ('functions' in start) return new MapThread(worker, start.functions, options);
      problem = start.unloadable;
    } catch (error) {
      if (!late.signal.aborted) problem = messageOf(error);
    } finally {
      forget();
    }
    worker.on('error', () => undefined);
    await worker.terminate();
    throw new MapLoadError(problem);
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  /** Rejects with a MapThreadLost. */
  call(call: Omit<MapCall, 'id'>): Promise<MapValue> {
    const { clock, limitMs } = this.#options;
    return new Promise((resolve, reject) => {
      if (this.#isLost) {
        reject(new MapThreadLost('its thread has ended'));
        return;
      }
      const id = this.#count++;
      const late = (): void => this.#lose(`${call.name} took longer than ${limitMs} ms`);
      this.#waiting.set(id, { resolve, reject, forget: clock.after(limitMs, late) });
      this.#worker.postMessage({ ...call, id } satisfies MapCall);
    });
  }

  async close(): Promise<void> {
    this.#lose('the server is stopping');
    await this.#worker.terminate();
  }

  #settle({ id, ...value }: MapAnswer): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    waiting.forget();
    waiting.resolve(value);
  }

  #lose(reason: string): void {
    if (this.#isLost) return;
    this.#isLost = true;
    for (const { forget, reject } of this.#waiting.values()) {
      forget();
      reject(new MapThreadLost(reason));
    }
    this.#waiting.clear();
    void this.#worker.terminate();
  }
}
