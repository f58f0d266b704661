import { CarpoolError, isRecord } from './errors.ts';
import { type CallOptions, jsonCall, pause, type Transport } from './transport.ts';

/** A job to be served later (docs/jobs.md, A job and its result). */
export interface JobRequest {
  /** Path of an operation: `/v1/embeddings`. */
  readonly url: string;
  readonly body: unknown;
  readonly custom_id?: string;
  readonly priority?: 1 | 2 | 3;
  readonly timeout_ms?: number;
  /** Where the answer goes: `s3://bucket/key`, or a URL to PUT it to. */
  readonly output?: string | { readonly url: string };
  readonly webhook?: string;
}

export type JobStatus = 'waiting' | 'running' | 'completed' | 'failed' | 'cancelled';

/** A job as the server knows it. Times are seconds since 1970. */
export interface Job {
  readonly id: string;
  readonly status: JobStatus;
  readonly attempts: number | null;
  readonly custom_id?: string | null;
  readonly created_at?: number;
  /** The line of the result, with the answer in `response.body`; null before the end. */
  readonly result?: JobResult | null;
}

export interface JobResult {
  readonly custom_id: string | null;
  readonly response: { readonly status_code: number; readonly body: unknown } | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** Which jobs a list holds. */
export interface JobPage {
  readonly status?: JobStatus;
  readonly limit?: number;
  /** The `last_id` of the page before. */
  readonly after?: string;
}

export interface WaitOptions extends CallOptions {
  /** Time between two looks. Default 1000. */
  readonly pollMs?: number;
}

const ENDED: ReadonlySet<string> = new Set(['completed', 'failed', 'cancelled']);
const POLL_MS = 1000;

/** The jobs of a server with `JOBS_DIR`, or with a queue that it shares. */
export class Jobs {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Hands in a job. It gets an idempotency key, so that trying again never makes a second one; a key of the caller's does so across calls. */
  async submit(job: JobRequest, options: CallOptions & { readonly idempotencyKey?: string } = {}): Promise<Job> {
    const { headers, ...call } = jsonCall(job, options);
    const key = options.idempotencyKey ?? job.custom_id ?? randomKey();
    return (await this.#transport.json('/v1/jobs', {
      ...call,
      headers: { ...headers, 'idempotency-key': key },
    })) as Job;
  }

  async get(id: string, options: CallOptions = {}): Promise<Job> {
    return (await this.#transport.json(`/v1/jobs/${encodeURIComponent(id)}`, { options })) as Job;
  }

  /** Cancels a job that has not ended; forgets one that has. */
  async delete(id: string, options: CallOptions = {}): Promise<void> {
    await this.#transport.json(`/v1/jobs/${encodeURIComponent(id)}`, { method: 'DELETE', options });
  }

  /** One page of jobs, the newest first. */
  async list(
    page: JobPage = {},
    options: CallOptions = {},
  ): Promise<{ readonly data: readonly Job[]; readonly last_id: string | null; readonly has_more: boolean }> {
    const query = new URLSearchParams(
      Object.entries(page).map(([name, value]): [string, string] => [name, String(value)]),
    );
    return (await this.#transport.json(`/v1/jobs?${query.toString()}`, { options })) as never;
  }

  /** Looks at a job until it has ended. Throws a CarpoolError when the time is up (`timeoutMs`, by default the client's); the job goes on. */
  async wait(id: string, { pollMs = POLL_MS, timeoutMs, ...options }: WaitOptions = {}): Promise<Job> {
    const end = Date.now() + (timeoutMs ?? this.#transport.timeoutMs);
    for (;;) {
      const job = await this.get(id, options);
      if (ENDED.has(job.status)) return job;
      if (Date.now() + pollMs > end)
        throw new CarpoolError(`Job ${id} is ${job.status} still.`, { status: 0, code: 'NO_REPLY', retryable: true });
      await pause(pollMs, options.signal);
    }
  }

  /** Hands in a job, waits for its end, and gives its answer. Throws a CarpoolError for a job that failed. */
  async run(job: JobRequest, options: WaitOptions = {}): Promise<unknown> {
    const { id } = await this.submit(job, options);
    const { status, result } = await this.wait(id, options);
    const { response, error } = result ?? { response: null, error: null };
    if (status === 'completed' && response !== null) return response.body;
    const body = isRecord(response?.body) ? response.body : {};
    const message = error?.message ?? (typeof body['error'] === 'string' ? body['error'] : `Job ${id} is ${status}.`);
    const code = error?.code ?? (typeof body['code'] === 'string' ? body['code'] : status.toUpperCase());
    throw new CarpoolError(message, { status: response?.status_code ?? 0, code, retryable: false });
  }
}

/** `crypto.randomUUID` exists in secure contexts only. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
