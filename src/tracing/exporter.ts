import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { retryAfterMs } from '../retry-after.ts';
import { otlpJson, type Origin } from './otlp-json.ts';
import type { Span } from './span.ts';

/** Most spans that wait; further ones are dropped. */
const MOST_WAITING = 8192;
/** Spans of one message: printing them takes less than a millisecond of the main thread. */
const SPANS_OF_MESSAGE = 128;
const EVERY_MS = 2000;
const MESSAGE_LIMIT_MS = 10_000;
const TRIES = 3;
/** Passing states of a collector: https://opentelemetry.io/docs/specs/otlp/#failures-1 */
const PASSING: ReadonlySet<number> = new Set([429, 502, 503, 504]);
const LONGEST_PAUSE_MS = 5000;
/** A collector that is away costs a log line so often. */
const TOLD_EVERY_MS = 60_000;

export interface ExporterParts {
  /** Where messages are POSTed. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly origin: Origin;
  readonly log: Pick<Log, 'warn'>;
  readonly count: (outcome: 'sent' | 'failed' | 'dropped', spans: number) => void;
}

/** Sends spans to a collector, message by message, one at a time. Nothing waits for it. */
export class Exporter {
  readonly #parts: ExporterParts;
  #waiting: Span[] = [];
  readonly #timer: NodeJS.Timeout;
  #sending: Promise<void> | undefined;
  #toldMs = -Infinity;
  readonly #closing = new AbortController();

  constructor(parts: ExporterParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => this.#flush(), EVERY_MS);
    this.#timer.unref();
  }

  add(span: Span): void {
    if (this.#waiting.length >= MOST_WAITING) {
      this.#parts.count('dropped', 1);
      return;
    }
    if (this.#waiting.push(span) % SPANS_OF_MESSAGE === 0) this.#flush();
  }

  /** Sends what waits, for so long at most; what is left then is dropped. */
  async close(limitMs: number): Promise<void> {
    clearInterval(this.#timer);
    const limit = setTimeout(() => this.#closing.abort(), limitMs);
    try {
      while (this.#waiting.length > 0 && !this.#closing.signal.aborted) {
        this.#flush();
        await this.#sending;
      }
      await this.#sending;
    } finally {
      clearTimeout(limit);
      if (this.#waiting.length > 0) this.#parts.count('dropped', this.#waiting.length);
      this.#waiting = [];
    }
  }

  #flush(): void {
    if (this.#sending !== undefined || this.#waiting.length === 0) return;
    this.#sending = this.#sendAll().finally(() => (this.#sending = undefined));
  }

  async #sendAll(): Promise<void> {
    for (let left = this.#waiting.length; left > 0 && !this.#closing.signal.aborted; left -= SPANS_OF_MESSAGE) {
      const spans = this.#waiting.splice(0, SPANS_OF_MESSAGE);
      const reason = await this.#send(spans);
      this.#parts.count(reason === undefined ? 'sent' : 'failed', spans.length);
      if (reason !== undefined) this.#tell(reason);
    }
  }

  /** Why the spans were not taken; undefined if they were. */
  async #send(spans: readonly Span[]): Promise<string | undefined> {
    const { url, headers, origin } = this.#parts;
    const body = otlpJson(spans, origin);
    let reason = 'the server ends';
    for (let tried = 1; tried <= TRIES && !this.#closing.signal.aborted; tried += 1) {
      let pauseMs = 1000 * tried;
      try {
        const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(MESSAGE_LIMIT_MS)]);
        const reply = await request(url, {
          method: 'POST',
          headers: { ...headers, 'content-type': 'application/json' },
          body,
          signal,
        });
        await reply.body.dump({ limit: 65_536, signal });
        if (reply.statusCode < 300) return undefined;
        reason = `status ${reply.statusCode}`;
        if (!PASSING.has(reply.statusCode)) return reason;
        pauseMs = retryAfterMs(reply.headers['retry-after']) ?? pauseMs;
      } catch (error) {
        reason = messageOf(error);
      }
      if (tried < TRIES)
        await sleep(Math.min(pauseMs, LONGEST_PAUSE_MS), undefined, { ref: false, signal: this.#closing.signal }).catch(
          () => undefined,
        );
    }
    return reason;
  }

  #tell(reason: string): void {
    const nowMs = performance.now();
    if (nowMs - this.#toldMs < TOLD_EVERY_MS) return;
    this.#toldMs = nowMs;
    this.#parts.log.warn(
      { reason },
      'traces are lost: the collector does not take them (OTLP over HTTP in JSON, mostly on port 4318)',
    );
  }
}
