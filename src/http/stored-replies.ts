import type { Dialect } from '../dialects/shared/dialect.ts';
import type { ServerError } from '../errors.ts';

/** The end of a job: its answer as JSON, or its error and the dialect to tell it in. */
export type JobReply = { readonly json: Uint8Array } | { readonly error: ServerError; readonly dialect: Dialect };

interface Stored {
  readonly reply: JobReply;
  readonly bytes: number;
  readonly untilMs: number;
}

/** What an entry takes beside its reply. */
const OVERHEAD_BYTES = 1000;

/** Replies that are kept for a time, within a limit of bytes; the oldest give way. */
export class StoredReplies {
  readonly #limitBytes: number;
  readonly #keptMs: number;
  readonly #now: () => number;
  /** In the order in which they were stored, and so in that of `untilMs`. */
  readonly #stored = new Map<string, Stored>();
  #bytes = 0;

  constructor(limits: { readonly limitBytes: number; readonly keptMs: number }, now = () => performance.now()) {
    this.#limitBytes = limits.limitBytes;
    this.#keptMs = limits.keptMs;
    this.#now = now;
  }

  get(key: string): JobReply | undefined {
    this.#trim();
    return this.#stored.get(key)?.reply;
  }

  set(key: string, reply: JobReply): void {
    this.#remove(key);
    const bytes = OVERHEAD_BYTES + ('json' in reply ? reply.json.byteLength : 0);
    if (bytes > this.#limitBytes) return;
    this.#stored.set(key, { reply, bytes, untilMs: this.#now() + this.#keptMs });
    this.#bytes += bytes;
    this.#trim();
  }

  #trim(): void {
    const nowMs = this.#now();
    for (const [key, { untilMs }] of this.#stored) {
      if (untilMs > nowMs && this.#bytes <= this.#limitBytes) return;
      this.#remove(key);
    }
  }

  #remove(key: string): void {
    this.#bytes -= this.#stored.get(key)?.bytes ?? 0;
    this.#stored.delete(key);
  }
}
