import type { JobPhase } from './run-job.ts';

/** Most bytes of the messages of jobs held; when there are more, none is claimed. */
const MOST_BYTES = 256 * 1024 * 1024;

/** A job that is held. */
export interface JobPlace {
  begin(phase: JobPhase): void;
  leave(): void;
}

/**
 * How many jobs may be claimed. Only those that are served, or whose turn comes next, take the room of the lanes; the inputs of some more are fetched beside them, and
 * answers are stored while the lanes go on. Each of these is limited too, and so are the bytes of their messages: a storage that has become slow must not fill the memory.
 */
export class JobRoom {
  readonly #mostEver: number;
  #most: number;
  readonly #prefetch: number;
  readonly #held: Record<JobPhase, number> = { fetching: 0, serving: 0, storing: 0 };
  #bytes = 0;
  #onChange: (() => void) | undefined;

  constructor(most: number, prefetch = 0) {
    this.#mostEver = most;
    this.#most = most;
    this.#prefetch = prefetch;
  }

  /** How many more jobs may be held; 0 or more. */
  get free(): number {
    const { fetching, serving, storing } = this.#held;
    if (this.#bytes > MOST_BYTES) return 0;
    if (storing >= this.#most + this.#prefetch) return 0;
    return Math.max(0, this.#most - serving - Math.max(0, fetching - this.#prefetch));
  }

  /** `bytes`: of its message. */
  enter(bytes: number): JobPlace {
    this.#bytes += bytes;
    let phase: JobPhase | undefined;
    const go = (next: JobPhase | undefined): void => {
      if (phase !== undefined) this.#held[phase] -= 1;
      if (next !== undefined) this.#held[next] += 1;
      phase = next;
      this.#onChange?.();
    };
    const leave = (): void => {
      this.#bytes -= bytes;
      go(undefined);
    };
    go('serving');
    return { begin: go, leave };
  }

  /** Has room for a part of as many as it was made for: above 0, up to 1. */
  limit(part: number): void {
    this.#most = Math.max(1, Math.ceil(this.#mostEver * part));
    this.#onChange?.();
  }

  /** Resolves when so many more may be held, or as many as there is room for at all. */
  has(jobs: number): Promise<void> {
    return this.#until(() => this.free >= Math.min(jobs, this.#most));
  }

  /** Resolves when none is held. */
  empty(): Promise<void> {
    return this.#until(() => Object.values(this.#held).every((jobs) => jobs === 0));
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>((resolve) => (this.#onChange = resolve));
  }
}
