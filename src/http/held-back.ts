/** Refused connections that are read again: for each millisecond, and at most at once. A refusal takes 20 to 50 us. */
const PER_MS = 8;
const MOST_AT_ONCE = 64;
const EVERY_MS = 1;

interface Clock {
  nowMs(): number;
  after(delayMs: number, callback: () => void): void;
}

const REAL: Clock = {
  nowMs: () => performance.now(),
  after: (delayMs, callback) => void setTimeout(callback, delayMs),
};

/** What is held back: a socket. */
interface Held {
  readonly destroyed: boolean;
  pause(): unknown;
  resume(): unknown;
}

/**
 * Connections whose last request was refused. Beyond some thousands of refusals a second, their next requests are left in the kernel until it is their turn. Thousands of
 * clients that come back at once would make each turn of the event loop as long as it takes to refuse them all, and new clients, health probes among them, are
 * accepted one a turn; refusing would also take the processor from the lanes. The longest held are read first: 8,000 connections wait for a second.
 */
export class HeldBack {
  readonly #fresh: Held[] = [];
  /** The longest held first. */
  readonly #held = new Set<Held>();
  /** How many may be read now. */
  #left = MOST_AT_ONCE;
  readonly #clock: Clock;
  #countedMs: number;

  constructor(clock: Clock = REAL) {
    this.#clock = clock;
    this.#countedMs = clock.nowMs();
  }

  /** Holds a connection back, if need be, once this turn of the event loop is over: until then Node resumes it when the response has ended. */
  add(socket: Held): void {
    if (this.#fresh.push(socket) === 1) setImmediate(this.#hold);
  }

  readonly #hold = (): void => {
    this.#count();
    const heldBefore = this.#held.size;
    for (const socket of this.#fresh) {
      if (socket.destroyed) continue;
      if (this.#held.size === 0 && this.#left >= 1) {
        this.#left -= 1;
        continue;
      }
      socket.pause();
      this.#held.add(socket);
    }
    this.#fresh.length = 0;
    if (heldBefore === 0 && this.#held.size > 0) this.#clock.after(EVERY_MS, this.#readSome);
  };

  readonly #readSome = (): void => {
    this.#count();
    for (const socket of this.#held) {
      if (this.#left < 1) break;
      this.#held.delete(socket);
      if (socket.destroyed) continue;
      socket.resume();
      this.#left -= 1;
    }
    if (this.#held.size > 0) this.#clock.after(EVERY_MS, this.#readSome);
  };

  #count(): void {
    const nowMs = this.#clock.nowMs();
    this.#left = Math.min(MOST_AT_ONCE, this.#left + (nowMs - this.#countedMs) * PER_MS);
    this.#countedMs = nowMs;
  }
}
