import pLimit, { type LimitFunction } from 'p-limit';
import { ServerError } from '../errors.ts';
import type { Cancellation } from '../serving/cancellation.ts';

export interface SemaphoreOptions {
  /** How many may run at one time. */
  readonly places: number;
  /** How many may wait; default: any number, if something else bounds them. */
  readonly mostWaiting?: number;
}

/** Places that all waiters with the same key share. */
export interface Share {
  readonly key: string;
  readonly places: number;
}

/** A request that waits for a place. */
export interface Waiter {
  /** Shares in which a place is needed, in this order, before one of all places. While it waits in a share, it holds its places in the earlier ones. */
  readonly shares: readonly Share[];
  /** How long it may wait. */
  readonly limitMs: number;
  readonly cancellation?: Cancellation | undefined;
}

/** Lets a few run at a time, and fewer with the same key; the others wait in order, until their time is up or their client leaves. */
export class Semaphore {
  readonly #all: LimitFunction;
  readonly #mostWaiting: number;
  readonly #shares = new Map<string, { readonly limit: LimitFunction; users: number }>();
  #waiting = 0;

  constructor({ places, mostWaiting = Infinity }: SemaphoreOptions) {
    this.#all = pLimit(places);
    this.#mostWaiting = mostWaiting;
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Number of keys in use; keys that are not in use are not kept. */
  get keys(): number {
    return this.#shares.size;
  }

  /**
   * Does the work once it has its places. Throws CANCELLED if the client leaves while it waits, DEADLINE_EXCEEDED when its time is up,
   * QUEUE_FULL if too many wait, and what the work throws.
   */
  async run<Value>(waiter: Waiter, work: () => Promise<Value>): Promise<Value> {
    if (waiter.cancellation?.cancelled === true) throw new ServerError('CANCELLED');
    if (waiter.limitMs <= 0) throw new ServerError('DEADLINE_EXCEEDED');
    if (this.#waiting >= this.#mostWaiting) throw new ServerError('QUEUE_FULL', undefined, { retryAfterMs: 1000 });
    this.#waiting += 1;
    const wait = new Wait(waiter, () => (this.#waiting -= 1));
    const limits = [...waiter.shares.map((share) => this.#open(share)), this.#all];
    try {
      return await wait.orLeave(inside(limits, { wait, work }));
    } finally {
      wait.end();
      for (const share of waiter.shares) this.#close(share);
    }
  }

  #open({ key, places }: Share): LimitFunction {
    const known = this.#shares.get(key);
    if (known !== undefined) {
      known.users += 1;
      return known.limit;
    }
    const limit = pLimit(places);
    this.#shares.set(key, { limit, users: 1 });
    return limit;
  }

  #close({ key }: Share): void {
    const share = this.#shares.get(key);
    if (share === undefined) return;
    share.users -= 1;
    if (share.users === 0) this.#shares.delete(key);
  }
}

/** Takes a place in each limit, one after the other, and does the work when it holds them all. */
function inside<Value>(
  [first, ...others]: readonly LimitFunction[],
  parts: { readonly wait: Wait; readonly work: () => Promise<Value> },
): Promise<Value> {
  const { wait, work } = parts;
  if (first !== undefined) return first(() => wait.orLeave(wait.hasLeft ? undefined : inside(others, parts)));
  wait.end();
  return work();
}

/** One wait, until it has its places or is given up. The library's queues keep a wait that was given up; it is skipped when its turn comes. */
class Wait {
  hasLeft = false;
  readonly #left: Promise<never>;
  readonly #late: NodeJS.Timeout;
  readonly #cancellation: Cancellation | undefined;
  #onEnd: (() => void) | undefined;
  #leave: (error: ServerError) => void = () => undefined;

  constructor({ limitMs, cancellation }: Waiter, onEnd: () => void) {
    this.#onEnd = onEnd;
    this.#left = new Promise((_, reject) => (this.#leave = reject));
    this.#left.catch(() => undefined);
    this.#late = setTimeout(() => this.#leaveWith('DEADLINE_EXCEEDED'), limitMs);
    this.#cancellation = cancellation;
    cancellation?.add(this);
  }

  /** Settles with whatever comes first: the value, or the end of the wait. */
  orLeave<Value>(value: Promise<Value> | undefined): Promise<Value> {
    return value === undefined ? this.#left : Promise.race([value, this.#left]);
  }

  cancel(): void {
    this.#leaveWith('CANCELLED');
  }

  /** Ends the wait, because it has its places or is given up; calling it again does nothing. */
  end(): void {
    clearTimeout(this.#late);
    this.#cancellation?.remove(this);
    this.#onEnd?.();
    this.#onEnd = undefined;
  }

  #leaveWith(code: 'CANCELLED' | 'DEADLINE_EXCEEDED'): void {
    this.hasLeft = true;
    this.end();
    this.#leave(new ServerError(code));
  }
}
