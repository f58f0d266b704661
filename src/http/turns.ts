import { ServerError } from '../errors.ts';
import type { Cancellation } from '../serving/cancellation.ts';

export interface TurnsOptions {
  /** How many at one time. */
  readonly places: number;
  /** How many of those with one key. */
  readonly placesOfOne: number;
}

/** Who waits for a turn. */
export interface Waiter {
  /** Whoever shares it shares places: a client, a host. */
  readonly key: string;
  /** After it the turn is of no use. */
  readonly limitMs: number;
  readonly cancellation?: Cancellation | undefined;
}

interface Waiting {
  readonly key: string;
  readonly enter: () => void;
}

/** A few at a time; the others wait in order, but none behind those of one key that have as many places as it gets. */
export class Turns {
  readonly #options: TurnsOptions;
  readonly #waiting = new Set<Waiting>();
  readonly #running = new Map<string, number>();
  #taken = 0;

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Does the work when its turn has come. Throws CANCELLED when the request leaves while it waits, DEADLINE_EXCEEDED when its time is up, and
   * what the work throws.
   */
  async take<Value>(waiter: Waiter, work: () => Promise<Value>): Promise<Value> {
    if (waiter.cancellation?.cancelled === true) throw new ServerError('CANCELLED');
    if (waiter.limitMs <= 0) throw new ServerError('DEADLINE_EXCEEDED');
    const { key } = waiter;
    if (this.#hasPlace(key)) this.#enter(key);
    else await this.#wait(waiter);
    try {
      return await work();
    } finally {
      this.#leave(key);
    }
  }

  #hasPlace(key: string): boolean {
    const { places, placesOfOne } = this.#options;
    return this.#taken < places && (this.#running.get(key) ?? 0) < placesOfOne;
  }

  #enter(key: string): void {
    this.#taken += 1;
    this.#running.set(key, (this.#running.get(key) ?? 0) + 1);
  }

  #leave(key: string): void {
    this.#taken -= 1;
    const running = (this.#running.get(key) ?? 0) - 1;
    if (running > 0) this.#running.set(key, running);
    else this.#running.delete(key);
    for (const waiting of this.#waiting) {
      if (this.#taken >= this.#options.places) return;
      if (this.#hasPlace(waiting.key)) waiting.enter();
    }
  }

  #wait({ key, limitMs, cancellation }: Waiter): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        key,
        enter: () => {
          end();
          this.#enter(key);
          resolve();
        },
      };
      const leave = (code: 'CANCELLED' | 'DEADLINE_EXCEEDED'): void => {
        end();
        reject(new ServerError(code));
      };
      const work = { cancel: () => leave('CANCELLED') };
      const end = (): void => {
        this.#waiting.delete(waiting);
        clearTimeout(late);
        cancellation?.remove(work);
      };
      const late = setTimeout(() => leave('DEADLINE_EXCEEDED'), limitMs);
      this.#waiting.add(waiting);
      cancellation?.add(work);
    });
  }
}
