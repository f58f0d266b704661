import { z } from 'zod';
import type { Clock } from '../../core/ticket.ts';
import { messageOf } from '../../errors.ts';
import { waitOrStop } from '../../core/wait.ts';
import type { Credentials } from './credentials.ts';

/** Kelpie's API as a worker uses it: https://github.com/SaladTechnologies/kelpie-api */

export interface KelpieApiOptions {
  /** KELPIE_API_URL. */
  readonly url: string;
  readonly credentials: Credentials;
  readonly machineId: string;
  readonly containerGroupId: string;
  readonly clock: Clock;
  /** Limit of one try. */
  readonly timeoutMs?: number;
  /** Wait before the second try; before the third it is twice that. */
  readonly retryMs?: number;
}

/** The API has refused a call, or could not be reached. */
export class KelpieError extends Error {
  /** Undefined: there was no answer. */
  readonly status: number | undefined;

  constructor(message: string, status?: number) {
    super(message);
    this.status = status;
  }
}

/** What is asked for of a job that is handed out; its other members are checked when it is read. */
const HANDED_OUT = z
  .array(
    z.looseObject({
      id: z.string().min(1),
      created: z.iso.datetime({ offset: true }).transform(Date.parse).optional().catch(undefined),
      heartbeat_interval: z.number().positive().max(86_400).catch(30),
    }),
  )
  .max(100);
export type HandedOut = z.output<typeof HANDED_OUT>[number];

const LISTED = z.looseObject({ jobs: z.array(z.unknown()) });
const HEARTBEAT = z.object({ status: z.string() });

const NEVER = new AbortController().signal;
const TRIES = 3;
const TIMEOUT_MS = 10_000;
const RETRY_MS = 1000;
/** Far more than any job has. */
const MOST_BYTES = 16 * 1024 * 1024;
const MOST_SHOWN = 200;
/** Of an answer that is none of the API's. */
const STRANGE = 422;
const NOT_FOUND = 404;
const TIMED_OUT = 408;
const TOO_MANY = 429;
const FIRST_SERVER_ERROR = 500;

interface Call {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

/** A client of the API. Calls reject with a KelpieError after three tries, each with a limit; one that is refused (4xx) is not tried again. */
export class KelpieApi {
  readonly #options: KelpieApiOptions;
  readonly #url: string;
  readonly #who: { readonly machine_id: string; readonly container_group_id: string };

  constructor(options: KelpieApiOptions) {
    this.#options = options;
    this.#url = options.url.replace(/\/+$/, '');
    this.#who = { machine_id: options.machineId, container_group_id: options.containerGroupId };
  }

  /** Rejects if the API will not have these credentials, or something else answers. */
  async check(): Promise<void> {
    const query = new URLSearchParams({ container_group_id: this.#who.container_group_id, page_size: '1' });
    await this.#read({ method: 'GET', path: `/jobs?${query.toString()}` }, LISTED);
  }

  /** The job that this machine is to run from now on; none if there is none for it. Once the signal is aborted there are no more tries; one that has begun is waited for, because it may bring a job. */
  async work(signal: AbortSignal): Promise<readonly HandedOut[]> {
    return this.#read(
      { method: 'GET', path: `/work?${new URLSearchParams(this.#who).toString()}`, signal },
      HANDED_OUT,
    );
  }

  /** Says that a job runs; its status then. Anything but `running` means that it is not this machine's any more; undefined: there is no such job. */
  async heartbeat(id: string): Promise<string | undefined> {
    try {
      return (await this.#read(this.#report(id, 'heartbeat'), HEARTBEAT)).status;
    } catch (error) {
      if (error instanceof KelpieError && error.status === NOT_FOUND) return undefined;
      throw error;
    }
  }

  /** Tried once: the API believes this from anyone at any time, so it must still be true when it is tried again. */
  async completed(id: string): Promise<void> {
    await this.#call(this.#report(id, 'completed'), 1);
  }

  /** Counts a failure; this machine will not have the job again. Tried once. */
  async failed(id: string): Promise<void> {
    await this.#call(this.#report(id, 'failed'), 1);
  }

  #report(id: string, what: string): Call {
    return { method: 'POST', path: `/jobs/${encodeURIComponent(id)}/${what}`, body: this.#who };
  }

  async #read<Value>(call: Call, schema: z.ZodType<Value>): Promise<Value> {
    const text = await this.#call(call);
    try {
      return schema.parse(JSON.parse(text));
    } catch (error) {
      const reason = error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error);
      throw new KelpieError(`Kelpie ${pathOf(call)}: unexpected answer: ${reason.slice(0, MOST_SHOWN)}`, STRANGE);
    }
  }

  async #call(call: Call, tries = TRIES): Promise<string> {
    const { clock, retryMs = RETRY_MS } = this.#options;
    const { signal = NEVER } = call;
    for (let attempt = 1; ; attempt += 1) {
      const error = await this.#try(call).catch((thrown: unknown) => new KelpieError(reasonOf(thrown)));
      if (typeof error === 'string') return error;
      if (attempt === tries || isFinal(error.status) || signal.aborted)
        throw new KelpieError(`Kelpie ${pathOf(call)}: ${error.message}`, error.status);
      await waitOrStop(clock, attempt * retryMs, signal);
    }
  }

  /** The text of the answer, or how the call was refused. Rejects if there is no answer. */
  async #try({ method, path, body }: Call): Promise<string | KelpieError> {
    const { credentials, timeoutMs = TIMEOUT_MS } = this.#options;
    const response = await fetch(this.#url + path, {
      method,
      headers: { 'Content-Type': 'application/json', ...(await credentials()) },
      body: body === undefined ? null : JSON.stringify(body),
      // A key must not follow to another host.
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await textOf(response);
    return response.ok
      ? text
      : new KelpieError(`status ${response.status} ${text.slice(0, MOST_SHOWN)}`, response.status);
  }
}

function isFinal(status: number | undefined): boolean {
  return status !== undefined && status < FIRST_SERVER_ERROR && status !== TIMED_OUT && status !== TOO_MANY;
}

function pathOf({ path }: Call): string {
  return path.replace(/\?.*/, '');
}

/** `fetch` keeps what has happened in the cause of its error. */
function reasonOf(thrown: unknown): string {
  const cause = thrown instanceof Error ? thrown.cause : undefined;
  if (!(cause instanceof Error)) return messageOf(thrown);
  return `${messageOf(thrown)} (${'code' in cause ? messageOf(cause.code) : cause.message})`;
}

async function textOf({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > MOST_BYTES) throw new Error(`the answer is longer than ${MOST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
