import { Pool } from 'undici';
import type { LoadRequest, Reply } from '../checks.ts';

/** k6's default time limit of a request. */
const TIMEOUT_MS = 60_000;

/** Connections to one server, one request each at a time. */
export class LoadClient {
  readonly #pool: Pool;

  /** At most so many at a time; kept alive for the next request unless `isEachNew`. */
  constructor(url: string, connections: number, { isEachNew = false } = {}) {
    this.#pool = new Pool(new URL(url).origin, {
      connections,
      // undici's way to say that no connection is kept alive.
      pipelining: isEachNew ? 0 : 1,
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
    });
  }

  /** Sends a request and reads the whole reply; whatever goes wrong on the way is status 0. Never rejects. */
  async send(request: Pick<LoadRequest, 'method' | 'path' | 'body'>): Promise<Reply> {
    const body = request.body === undefined ? null : JSON.stringify(request.body);
    try {
      const response = await this.#pool.request({
        method: request.method,
        path: request.path,
        headers: body === null ? {} : { 'content-type': 'application/json' },
        body,
      });
      const retryAfter = response.headers['retry-after'];
      return {
        status: response.statusCode,
        retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined,
        body: await response.body.text(),
      };
    } catch {
      return { status: 0, retryAfter: undefined, body: '' };
    }
  }

  /** Closes all connections; call it once every reply has come. */
  close(): Promise<void> {
    return this.#pool.close();
  }
}
