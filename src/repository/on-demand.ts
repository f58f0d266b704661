import { messageOf, ServerError } from '../errors.ts';
import type { LoadProblem } from './changes.ts';

/** Models that are loaded when a request comes, and unloaded when none has come for a while or their memory is needed. */

/** A model that may sleep, as it is now. */
export interface Sleeper {
  readonly name: string;
  readonly isAwake: boolean;
  /** Whether a request of it is waiting or running. */
  readonly isBusy: boolean;
  /** Bytes of the files that it is loaded from. */
  readonly bytes: number;
  /** Infinity: it stays until its memory is needed. */
  readonly keepLoadedMs: number;
  /** When a request last came for it, or when it was last seen busy. */
  usedAtMs: number;
}

export interface OnDemandTarget {
  /** All models that may sleep, those that are awake included. */
  sleepers(): readonly Sleeper[];
  /** Loads a model; resolves with why that failed, or undefined. */
  load(name: string): Promise<LoadProblem | undefined>;
  /** Unloads a model that no request uses any more, unless one has come meanwhile. */
  unload(name: string): Promise<void>;
}

export interface OnDemandClock {
  now(): number;
  /** Calls back once after the delay; what it returns cancels that. */
  after(delayMs: number, callback: () => void): () => void;
}

export interface OnDemandLimits {
  readonly clock: OnDemandClock;
  /** Most bytes of files of all models that are loaded on demand; Infinity: no limit. */
  readonly memoryBytes: number;
}

/** A model that has failed to load is not tried again for so long, because a load takes seconds of a lane that others need. */
const RETRY_MS = 10_000;
/** Most requests that may wait for a load. */
const MOST_WAITING = 256;
/** How often idle models are looked for. */
const LOOK_MS = 1000;

/** Loads models for requests, one after the other, and unloads those that are idle. */
export class OnDemand {
  readonly #target: OnDemandTarget;
  readonly #limits: OnDemandLimits;
  /** Loads under way, by model. */
  readonly #loads = new Map<string, { readonly loaded: Promise<void>; waiting: number }>();
  readonly #failures = new Map<string, { readonly reason: string; readonly atMs: number }>();
  /** The last load; the next one waits for it, because both count the same memory. */
  #last: Promise<unknown> = Promise.resolve();
  #forgetLook: (() => void) | undefined;
  #isClosed = false;

  constructor(target: OnDemandTarget, limits: OnDemandLimits) {
    this.#target = target;
    this.#limits = limits;
  }

  /**
   * Resolves when the model is loaded; requests for one model share its load. Throws MODEL_UNAVAILABLE (it cannot be loaded, or models in use take its
   * memory), QUEUE_FULL (too many requests wait for it), DRAINING.
   */
  async wake(name: string): Promise<void> {
    if (this.#isClosed) throw new ServerError('DRAINING');
    const { clock } = this.#limits;
    const failure = this.#failures.get(name);
    if (failure !== undefined && clock.now() < failure.atMs + RETRY_MS)
      throw unavailable(name, failure.reason, failure.atMs + RETRY_MS - clock.now());
    let load = this.#loads.get(name);
    if (load === undefined) {
      const loaded = this.#last.then(() => this.#load(name)).finally(() => this.#loads.delete(name));
      this.#last = loaded.catch(() => undefined);
      load = { loaded, waiting: 0 };
      this.#loads.set(name, load);
    }
    if (load.waiting >= MOST_WAITING)
      throw new ServerError('QUEUE_FULL', `Too many requests wait for model '${name}' to be loaded.`, {
        retryAfterMs: LOOK_MS,
      });
    load.waiting += 1;
    try {
      await load.loaded;
    } finally {
      load.waiting -= 1;
    }
  }

  /** How much longer a model stays loaded if no request comes for it, in milliseconds; Infinity: until it is unloaded, or its memory is needed. */
  keptMs(name: string): number {
    const sleeper = this.#target.sleepers().find((one) => one.name === name);
    if (sleeper === undefined) return Infinity;
    return Math.max(0, sleeper.usedAtMs + sleeper.keepLoadedMs - this.#limits.clock.now());
  }

  /** Begins to look for idle models. */
  start(): void {
    if (this.#forgetLook !== undefined || this.#isClosed) return;
    this.#forgetLook = this.#limits.clock.after(LOOK_MS, () => {
      this.#forgetLook = undefined;
      void this.look().then(() => this.start());
    });
  }

  /** Unloads what has been idle for too long. Never rejects. */
  async look(): Promise<void> {
    const now = this.#limits.clock.now();
    for (const sleeper of this.#target.sleepers()) {
      if (!sleeper.isAwake) continue;
      if (sleeper.isBusy) sleeper.usedAtMs = now;
      else if (now - sleeper.usedAtMs >= sleeper.keepLoadedMs) await this.#target.unload(sleeper.name);
    }
  }

  /** Resolves when the load under way has ended; no other begins. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#forgetLook?.();
    await this.#last;
  }

  async #load(name: string): Promise<void> {
    if (this.#isClosed) throw new ServerError('DRAINING');
    await this.#makeRoom(name);
    const problem = await this.#target.load(name).catch((error: unknown) => ({ reason: messageOf(error) }));
    const now = this.#limits.clock.now();
    if (problem === undefined) {
      this.#failures.delete(name);
      // A load may take longer than the model stays without a request.
      for (const sleeper of this.#target.sleepers()) if (sleeper.name === name) sleeper.usedAtMs = now;
      return;
    }
    this.#failures.set(name, { reason: problem.reason, atMs: now });
    throw unavailable(name, problem.reason, RETRY_MS);
  }

  /** Unloads models that no request uses, those first that have not been used for longest, until the model has room. */
  async #makeRoom(name: string): Promise<void> {
    const { memoryBytes } = this.#limits;
    for (;;) {
      const sleepers = this.#target.sleepers();
      const wanted = sleepers.find((sleeper) => sleeper.name === name)?.bytes ?? 0;
      const awake = sleepers.filter((sleeper) => sleeper.isAwake && sleeper.name !== name);
      const bytesWith = (others: readonly Sleeper[]): number => others.reduce((sum, { bytes }) => sum + bytes, wanted);
      if (bytesWith(awake) <= memoryBytes) return;
      const [oldest] = awake.filter(({ isBusy }) => !isBusy).sort((a, b) => a.usedAtMs - b.usedAtMs);
      // No model is unloaded for one that would not have room all the same.
      if (oldest === undefined || bytesWith(awake.filter(({ isBusy }) => isBusy)) > memoryBytes) {
        throw unavailable(name, 'MODEL_MEMORY_BYTES is taken by models in use', LOOK_MS);
      }
      await this.#target.unload(oldest.name);
    }
  }
}

function unavailable(name: string, reason: string, retryAfterMs: number): ServerError {
  return new ServerError('MODEL_UNAVAILABLE', `Model '${name}' could not be loaded: ${reason}`, { retryAfterMs });
}
