import { z } from 'zod';
import type { Clock } from '../../core/ticket.ts';
import type { Log } from '../../log.ts';
import type { Change, Database } from '../local/database.ts';
import { END } from '../local/record.ts';
import { DueMessages, hostOf } from './due.ts';
import type { WebhookMessage } from './event.ts';
import type { Sent, WebhookSender } from './sender.ts';

export interface OutboxOptions {
  readonly sender: Pick<WebhookSender, 'send' | 'check'>;
  /** Where messages outlast the process; absent: nowhere. */
  readonly db?: Database | undefined;
  readonly clock: Clock;
  readonly log: Pick<Log, 'warn'>;
  /** Default: the wall clock. */
  readonly now?: () => number;
  readonly random?: () => number;
}

const STORED = z.object({
  id: z.string(),
  url: z.string(),
  body: z.string(),
  createdMs: z.number(),
  failures: z.int(),
  notBeforeMs: z.number(),
});

/** Most messages that wait; further ones are dropped, and that is logged. */
const MOST_WAITING = 10_000;
const MOST_WAITING_BYTES = 64 * 1024 * 1024;
const MOST_CALLS = 16;
/** Waits after a failure: 5 s, 20 s, 80 s and so on up to an hour; all tries take about six hours. */
const FIRST_WAIT_MS = 5000;
const WAIT_FACTOR = 4;
const LONGEST_WAIT_MS = 3_600_000;
const MOST_TRIES = 10;
/** What is due when the server stops is sent for so long. */
const LAST_CALLS_MS = 5000;

const PREFIX = 'hook/';

/** Messages that wait for their turn, or for another try. Each is sent until its receiver has it, so that it may come twice. */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #waiting = new Map<string, { readonly message: WebhookMessage; readonly forget: () => void }>();
  readonly #due = new DueMessages();
  readonly #calls = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  #bytes = 0;
  #isClosing = false;
  /** Called with what has come of a try, for metrics. */
  onSent: ((outcome: Sent['outcome'] | 'dropped') => void) | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Begins with the messages that the last process has left. */
  static async open(options: OutboxOptions): Promise<Outbox> {
    const outbox = new Outbox(options);
    const { db } = options;
    if (db === undefined) return outbox;
    for await (const [, bytes] of db.entries({ gte: PREFIX, lt: PREFIX + END })) {
      const { notBeforeMs, ...message } = STORED.parse(JSON.parse(Buffer.from(bytes).toString()));
      outbox.#bytes += message.body.length;
      outbox.#wait(message, notBeforeMs - outbox.#now());
    }
    return outbox;
  }

  /** Messages that have not been delivered. */
  get size(): number {
    return this.#waiting.size + this.#due.size + this.#calls.size;
  }

  /** Throws INVALID_INPUT for a URL that no message could be sent to. */
  check(url: string): void {
    this.#options.sender.check(url);
  }

  /** What makes a message outlast the process, to be written with what it tells of; nothing where there is no room. */
  changesOf(message: WebhookMessage): readonly Change[] {
    return this.#isFull(message) ? [] : [put(message, this.#now())];
  }

  /** Sends a message that has been stored, or cannot be. */
  take(message: WebhookMessage): void {
    if (this.#isFull(message)) {
      this.onSent?.('dropped');
      this.#tell(message, 'too many are waiting');
      void this.#remove(message);
      return;
    }
    this.#bytes += message.body.length;
    this.#wait(message, 0);
  }

  /** Sends a message, and stores it meanwhile where that is possible. */
  send(message: WebhookMessage): void {
    void this.#options.db?.write([...this.changesOf(message)], { sync: false }).catch(() => undefined);
    this.take(message);
  }

  /** Ends: sends what is due, for a while. What is left comes again in the next process, if it is stored. */
  async close(): Promise<void> {
    this.#isClosing = true;
    for (const { forget } of this.#waiting.values()) forget();
    const late = setTimeout(() => this.#stop.abort(), LAST_CALLS_MS);
    while (this.#calls.size > 0) await Promise.all(this.#calls);
    clearTimeout(late);
    if (this.#options.db === undefined && this.size > 0)
      this.#options.log.warn({ messages: this.size }, 'webhooks were not delivered before the end');
  }

  #isFull({ body }: WebhookMessage): boolean {
    return this.size >= MOST_WAITING || this.#bytes + body.length > MOST_WAITING_BYTES;
  }

  #wait(message: WebhookMessage, delayMs: number): void {
    const due = (): void => {
      this.#waiting.delete(message.id);
      this.#due.add(message);
      this.#sendMore();
    };
    if (delayMs <= 0) due();
    else this.#waiting.set(message.id, { message, forget: this.#options.clock.after(delayMs, due) });
  }

  #sendMore(): void {
    while (this.#calls.size < MOST_CALLS && !this.#stop.signal.aborted) {
      const next = this.#due.take();
      if (next === undefined) return;
      const call = this.#send(next.message).finally(() => {
        this.#calls.delete(call);
        next.ended();
        this.#sendMore();
      });
      this.#calls.add(call);
    }
  }

  async #send(message: WebhookMessage): Promise<void> {
    const { outcome, reason, retryAfterMs } = await this.#options.sender.send(message, this.#stop.signal);
    if (this.#stop.signal.aborted && outcome !== 'delivered') {
      this.#due.add(message);
      return;
    }
    this.onSent?.(outcome);
    const failures = message.failures + 1;
    if (outcome === 'failed' && failures < MOST_TRIES)
      await this.#again({ ...message, failures }, reason, retryAfterMs);
    else {
      if (outcome !== 'delivered') this.#tell(message, reason);
      await this.#remove(message);
      this.#bytes -= message.body.length;
    }
  }

  async #again(message: WebhookMessage, reason: string, askedMs = 0): Promise<void> {
    const { random = Math.random, db, log } = this.#options;
    const most = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * WAIT_FACTOR ** (message.failures - 1));
    const delayMs = Math.max(most * (0.5 + random() / 2), Math.min(LONGEST_WAIT_MS, askedMs));
    log.warn({ ...shown(message), reason, againInMs: Math.round(delayMs) }, 'a webhook was not delivered');
    // Without it the message is sent again at the next start, which it bears.
    await db?.write([put(message, this.#now() + delayMs)], { sync: false }).catch(() => undefined);
    if (this.#isClosing) this.#waiting.set(message.id, { message, forget: () => undefined });
    else this.#wait(message, delayMs);
  }

  async #remove({ id }: WebhookMessage): Promise<void> {
    await this.#options.db?.write([{ type: 'del', key: PREFIX + id }], { sync: false }).catch(() => undefined);
  }

  #tell(message: WebhookMessage, reason: string): void {
    this.#options.log.warn({ ...shown(message), reason }, 'a webhook is not sent any more');
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }
}

/** What a log may show of a message: of its URL the host alone. */
function shown(message: WebhookMessage): Record<string, unknown> {
  const { id, failures } = message;
  return { webhookId: id, host: hostOf(message), failures };
}

function put(message: WebhookMessage, notBeforeMs: number): Change {
  return { type: 'put', key: PREFIX + message.id, value: Buffer.from(JSON.stringify({ ...message, notBeforeMs })) };
}
