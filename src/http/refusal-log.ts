import type { Log } from '../log.ts';
import { logRequest, type AccessRecord } from './access-log.ts';

/** So many refusals have a line each, until there is a second without so many. */
const MOST_LINES = 10;
const EVERY_MS = 1000;

/** What refusals that are gathered in one line have in common. */
type Kind = Pick<AccessRecord, 'status' | 'dialect'> & { readonly code: string };

/** Calls back once after a time; it must not keep the process alive. */
type After = (delayMs: number, callback: () => void) => void;

function afterUnrefed(delayMs: number, callback: () => void): void {
  setTimeout(callback, delayMs).unref();
}

/**
 * The log lines of refusals. A line each costs more than the rest of a refusal, and a crowd would bury all other lines. So the first ones are
 * logged like other requests, and the rest is gathered: one line a second for each kind, with their number.
 */
export class RefusalLog {
  readonly #access: Log;
  readonly #after: After;
  #isTicking = false;
  #lines = 0;
  #untold = 0;
  /** By code and dialect. */
  readonly #gathered = new Map<string, Kind & { count: number }>();

  constructor(access: Log, after: After = afterUnrefed) {
    this.#access = access;
    this.#after = after;
  }

  /** Logs a refusal or counts it; `record` gives what a line of its own has. */
  add(kind: Kind, record: () => AccessRecord): void {
    this.#tickLater();
    if (this.#lines < MOST_LINES) {
      this.#lines += 1;
      logRequest(this.#access, record());
      return;
    }
    this.#untold += 1;
    const key = kind.code + kind.dialect.name;
    const gathered = this.#gathered.get(key);
    if (gathered === undefined) this.#gathered.set(key, { ...kind, count: 1 });
    else gathered.count += 1;
  }

  /** Tells what is gathered. */
  flush(): void {
    for (const { status, dialect, code, count } of this.#gathered.values())
      this.#access[status >= 500 ? 'warn' : 'info']({ status, dialect: dialect.name, code, count }, 'requests refused');
    this.#gathered.clear();
  }

  #tickLater(): void {
    if (this.#isTicking) return;
    this.#isTicking = true;
    this.#after(EVERY_MS, () => this.#tick());
  }

  #tick(): void {
    this.#isTicking = false;
    this.flush();
    const isQuiet = this.#untold === 0;
    this.#untold = 0;
    if (isQuiet) this.#lines = 0;
    else this.#tickLater();
  }
}
