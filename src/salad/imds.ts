import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request, type Dispatcher } from 'undici';
import { z } from 'zod';

/** SaladCloud's instance metadata service (IMDS), as its API's version 0.9 has it: https://docs.salad.com/container-engine/explanation/infrastructure-platform/imds */

export interface ImdsOptions {
  /** SALAD_METADATA_URI. */
  readonly uri: string;
  /** Limit of one try. */
  readonly timeoutMs?: number;
  /** Wait before the second try; it doubles. */
  readonly retryMs?: number;
  readonly now?: () => number;
}

/** The service has refused a call, or could not be reached. */
export class ImdsError extends Error {}

const TRIES = 3;
const TIMEOUT_MS = 2000;
const RETRY_MS = 250;
/** A token lives for 5 minutes, and may come out of a cache with 3 left. */
const TOKEN_KEPT_MS = 120_000;
const MOST_REASON = 1000;
/** The public API's range. */
const MOST_COST = 100_000;
/** Much more than any answer has. */
const MOST_SHOWN = 200;
const FIRST_SERVER_ERROR = 500;
const TOO_MANY = 429;

const STATUS = z.object({ ready: z.boolean(), started: z.boolean() });
const TOKEN = z.object({ jwt: z.string().min(1) });
const COST = z.object({ deletion_cost: z.int() });

interface Call {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly body?: unknown;
}

/** A client of the service. Every call rejects with an ImdsError after three tries, each with a short limit. */
export class Imds {
  readonly #uri: string;
  readonly #timeoutMs: number;
  readonly #retryMs: number;
  readonly #now: () => number;
  /** Its own, so that no proxy is between: the address means this node. */
  readonly #agent: Agent;
  #token: { readonly jwt: Promise<string>; readonly untilMs: number } | undefined;

  constructor({ uri, timeoutMs = TIMEOUT_MS, retryMs = RETRY_MS, now = () => performance.now() }: ImdsOptions) {
    this.#uri = uri.replace(/\/+$/, '');
    this.#timeoutMs = timeoutMs;
    this.#retryMs = retryMs;
    this.#now = now;
    this.#agent = new Agent({ connections: 2, connect: { timeout: timeoutMs } });
  }

  /** What the platform makes of the probes. */
  async status(): Promise<{ readonly ready: boolean; readonly started: boolean }> {
    return this.#read('/v1/status', STATUS);
  }

  /** A token (JWT) that identifies this node's workload; kept for two minutes. */
  token(): Promise<string> {
    const kept = this.#token;
    if (kept !== undefined && this.#now() < kept.untilMs) return kept.jwt;
    const jwt = this.#read('/v1/token', TOKEN).then((read) => read.jwt);
    const token = { jwt, untilMs: this.#now() + TOKEN_KEPT_MS };
    this.#token = token;
    jwt.catch(() => {
      if (this.#token === token) this.#token = undefined;
    });
    return jwt;
  }

  /** Moves the workload to another node. This one is excluded for 48 hours. */
  async reallocate(reason: string): Promise<void> {
    await this.#call('/v1/reallocate', { method: 'POST', body: { reason: reason.slice(0, MOST_REASON) } });
  }

  /** Restarts the container, with what is on its disk. */
  async restart(): Promise<void> {
    await this.#call('/v1/restart', { method: 'POST' });
  }

  /** Makes the container anew on this node. */
  async recreate(): Promise<void> {
    await this.#call('/v1/recreate', { method: 'POST' });
  }

  async deletionCost(): Promise<number> {
    return (await this.#read('/v1/deletion-cost', COST)).deletion_cost;
  }

  /** When replicas are taken away, the one with the lowest cost goes first. Held within 0 and 100,000. */
  async setDeletionCost(cost: number): Promise<void> {
    const held = Math.round(Math.min(MOST_COST, Math.max(0, cost)));
    await this.#call('/v1/deletion-cost', { method: 'PUT', body: { deletion_cost: held } });
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #read<Value>(path: string, schema: z.ZodType<Value>): Promise<Value> {
    const text = await this.#call(path, { method: 'GET' });
    try {
      return schema.parse(JSON.parse(text));
    } catch (error) {
      // Not its text, which may be a token.
      throw new ImdsError(`IMDS ${path}: unexpected answer`, { cause: error });
    }
  }

  async #call(path: string, call: Call): Promise<string> {
    for (let attempt = 1, waitMs = this.#retryMs; ; attempt += 1, waitMs *= 2) {
      let problem: string;
      let isFinal = false;
      try {
        const { statusCode, body } = await this.#send(path, call);
        const text = await body.text();
        if (statusCode >= 200 && statusCode < 300) return text;
        problem = `status ${statusCode} ${text.slice(0, MOST_SHOWN)}`;
        isFinal = statusCode < FIRST_SERVER_ERROR && statusCode !== TOO_MANY;
      } catch (error) {
        problem = error instanceof Error ? error.message : String(error);
      }
      if (isFinal || attempt === TRIES) throw new ImdsError(`IMDS ${path}: ${problem}`);
      await sleep(waitMs);
    }
  }

  #send(path: string, { method, body }: Call): Promise<Dispatcher.ResponseData> {
    return request(this.#uri + path, {
      method,
      dispatcher: this.#agent,
      headers: { Metadata: 'true', ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(this.#timeoutMs),
    });
  }
}
