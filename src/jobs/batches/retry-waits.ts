import type { Clock } from '../../core/ticket.ts';

const FIRST_MS = 1000;
const LONGEST_MS = 60_000;

interface Wait {
  readonly ms: number;
  /** Undefined: it is over. */
  readonly forget: (() => void) | undefined;
}

/** Things that are not tried again for a while after a failure: 1 s, 2 s, 4 s and so on up to a minute, until one succeeds. */
export class RetryWaits {
  readonly #clock: Clock;
  readonly #onOver: () => void;
  readonly #waits = new Map<string, Wait>();

  constructor(clock: Clock, onOver: () => void) {
    this.#clock = clock;
    this.#onOver = onOver;
  }

  has(id: string): boolean {
    return this.#waits.get(id)?.forget !== undefined;
  }

  /** It has failed again. */
  add(id: string): void {
    const ms = Math.min(2 * (this.#waits.get(id)?.ms ?? FIRST_MS / 2), LONGEST_MS);
    const forget = this.#clock.after(ms, () => {
      this.#waits.set(id, { ms, forget: undefined });
      this.#onOver();
    });
    this.#waits.set(id, { ms, forget });
  }

  /** It has succeeded, or is not tried any more. */
  remove(id: string): void {
    this.#waits.get(id)?.forget?.();
    this.#waits.delete(id);
  }

  clear(): void {
    for (const id of [...this.#waits.keys()]) this.remove(id);
  }
}
