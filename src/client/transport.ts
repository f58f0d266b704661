import { CarpoolError, errorOfReply } from './errors.ts';

/** What a client needs to know of its server. */
export interface ClientOptions {
  /** Address of the server, perhaps with a path in front of its routes: `http://localhost:8000`. */
  readonly baseUrl: string | URL;
  /** Sent as `Authorization: Bearer`. */
  readonly apiKey?: string;
  /** Time of a call with all its tries. Default 60000. */
  readonly timeoutMs?: number;
  /** Further tries after a passing failure. Default 4. */
  readonly retries?: number;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: the global `fetch`. */
  readonly fetch?: typeof fetch;
}

/** What one call may set. */
export interface CallOptions {
  /** Ends the call; the server computes nothing for it any more. */
  readonly signal?: AbortSignal;
  /** In place of the client's. */
  readonly timeoutMs?: number;
  /** In place of the client's. */
  readonly retries?: number;
  /** 1 (first) to 3 (last). */
  readonly priority?: 1 | 2 | 3;
  /** Repeated by the server, in its reply and its log. */
  readonly requestId?: string;
}

export interface Call {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Blob | FormData | Uint8Array<ArrayBuffer>;
  readonly options?: CallOptions;
}

const TIMEOUT_MS = 60_000;
const RETRIES = 4;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 8000;
/** The longest time of a timer, almost 25 days: Node turns a longer one into 1 ms, and refuses Infinity. */
const LONGEST_MS = 2 ** 31 - 1;
/** The longest time that the server takes, a day. */
const LONGEST_TOLD_MS = 86_400_000;

/** Signals of the callers whose replies are being read. */
const signalsOf = new WeakMap<Response, AbortSignal>();

/** Sends requests, and those that failed in passing again, within one limit of time. */
export class Transport {
  readonly #options: ClientOptions;
  readonly #base: string;
  /** Of a call that sets none. */
  readonly timeoutMs: number;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.#base = String(options.baseUrl).replace(/\/+$/, '');
    // A base without a scheme would be taken for a path of the page.
    if (!/^https?:\/\//i.test(this.#base)) throw new TypeError(`baseUrl must begin with http:// or https://.`);
  }

  /**
   * The reply to a request, once its status is 2xx. Throws a CarpoolError for a refusal that is final or whose time has run out, and the
   * signal's reason for one that was aborted. The limit of time holds for reading the body, too.
   */
  async send(path: string, call: Call = {}): Promise<Response> {
    const { timeoutMs: askedMs = this.timeoutMs, signal } = call.options ?? {};
    const timeoutMs = Math.min(askedMs, LONGEST_MS);
    const end = Date.now() + timeoutMs;
    const limit = AbortSignal.timeout(timeoutMs);
    const either = signal === undefined ? limit : AbortSignal.any([signal, limit]);
    const tries = 1 + (call.options?.retries ?? this.#options.retries ?? RETRIES);
    for (let tried = 1; ; tried++) {
      const outcome = await this.#try(path, call, { signal: either, leftMs: end - Date.now() });
      if (!(outcome instanceof CarpoolError)) return readUnder(signal, outcome);
      signal?.throwIfAborted();
      if (!outcome.retryable || tried >= tries) throw outcome;
      const pauseMs = outcome.retryAfterMs ?? backoffMs(tried);
      // The answer would come too late, so the one at hand is told.
      if (Date.now() + pauseMs >= end) throw outcome;
      await pause(pauseMs, either);
    }
  }

  /** The reply's value of JSON. Throws a CarpoolError for any other. */
  async json(path: string, call: Call = {}): Promise<unknown> {
    const response = await this.send(path, call);
    return parsed(response, await readText(response));
  }

  /** A request of JSON, or of a form. */
  post(path: string, body: unknown, options: CallOptions = {}): Promise<unknown> {
    return this.json(path, bodyCall(body, options));
  }

  async #try(
    path: string,
    call: Call,
    limits: { signal: AbortSignal; leftMs: number },
  ): Promise<Response | CarpoolError> {
    const { method = call.body === undefined ? 'GET' : 'POST', body = null, options } = call;
    const headers = new Headers({ ...this.#options.headers, ...call.headers });
    if (this.#options.apiKey !== undefined) headers.set('authorization', `Bearer ${this.#options.apiKey}`);
    // The server gives up when nobody waits any more.
    headers.set('x-request-timeout-ms', String(Math.min(LONGEST_TOLD_MS, Math.max(1, Math.ceil(limits.leftMs)))));
    if (options?.priority !== undefined) headers.set('x-request-priority', String(options.priority));
    if (options?.requestId !== undefined) headers.set('x-request-id', options.requestId);
    const send = this.#options.fetch ?? fetch;
    try {
      const response = await send(this.#base + path, { method, headers, body, signal: limits.signal });
      return response.ok ? response : errorOfReply(response, await response.text());
    } catch (cause) {
      const error = noReply(cause);
      if (error instanceof CarpoolError) return error;
      throw error;
    }
  }
}

/** A call whose body is a form, or a value of JSON. A form brings its type along: the boundary of its parts is in it. */
export function bodyCall(body: unknown, options: CallOptions): Call {
  return body instanceof FormData ? { body, options } : jsonCall(body, options);
}

/** A call whose body is a value of JSON. */
export function jsonCall(body: unknown, options: CallOptions): Call {
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), options };
}

/** The value of a reply's text. Throws a CarpoolError if it is not JSON. */
export function parsed(response: Response, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw badReply(response, 'The reply is not JSON.', cause);
  }
}

/** The error of a reply that breaks its protocol. */
export function badReply(response: Response, message: string, cause?: unknown): CarpoolError {
  const requestId = response.headers.get('x-request-id') ?? undefined;
  return new CarpoolError(message, { status: response.status, code: 'BAD_REPLY', retryable: false, requestId, cause });
}

/** The whole text of a reply. Throws a CarpoolError if it breaks off. */
export function readText(response: Response): Promise<string> {
  return response.text().catch(failRead(response));
}

/** The reply, for whose reading the caller's signal holds, too. */
function readUnder(signal: AbortSignal | undefined, response: Response): Response {
  if (signal !== undefined) signalsOf.set(response, signal);
  return response;
}

/** Throws for a body that could not be read: the reason of the call's signal where that aborted, else as `noReply` says. */
export function failRead(response: Response): (cause: unknown) => never {
  return (cause) => {
    signalsOf.get(response)?.throwIfAborted();
    throw noReply(cause);
  };
}

/** What a call fails with where `fetch` failed so: a CarpoolError for a connection or a limit of time, the signal's own reason where that aborted. */
function noReply(cause: unknown): unknown {
  if (!(cause instanceof Error)) return cause;
  const late = cause.name === 'TimeoutError';
  if (!late && !(cause instanceof TypeError)) return cause;
  const message = late
    ? 'No reply within the time limit.'
    : 'The server could not be reached, or the connection broke.';
  return new CarpoolError(message, { status: 0, code: 'NO_REPLY', retryable: !late, cause });
}

/** Doubles from try to try; by chance between half and whole, so that many clients do not come back together. */
function backoffMs(tried: number): number {
  const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (tried - 1));
  return longest * (0.5 + Math.random() / 2);
}

/** Resolves after a time, or early when the signal aborts: the next try then tells why. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done);
  });
}
