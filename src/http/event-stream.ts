import type { AnswerStream, StreamEvent } from '../dialects/shared/operation.ts';
import type { Exchange } from './exchange.ts';

/** The container gateway closes a connection after 100 s without traffic. */
const HEARTBEAT_MS = 15_000;
/** The status is not sent before the first event, so that an early error has its own status; but it is sent after this time. */
const OPEN_AFTER_MS = 60_000;
/** Most bytes that wait for a client that does not read events. */
const BUFFER_LIMIT_BYTES = 1024 * 1024;
/** The same for one that reads bytes: players read as they play, and the answer is made much faster. */
const BYTES_LIMIT_BYTES = 64 * 1024 * 1024;

type StreamForm = Pick<AnswerStream, 'isOfBytes' | 'isLines' | 'contentType'>;

/**
 * A reply that goes out piece by piece: server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html), bytes of another type
 * (`AnswerStream.isOfBytes`), or lines of JSON (`isLines`, https://github.com/ndjson/ndjson-spec). It begins with the first piece; until then the exchange may still be answered otherwise. A client that does not read is cut off,
 * which cancels its request.
 */
export class EventStream {
  readonly #exchange: Exchange;
  readonly #answer: StreamForm;
  readonly #opening: NodeJS.Timeout;
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(exchange: Exchange, answer: StreamForm = {}) {
    this.#exchange = exchange;
    this.#answer = answer;
    this.#opening = setTimeout(() => this.#beat(), OPEN_AFTER_MS);
    exchange.cancellation.add(this);
  }

  get isOpen(): boolean {
    return this.#exchange.response.headersSent;
  }

  /** Whether it is bytes, which have no place for comments and errors. */
  get isOfBytes(): boolean {
    return this.#answer.isOfBytes === true;
  }

  /** Sends events, each with one line of data, or bytes. */
  send(events: readonly StreamEvent[]): void {
    if (events.length === 0) return;
    if (!this.#exchange.isOpenEnded) this.#exchange.firstEventMs ??= this.#exchange.elapsedMs;
    if (this.isOfBytes) for (const event of events) this.#write(event instanceof Uint8Array ? event : eventText(event));
    else this.#write(events.map(this.#answer.isLines === true ? lineText : eventText).join(''));
  }

  /** Ends the reply, after the last event. */
  end(): void {
    this.#stop();
    const { response } = this.#exchange;
    this.#exchange.endStream();
    this.#exchange.limitReading(response.writableLength);
  }

  /** Ends the connection, so that the client sees that the reply is not whole. */
  breakOff(): void {
    this.#stop();
    this.#exchange.isBrokenOff = true;
    this.#exchange.response.destroy();
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
    // Among lines there is no place for a comment: this only begins the reply.
    if (!this.isOfBytes) this.#write(this.#answer.isLines === true ? '' : ': keep-alive\n\n');
  }

  #write(piece: string | Uint8Array): void {
    const { response } = this.#exchange;
    if (response.destroyed || response.writableEnded) return;
    if (!this.isOpen) {
      this.#exchange.startStream(this.#answer.contentType);
      clearTimeout(this.#opening);
      if (!this.isOfBytes && this.#answer.isLines !== true)
        this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS);
    }
    response.write(piece);
    if (response.writableLength <= (this.isOfBytes ? BYTES_LIMIT_BYTES : BUFFER_LIMIT_BYTES)) return;
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
  if (event instanceof Uint8Array) throw new Error('a stream of events has no place for bytes');
  return typeof event === 'string' ? `data: ${event}\n\n` : `event: ${event.name}\ndata: ${event.data}\n\n`;
}

function lineText(event: StreamEvent): string {
  if (event instanceof Uint8Array) throw new Error('a line of JSON is no bytes');
  return `${typeof event === 'string' ? event : event.data}\n`;
}
