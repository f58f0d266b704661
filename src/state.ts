/**
 * The state of the process, as probes and signals see it: starting -> ready -> draining, and from each of them -> failed, which is final.
 * Whether a queue is full is not part of it.
 */
export type Phase = 'starting' | 'ready' | 'draining' | 'failed';

const NEXT: Readonly<Record<Phase, readonly Phase[]>> = {
  starting: ['ready', 'draining', 'failed'],
  ready: ['draining', 'failed'],
  draining: ['failed'],
  failed: [],
};

/** The phase that the server is in, and why. Listeners are called in order at each change. */
export class ServerState {
  #phase: Phase = 'starting';
  #why = 'models are loading';
  #started = false;
  readonly #listeners: ((phase: Phase, why: string) => void)[] = [];

  get phase(): Phase {
    return this.#phase;
  }

  /** In words, for logs and probe bodies. */
  get why(): string {
    return this.#why;
  }

  /** Whether every model of the start has been loaded and warmed, whatever came after. */
  get started(): boolean {
    return this.#started;
  }

  /** Enters a phase. A step that is not in the order above is ignored, and false is returned. */
  enter(phase: Phase, why: string): boolean {
    if (!NEXT[this.#phase].includes(phase)) return false;
    this.#phase = phase;
    this.#why = why;
    if (phase === 'ready') this.#started = true;
    for (const listener of this.#listeners) listener(phase, why);
    return true;
  }

  onChange(listener: (phase: Phase, why: string) => void): void {
    this.#listeners.push(listener);
  }
}
