import type { StreamEvent } from '../dialects/shared/operation.ts';
import type { Exchange } from './exchange.ts';

/** The container gateway closes a connection after 100 s without traffic. */
const HEARTBEAT_MS = 15_000;
/** The status is not sent before the first event, so that an early error has its own status; but it is sent after this time. */
const OPEN_AFTER_MS = 60_000;
/** Most bytes that wait for a client that does not read. */
const BUFFER_LIMIT_BYTES = 1024 * 1024;

/**
 * A reply as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html). It begins with the first event; until
 * then the exchange may still be answered otherwise. A client that does not read is cut off, which cancels its request.
 */
export class EventStream {
  readonly #exchange: Exchange;
  readonly #opening: NodeJS.Timeout;
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
    this.#opening = setTimeout(() => this.#beat(), OPEN_AFTER_MS);
    exchange.cancellation.add(this);
  }

  get isOpen(): boolean {
    return this.#exchange.response.headersSent;
  }

  /** Sends events, each with one line of data. */
  send(events: readonly StreamEvent[]): void {
    if (events.length === 0) return;
    if (!this.#exchange.isOpenEnded) this.#exchange.firstEventMs ??= this.#exchange.elapsedMs;
    this.#write(events.map(eventText).join(''));
  }

  /** Ends the reply, after the last event. */
  end(): void {
    this.#stop();
    const { response } = this.#exchange;
    this.#exchange.endStream();
    this.#exchange.limitReading(response.writableLength);
  }

  /** Gives up the stream: the exchange is answered otherwise. */
  abandon(): void {
    this.#stop();
  }

  /** The client has left. */
  cancel(): void {
    this.#stop();
  }

  #beat(): void {
    this.#write(': keep-alive\n\n');
  }

  #write(text: string): void {
    const { response } = this.#exchange;
    if (response.destroyed || response.writableEnded) return;
    if (!this.isOpen) {
      this.#exchange.startStream();
      clearTimeout(this.#opening);
      this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS);
    }
    response.write(text);
    if (response.writableLength <= BUFFER_LIMIT_BYTES) return;
    response.destroy();
    // A response that waits for its turn on a pipelined connection does not emit `close`.
    this.#exchange.cancellation.cancel();
  }

  #stop(): void {
    clearTimeout(this.#opening);
    clearInterval(this.#heartbeat);
    this.#exchange.cancellation.remove(this);
  }
}

function eventText(event: StreamEvent): string {
  return typeof event === 'string' ? `data: ${event}\n\n` : `event: ${event.name}\ndata: ${event.data}\n\n`;
}
