import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Dialect } from '../dialects/shared/dialect.ts';
import { toServerError, type ErrorCode, type ServerError } from '../errors.ts';
import { Cancellation } from '../serving/cancellation.ts';
import { Deadline } from '../serving/deadline.ts';
import type { Requester } from '../serving/requester.ts';
import type { ServedModel } from '../serving/served-model.ts';
import type { Stages } from '../serving/stages.ts';
import type { RequestTiming } from '../serving/timing.ts';
import { logRequest, recordOf, traceFields, type AccessRecord } from './access-log.ts';
import { connectionOf, type Connection } from './connections.ts';
import { countRequest } from './count-request.ts';
import { compress } from './encoding.ts';
import { endTrace } from './end-trace.ts';
import { addTiming, header, jobIdOf, namesForHeader, pathOf, refusalHeaders } from './headers.ts';
import type { ApiKey } from './keys/keyring.ts';
import { bodyGone } from './linger.ts';
import { addNodeHeaders, STREAM_TRAILERS, timeHeaders } from './node-headers.ts';
import { isOfCrowds, type Refusals } from './refusals.ts';
import { limitReading } from './slow-reader.ts';
import type { Services } from './services.ts';
import type { Trace } from '../tracing/tracer.ts';
import { readTraceparent, requestIdOf } from './trace.ts';

export interface ReplyParts {
  readonly contentType: string;
  readonly chunks: readonly (Uint8Array | string)[];
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | number>> | undefined;
  /** Content coding that the client accepts. */
  readonly coding?: string | undefined;
}

export interface ExchangeOptions {
  readonly services: Services;
  readonly dialect: Dialect;
  /** Gathers the log lines of what a crowd is refused with, and holds its connections back; without it each refusal has a line. */
  readonly refusals?: Pick<Refusals, 'log' | 'heldBack'> | undefined;
}

const ignore = (): void => undefined;

/** Refusals that may be sent before all of the body has arrived; the rest of it is of no use then. */
const UNREAD: ReadonlySet<ErrorCode> = new Set(['TOO_LARGE', 'REQUEST_TIMEOUT']);

/**
 * One request and its reply. Whatever a route does, headers, metrics, statistics and the log line come from here, once: when the
 * response is closed, or at the latest its connection. A connection that closes before that is a cancellation.
 */
export class Exchange implements AccessRecord, Requester {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly id: string;
  readonly trace: Trace | undefined;
  readonly stages: Stages | undefined;
  readonly cancellation = new Cancellation();
  /** Of the whole request, its body included. */
  readonly deadline: Deadline;
  /** The dialect of errors; a route may find out that it is another one. */
  dialect: Dialect;
  /** Set by the route once they are known. */
  model: ServedModel | undefined;
  timing: RequestTiming | undefined;
  /** The API key that it came with; undefined where there are none. */
  readonly key: ApiKey | undefined;
  #items = 0;
  /** True for requests that machines repeat all the time: logged at debug only. */
  quiet = false;
  isOpenEnded = false; // a stream that lasts as long as its client likes: its time is no latency
  isBrokenOff = false; // ended by the server in the middle of its reply, for the error that was noted
  error: ServerError | undefined;
  /** When the first event of a stream went out, on the exchange's own clock. */
  firstEventMs: number | undefined;
  readonly #services: Services;
  readonly #refusals: ExchangeOptions['refusals'];
  #releases: (() => void)[] | undefined;
  /** That of the request, which loses it when it is destroyed by a pipeline. */
  readonly #socket: Socket;
  readonly #connection: Connection | undefined;
  #closed = false;
  /** All of a reply has been written, but its end waits for the rest of the body. */
  #isToldAll = false;
  #isLogged = false;

  constructor(request: IncomingMessage, response: ServerResponse, options: ExchangeOptions) {
    this.request = request;
    this.response = response;
    this.dialect = options.dialect;
    this.#services = options.services;
    this.#refusals = options.refusals;
    this.deadline = new Deadline(options.services.config.REQUEST_TIMEOUT_MS);
    this.id = requestIdOf(request);
    const given = readTraceparent(header(request, 'traceparent'));
    ({ trace: this.trace, stages: this.stages } = options.services.tracer?.begin(this.id, given) ?? { trace: given });
    this.key = options.services.keys?.keyOf(request);
    if (this.key !== undefined && request.method === 'POST') this.key.usage.countRequest();
    recordOf(response, this);
    response.on('close', () => this.end());
    this.#socket = request.socket;
    this.#connection = connectionOf(this.#socket);
    this.#connection?.begin(this);
    // A connection that breaks is a cancellation, not an error.
    request.on('error', ignore);
  }

  /** How many it has; set once they are known, which is when its key is charged for them. */
  get items(): number {
    return this.#items;
  }

  set items(count: number) {
    this.key?.usage.countItems(count - this.#items);
    this.#items = count;
  }

  /** The client's. */
  get address(): string | undefined {
    return this.#socket.remoteAddress;
  }

  get elapsedMs(): number {
    return this.deadline.elapsedMs;
  }

  /** The model that serves the request, with its time limit. */
  serveWith(model: ServedModel): void {
    this.model = model;
    this.deadline.shorten(model.timeoutMs);
  }

  /** Names the ignored fields of the request in a header and in a log line at debug level. */
  tellIgnored(ignored: readonly string[]): void {
    if (this.response.headersSent) return;
    const names = namesForHeader(ignored);
    this.response.setHeader('X-Ignored-Fields', names.join(', '));
    this.#services.log.debug({ requestId: this.id, fields: names }, 'unknown fields are ignored');
  }

  /** Calls back when the exchange is over, however it ends; at once if the client has left. */
  releaseLater(release: () => void): void {
    if (this.#closed) release();
    else (this.#releases ??= []).push(release);
  }

  /** Sends the reply, unless the client has left. `vary`: header of the request on which the reply depends. */
  async reply(
    { coding, ...parts }: ReplyParts & { readonly chunks: readonly Uint8Array[] },
    vary?: string,
  ): Promise<void> {
    const body = await compress(parts.chunks, coding);
    if (body.coding === undefined) {
      this.send(parts, vary);
      return;
    }
    const headers = { ...parts.headers, 'Content-Encoding': body.coding };
    this.send({ ...parts, chunks: body.chunks, headers }, vary);
  }

  /** The same at once, uncompressed: a small reply is spared the promise. */
  send({ status = 200, contentType, chunks, headers }: Omit<ReplyParts, 'coding'>, vary?: string): void {
    const { response } = this;
    if (response.headersSent || response.destroyed) return;
    let length = 0;
    for (const chunk of chunks) length += Buffer.byteLength(chunk);
    const head: Record<string, string | number> = {
      'Content-Type': contentType,
      'Content-Length': length,
      'X-Request-Id': this.id,
    };
    if (this.timing !== undefined) addTiming(head, this.timing, this);
    if (this.#services.node !== undefined) addNodeHeaders(head, this);
    Object.assign(head, headers);
    // Replies also depend on the origin, if some origins may read them (cors.ts).
    const origin = response.getHeader('Vary');
    if (origin !== undefined || vary !== undefined)
      head['Vary'] = [origin, head['Vary'], vary].filter((one) => one !== undefined).join(', ');
    response.writeHead(status, head);
    const last = chunks.length - 1;
    for (let index = 0; index < last; index += 1) response.write(chunks[index]);
    if (head['Connection'] === 'close') void this.#endAfterBody(chunks[last]);
    else response.end(chunks[last]);
    this.limitReading(length);
  }

  /** Ends the reply when the rest of an unwanted body has come. */
  async #endAfterBody(chunk: Uint8Array | string | undefined): Promise<void> {
    this.response.write(chunk, () => (this.#isToldAll = true));
    await bodyGone(this.request);
    this.response.end();
  }

  /** Bounds the time for reading the last bytes of the reply. */
  limitReading(bytes: number): void {
    limitReading(this.response, bytes, () => {
      if (this.#closed) return;
      const message = 'the client reads its reply too slowly; its connection is closed';
      this.#services.log.info({ requestId: this.id, bytes }, message);
      this.response.destroy();
    });
  }

  /** Sends a JSON value. */
  async json(value: unknown, status = 200): Promise<void> {
    await this.reply({ status, contentType: 'application/json', chunks: [Buffer.from(JSON.stringify(value))] });
  }

  /** Sends a reply without a body. */
  nothing(): void {
    this.quiet = true;
    this.response.writeHead(204, { 'X-Request-Id': this.id });
    this.response.end();
  }

  /** Begins a reply of server-sent events, or of bytes of another type, which `endStream` ends: sends the status and the headers. */
  startStream(contentType = 'text/event-stream; charset=utf-8'): void {
    this.response.writeHead(200, {
      'Content-Type': contentType,
      'Cache-Control': 'no-cache',
      // nginx, and proxies like it, would gather the events.
      'X-Accel-Buffering': 'no',
      'X-Request-Id': this.id,
      ...(this.model === undefined ? {} : { 'X-Model-Version': this.model.version }),
      ...(this.#services.node === undefined || this.model === undefined ? {} : { 'X-Model-ID': this.model.name }),
      ...(this.#hasTrailers ? { Trailer: STREAM_TRAILERS } : {}),
    });
  }

  endStream(): void {
    if (this.#hasTrailers) this.response.addTrailers(timeHeaders(this));
    this.response.end();
  }

  /** HTTP/1.0 has no chunks, and so no place for them. */
  get #hasTrailers(): boolean {
    return this.#services.node !== undefined && this.request.httpVersion === '1.1';
  }

  /** Sends an error in the shape of the dialect; an error that is not a ServerError is logged and sent as INTERNAL. */
  fail(thrown: unknown): void {
    const error = this.note(thrown);
    const { status, body, headers } = this.dialect.tellError(error);
    const head: Record<string, string | number> = { ...refusalHeaders(error), ...headers };
    // The rest of the body is not wanted: the connection is closed rather than read to the end for the next request.
    if (UNREAD.has(error.code) && !this.request.complete) head['Connection'] = 'close';
    // Node joins a text with the head; a buffer would be a second piece.
    this.send({ status, contentType: 'application/json', chunks: [JSON.stringify(body)], headers: head });
  }

  /** Records an error for the log and the metrics; returns it as clients may see it. */
  note(thrown: unknown): ServerError {
    const error = toServerError(thrown);
    this.error = error;
    if (error.code === 'INTERNAL')
      this.#services.log.error(
        { requestId: this.id, ...traceFields(this), err: error.cause ?? error },
        'request failed',
      );
    return error;
  }

  /** Writes metrics, statistics and the log line, once: when the response is closed, or its connection is and the response never will be. */
  end(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection?.finish(this);
    if (!this.#isFinished) this.cancellation.cancel();
    for (const release of this.#releases ?? []) release();
    countRequest(this, this.#services);
    if (this.stages !== undefined) endTrace(this, this.#services.tracer);
    this.#tell();
  }

  /** In a log line of its own, or in that of what a crowd is refused with. */
  #tell(): void {
    const { error, dialect } = this;
    if (this.#refusals === undefined || !isOfCrowds(error) || this.status !== error.status) {
      logRequest(this.#services.access, this);
      return;
    }
    this.#refusals.log.add({ status: error.status, dialect, code: error.code }, () => this);
    if (this.response.shouldKeepAlive) this.#refusals.heldBack.add(this.#socket);
  }

  takeLogLine(): boolean {
    const isFirst = !this.#isLogged;
    this.#isLogged = true;
    return isFirst;
  }

  /** 499 if the client left, unless only that ends its stream; a stream that broke off or was broken off had begun with 200. */
  get status(): number {
    const { statusCode } = this.response;
    if (!this.#isFinished && !this.isOpenEnded) return this.isBrokenOff ? (this.error?.status ?? 499) : 499;
    return statusCode === 200 ? (this.error?.status ?? statusCode) : statusCode;
  }

  /** A client that closes the connection once it has all of a reply has not left. Node also calls a reply finished that was cut off with its connection. */
  get #isFinished(): boolean {
    return (this.response.writableFinished && !this.#socket.destroyed) || this.#isToldAll;
  }

  get method(): string {
    return this.request.method ?? '';
  }

  /** Without its query, which may hold what should not be logged. */
  get path(): string {
    return pathOf(this.request);
  }

  /** The job of SaladCloud's queue for which the request was made. */
  get jobId(): string | undefined {
    return jobIdOf(this.request);
  }
}
