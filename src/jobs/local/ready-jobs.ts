import { LOWEST_PRIORITY, type Clock } from '../../core/ticket.ts';
import type { Database } from './database.ts';
import { END, idOfKey, lateKey, readyKey, timeOfKey } from './record.ts';

/** Most jobs whose wait ends at one time. */
const MOST_DUE = 500;
/** Timers cannot wait longer than 24 days; nobody waits that long. */
const LONGEST_TIMER_MS = 86_400_000;

/** The order in which waiting jobs of the database are begun: by priority, and those of one priority as they came. */
export class ReadyJobs {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #now: () => number;
  /**
   * Of each priority, the id before which none is ready. A search begins there: an ordered table takes long to pass over what was deleted from it.
   */
  readonly #firsts = new Map<number, string>();
  #nextMs = Infinity;
  #forget: (() => void) | undefined;
  /** Called with jobs whose wait is over. */
  onDue: ((ids: readonly string[]) => void) | undefined;

  constructor(db: Database, clock: Clock, now: () => number) {
    this.#db = db;
    this.#clock = clock;
    this.#now = now;
  }

  /** The ids of the next ones, without those that are `skipped`. */
  async first(most: number, skipped: (id: string) => boolean): Promise<string[]> {
    const ids: string[] = [];
    for (let priority = 1; priority <= LOWEST_PRIORITY && ids.length < most; priority += 1) {
      const gte = readyKey(priority, this.#firsts.get(priority) ?? '');
      let isFirst = true;
      for await (const key of this.#db.keys({ gte, lt: readyKey(priority, END) })) {
        const id = idOfKey(key);
        if (isFirst) this.#firsts.set(priority, id);
        isFirst = false;
        if (!skipped(id)) ids.push(id);
        if (ids.length === most) break;
      }
    }
    return ids;
  }

  /** A job that was not ready is. */
  add(priority: number, id: string): void {
    const first = this.#firsts.get(priority);
    if (first !== undefined && id < first) this.#firsts.set(priority, id);
  }

  /** A job waits for a time. */
  addLate(atMs: number): void {
    if (atMs >= this.#nextMs) return;
    this.#nextMs = atMs;
    this.#forget?.();
    const delayMs = Math.min(LONGEST_TIMER_MS, Math.max(0, atMs - this.#now()));
    this.#forget = this.#clock.after(delayMs, () => void this.look());
  }

  /** Looks for jobs whose wait is over, and for the time when the next one's is. */
  async look(): Promise<void> {
    this.#nextMs = Infinity;
    const nowMs = this.#now();
    const due: string[] = [];
    try {
      for await (const key of this.#db.keys({ gte: lateKey(0, ''), lt: 'late/' + END })) {
        if (timeOfKey(key) > nowMs || due.length === MOST_DUE) {
          this.addLate(Math.max(timeOfKey(key), nowMs + 1));
          break;
        }
        due.push(idOfKey(key));
      }
    } catch {
      // The disk does not answer; it may later.
      this.addLate(nowMs + 1000);
    }
    if (due.length > 0) this.onDue?.(due);
  }

  close(): void {
    this.#forget?.();
    this.#nextMs = -Infinity;
  }
}
