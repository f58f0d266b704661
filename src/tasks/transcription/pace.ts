import { ServerError } from '../../errors.ts';
import { WINDOW_SECONDS } from './log-mel.ts';

/** Fewest windows by which a pace is judged. */
const LEAST_WINDOWS = 8;
/** Older measurements were made under another load. */
const STALE_MS = 60_000;
/** The share of old windows is halved each time, so that they count less. */
const HALVED_AFTER_MS = 120_000;
/** Audio is refused where it would take at least this many times the time that is left. */
const MARGIN = 2;

/** The pace at which a model hears long recordings: windows over the time in which at least one recording was heard. */
export class Pace {
  readonly #now: () => number;
  #active = 0;
  #windows = 0;
  #busyMs = 0;
  #busySinceMs = 0;
  #heardMs = -Infinity;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  begin(): void {
    this.#catchUp();
    this.#active += 1;
  }

  end(): void {
    this.#catchUp();
    this.#active -= 1;
  }

  /** A window of a recording that has begun was heard. */
  heard(): void {
    this.#catchUp();
    this.#windows += 1;
    this.#heardMs = this.#now();
    if (this.#busyMs < HALVED_AFTER_MS) return;
    this.#busyMs /= 2;
    this.#windows /= 2;
  }

  /** Throws TOO_LARGE where so much audio, beside the recordings that are being heard, takes at least twice the time that is left. */
  check(seconds: number, leftMs: number): void {
    this.#catchUp();
    if (this.#windows < LEAST_WINDOWS || this.#now() - this.#heardMs > STALE_MS) return;
    const secondsPerMs = (this.#windows * WINDOW_SECONDS) / this.#busyMs / Math.max(1, this.#active);
    const fits = leftMs * secondsPerMs;
    if (seconds <= MARGIN * fits) return;
    throw new ServerError(
      'TOO_LARGE',
      `The audio is too long for the time limit of the request: ${Math.ceil(seconds)} s are left of it, and about ${Math.floor(fits)} s of audio can be transcribed in time.`,
    );
  }

  #catchUp(): void {
    const nowMs = this.#now();
    if (this.#active > 0) this.#busyMs += nowMs - this.#busySinceMs;
    this.#busySinceMs = nowMs;
  }
}
