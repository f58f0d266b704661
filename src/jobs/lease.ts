import type { Clock } from '../core/ticket.ts';

/** A claim is extended when half of its lease has passed; if that fails, again after a tenth of it, for as long as it lasts. */
const EXTEND_AT = 0.5;
const AGAIN_AFTER = 0.1;

export interface LeaseOptions {
  readonly clock: Clock;
  /** Undefined: it lasts for ever. */
  readonly leaseMs: number | undefined;
  /** False: the claim is gone. Rejects if that cannot be said. */
  readonly extend: () => Promise<boolean>;
  readonly onLost: () => void;
}

/** Keeps a claim until `end`. */
export class Lease {
  readonly #options: LeaseOptions;
  #endsAtMs: number;
  #isLost = false;
  #forget: (() => void) | undefined;

  constructor(options: LeaseOptions) {
    this.#options = options;
    const { clock, leaseMs = Infinity } = options;
    this.#endsAtMs = clock.now() + leaseMs;
    this.#next(leaseMs * EXTEND_AT);
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  /** Whether it lasts at this moment: a process that was stopped for a while learns that it is lost only later. */
  get lasts(): boolean {
    return !this.#isLost && this.#options.clock.now() < this.#endsAtMs;
  }

  end(): void {
    this.#forget?.();
    this.#forget = undefined;
    this.#endsAtMs = -Infinity;
  }

  #next(delayMs: number): void {
    if (delayMs !== Infinity) this.#forget = this.#options.clock.after(delayMs, () => void this.#extend());
  }

  async #extend(): Promise<void> {
    const { clock, leaseMs = Infinity } = this.#options;
    const askedAtMs = clock.now();
    const isOurs = await this.#ask();
    if (this.#endsAtMs === -Infinity) return;
    // Counted from the question: the answer may have taken long.
    if (isOurs === true) this.#endsAtMs = askedAtMs + leaseMs;
    const leftMs = this.#endsAtMs - clock.now();
    if (isOurs === false || leftMs <= 0) this.#lose();
    else if (isOurs === true) this.#next(Math.max(0, askedAtMs + leaseMs * EXTEND_AT - clock.now()));
    else this.#next(Math.min(leaseMs * AGAIN_AFTER, leftMs));
  }

  /** Undefined: it could not be said, or not before the end of the lease. */
  #ask(): Promise<boolean | undefined> {
    const { clock, extend } = this.#options;
    return new Promise((resolve) => {
      const forget = clock.after(this.#endsAtMs - clock.now(), () => resolve(undefined));
      void extend()
        .catch(() => undefined)
        .then((isOurs) => {
          forget();
          resolve(isOurs);
        });
    });
  }

  #lose(): void {
    this.#isLost = true;
    this.end();
    this.#options.onLost();
  }
}
