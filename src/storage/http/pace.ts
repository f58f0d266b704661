import { Passing } from './retry.ts';

const LEAST_BYTES = 16 * 1024;

/** Ends a request that moves less than 16 KiB in `paceMs`, so that it is tried again: a limit for a whole request would be too short for a large object or too long for a small one. */
export class Pace {
  /** Aborted by the signal that was given, or because the request is too slow. */
  readonly signal: AbortSignal;
  readonly #timer: NodeJS.Timeout;
  #moved = 0;

  constructor(paceMs: number, outer: AbortSignal) {
    const slow = new AbortController();
    this.signal = AbortSignal.any([outer, slow.signal]);
    this.#timer = setInterval(() => {
      if (this.#moved < LEAST_BYTES) slow.abort(new Passing('it is too slow'));
      this.#moved = 0;
    }, paceMs);
  }

  note(bytes: number): void {
    this.#moved += bytes;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
