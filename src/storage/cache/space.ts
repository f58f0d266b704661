import pLimit from 'p-limit';

/** A block of most file systems: a small file takes one. */
const BLOCK_BYTES = 4096;

/** What a file of so many bytes takes of the disk. */
export function onDisk(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;
}

/** The bytes of the cache, taken before they are written, so that they never exceed the limit. */
export class Space {
  readonly limitBytes: number;
  readonly #makeRoom: () => Promise<boolean>;
  /** One after the other: whoever needs much would never get it beside many who need little. */
  readonly #turn = pLimit(1);
  #usedBytes = 0;
  /** How often something may have become free: it may while room is being looked for. */
  #wakes = 0;
  #onFreed: (() => void) | undefined;

  /** `makeRoom` removes something, which it gives back; false: there is nothing that could be removed. */
  constructor(limitBytes: number, makeRoom: () => Promise<boolean>) {
    this.limitBytes = limitBytes;
    this.#makeRoom = makeRoom;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Takes what is there already. */
  add(bytes: number): void {
    this.#usedBytes += bytes;
  }

  /** Takes bytes, once there is room for them: what is not in use makes way, what is in use is waited for. Rejects with the signal's reason. */
  take(bytes: number, signal: AbortSignal): Promise<void> {
    return this.#turn(async () => {
      for (;;) {
        signal.throwIfAborted();
        if (this.#usedBytes + bytes <= this.limitBytes) break;
        const wakes = this.#wakes;
        if (!(await this.#makeRoom()) && wakes === this.#wakes) await this.#freed(signal);
      }
      this.#usedBytes += bytes;
    });
  }

  give(bytes: number): void {
    this.#usedBytes -= bytes;
    this.wake();
  }

  /** Something may be removed that was in use. */
  wake(): void {
    this.#wakes += 1;
    this.#onFreed?.();
  }

  #freed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        signal.removeEventListener('abort', done);
        this.#onFreed = undefined;
        resolve();
      };
      this.#onFreed = done;
      signal.addEventListener('abort', done, { once: true });
    });
  }
}
