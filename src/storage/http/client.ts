import type { Readable } from 'node:stream';
import { Agent, request, type Dispatcher } from 'undici';
import { Guard, MOST_REDIRECTS, REDIRECTS } from '../../outbound/guard.ts';
import { VERSION } from '../../version.ts';
import { StorageError } from '../storage.ts';
import type { HttpRetry } from './retry.ts';

export interface HttpOptions {
  /** Whether the host of a URL may be at an address of this machine or its networks. Asked for each redirect too. */
  readonly allowsPrivate: (url: URL) => boolean;
  readonly limits?: Partial<HttpLimits>;
}

export interface HttpLimits extends HttpRetry {
  readonly connectMs: number;
  /** A request that moves less than 16 KiB in this time is ended and tried again. */
  readonly paceMs: number;
  /** Size of the ranges in which an object is read. */
  readonly partBytes: number;
  /** Ranges of one object at one time. */
  readonly parallel: number;
}

const LIMITS: HttpLimits = {
  connectMs: 10_000,
  paceMs: 30_000,
  partBytes: 10_000_000,
  parallel: 10,
  attempts: 5,
  firstDelayMs: 200,
};

export type HttpAnswer = Pick<Dispatcher.ResponseData, 'statusCode' | 'headers' | 'body'>;

export interface HttpRequest {
  readonly method: 'GET' | 'PUT';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Readable;
  /** Ends the request and the reading of its answer. */
  readonly signal: AbortSignal;
}

/** Sends requests to URLs that others chose. It has no credentials of its own: what grants access is in the URL, which no other origin is told. */
export class HttpClient {
  readonly limits: HttpLimits;
  readonly #allowsPrivate: (url: URL) => boolean;
  readonly #public = new Guard({ allowPrivate: false });
  readonly #any = new Guard({ allowPrivate: true });
  readonly #publicAgent: Agent;
  readonly #anyAgent: Agent;

  constructor({ allowsPrivate, limits }: HttpOptions) {
    this.limits = { ...LIMITS, ...limits };
    this.#allowsPrivate = allowsPrivate;
    this.#publicAgent = this.#agent(this.#public);
    this.#anyAgent = this.#agent(this.#any);
  }

  /**
   * One request, and those that redirects lead to: each is checked, none goes from https to http, and what is sent stays at its origin. The body of the
   * answer must be read or discarded. Rejects with the errors of the network, of the guard (ServerError), and with a StorageError.
   */
  async send(place: string, call: HttpRequest): Promise<HttpAnswer> {
    let target = this.#checked(place);
    for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects += 1) {
      const answer = await this.#request(target, call);
      const { location } = answer.headers;
      if (!REDIRECTS.has(answer.statusCode) || typeof location !== 'string') return answer;
      discard(answer);
      const next = this.#checked(location, target);
      if (target.protocol === 'https:' && next.protocol !== 'https:')
        throw new StorageError('BAD_PLACE', `${target.origin} redirects to an address that is not secure.`);
      if (call.method === 'PUT' && (next.origin !== target.origin || answer.statusCode < 307))
        throw new StorageError('BAD_PLACE', `${target.origin} redirects what is sent to it.`);
      target = next;
    }
    throw new StorageError('BAD_PLACE', `${target.origin} redirects without end.`);
  }

  async close(): Promise<void> {
    await Promise.all([this.#publicAgent.destroy(), this.#anyAgent.destroy()]);
  }

  #checked(text: string, base?: URL): URL {
    const url = this.#any.url(text, base);
    return this.#allowsPrivate(url) ? url : this.#public.url(text, base);
  }

  #request(url: URL, { method, headers, body, signal }: HttpRequest): Promise<HttpAnswer> {
    const sent = request(url, {
      dispatcher: this.#allowsPrivate(url) ? this.#anyAgent : this.#publicAgent,
      method,
      // Ranges are those of the stored bytes.
      headers: { 'user-agent': `carpool/${VERSION}`, accept: '*/*', 'accept-encoding': 'identity', ...headers },
      body: body ?? null,
      signal,
    });
    return orAborted(sent, signal);
  }

  /** The pace of a request limits it; the library's own limits would end an upload whose server reads slowly. */
  #agent(guard: Guard): Agent {
    const { connectMs } = this.limits;
    return new Agent({ connect: { timeout: connectMs, lookup: guard.lookup() }, headersTimeout: 0, bodyTimeout: 0 });
  }
}

/** Ends an answer whose body is not wanted, with its connection. */
export function discard({ body }: HttpAnswer): void {
  body.on('error', () => undefined).destroy();
}

/** Undici ends a request only when its connection has been made or has failed, so the signal is heeded here. */
async function orAborted(sent: Promise<HttpAnswer>, signal: AbortSignal): Promise<HttpAnswer> {
  let abort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([sent, aborted]);
  } catch (error) {
    sent.then(discard, () => undefined);
    throw error;
  } finally {
    if (abort !== undefined) signal.removeEventListener('abort', abort);
  }
}
