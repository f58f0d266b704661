import { LOWEST_PRIORITY, type Clock } from '../../core/ticket.ts';
import type { JobRecord } from './record.ts';

/** The order in which jobs are begun: by priority, and those of one priority as they came. */
export class WaitingJobs {
  readonly #clock: Clock;
  readonly #ready = new Map<number, Set<string>>();
  /** Jobs that wait for another try, with what ends the wait. */
  readonly #late = new Map<string, () => void>();
  #onChange: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    for (let priority = 1; priority <= LOWEST_PRIORITY; priority += 1) this.#ready.set(priority, new Set());
  }

  add({ id, priority }: Pick<JobRecord, 'id' | 'priority'>, delayMs: number): void {
    this.remove(id);
    const ready = (): void => {
      this.#late.delete(id);
      this.#ready.get(priority)?.add(id);
      this.wake();
    };
    if (delayMs > 0) this.#late.set(id, this.#clock.after(delayMs, ready));
    else ready();
  }

  remove(id: string): void {
    this.#late.get(id)?.();
    this.#late.delete(id);
    for (const ready of this.#ready.values()) ready.delete(id);
  }

  /** The ids of the next ones. */
  first(most: number): string[] {
    const ids: string[] = [];
    for (const ready of this.#ready.values())
      for (const id of ready) {
        if (ids.length === most) return ids;
        ids.push(id);
      }
    return ids;
  }

  /** Ends the wait of `changed`. */
  wake(): void {
    this.#onChange?.();
  }

  /** Resolves when there may be something to begin, or the signal is aborted. */
  async changed(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const wake = (): void => this.wake();
    signal.addEventListener('abort', wake, { once: true });
    await new Promise<void>((resolve) => (this.#onChange = resolve));
    signal.removeEventListener('abort', wake);
    this.#onChange = undefined;
  }

  clear(): void {
    for (const forget of this.#late.values()) forget();
    this.#late.clear();
  }
}
