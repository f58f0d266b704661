import { createHash, webcrypto } from 'node:crypto';
import type { Match } from '../dialects/operation-table.ts';
import { ServerError, toServerError } from '../errors.ts';
import type { Job } from '../jobs/job.ts';
import { jsonOf } from '../jobs/result.ts';
import { createJobRunner, type JobRunner, type Served } from '../jobs/run-job.ts';
import { Cancellation, withSignal } from '../serving/cancellation.ts';
import { readBody } from './body.ts';
import type { Exchange } from './exchange.ts';
import { header } from './headers.ts';
import { limitsOf, readPriority, readTimeLimit } from './inference.ts';
import type { Services } from './services.ts';
import { StoredReplies, type JobReply } from './stored-replies.ts';

/** SaladCloud's queue takes no larger results: an attempt that ends with one is lost, and the work is done four times. */
const MOST_REPLY_BYTES = 10_000_000;
/** A job comes again within minutes, if it does: the worker's own retries of a report take up to two. */
const KEPT_MS = 600_000;
/** Statuses that end a job; 408, 429 and 5xx make the platform try it again. */
const FIRST_RETRIED = 500;
const RETRIED: ReadonlySet<number> = new Set([408, 429]);

/**
 * Jobs of SaladCloud's queue, as its worker program brings them: `POST` with `Salad-Job-Id`, without a time limit, again at once if it is refused, and
 * four times in all. So a job waits for room; and one that comes again joins the run under way, or gets the reply that was sent.
 */
export class QueueJobs {
  readonly #services: QueueServices;
  readonly #runner: JobRunner;
  readonly #runs = new Map<string, JobRun>();
  readonly #replies: StoredReplies;

  constructor(services: QueueServices) {
    this.#services = services;
    this.#runner = createJobRunner(services);
    this.#replies = new StoredReplies({ limitBytes: services.config.JOB_REPLIES_BYTES, keptMs: KEPT_MS });
  }

  /** Answers an attempt of a job, always as JSON. Rejects with what it is refused with. */
  async serve(exchange: Exchange, id: string, match: Match): Promise<void> {
    const { request } = exchange;
    const hasLimit = header(request, 'x-request-timeout-ms') !== undefined;
    readTimeLimit(exchange);
    const priority = readPriority(exchange);
    const { mostBodyBytes } = this.#services.door.models.resolve(match.operation);
    const { bytes: body, release } = await readBody(request, limitsOf(exchange, this.#services, mostBodyBytes));
    const key = await keyOf(exchange.path, { id, body });
    const stored = this.#replies.get(key);
    let run = this.#runs.get(key);
    if (run === undefined && stored === undefined && !exchange.cancellation.cancelled) {
      const timeoutMs = hasLimit ? Math.max(1, exchange.deadline.leftMs()) : undefined;
      const contentType = request.headers['content-type'];
      run = this.#begin(key, { id, match, body, contentType, priority, timeoutMs }, release);
    } else release();
    if (stored !== undefined) reply(exchange, stored);
    else if (run !== undefined) reply(exchange, await this.#join(run, exchange));
  }

  /** Begins a run, for whoever joins it. */
  #begin(key: string, job: Job, release: () => void): JobRun {
    const { config } = this.#services;
    const cancellation = new Cancellation();
    const forget = (): void => {
      if (this.#runs.get(key) === run) this.#runs.delete(key);
    };
    const served = this.#runner.serve(job, { cancellation, waitMs: config.JOB_WAIT_MS }).finally(() => {
      release();
      forget();
    });
    const reply = served.then((end) => withSignal(cancellation, (signal) => this.#replyOf(end, key, signal)));
    const run: JobRun = { served, reply, cancellation, forget, attempts: 0 };
    this.#runs.set(key, run);
    reply.then(
      (told) => {
        if (isFinal(told)) this.#replies.set(key, told);
      },
      () => undefined,
    );
    return run;
  }

  /** The reply of a run; a run that all its attempts have left is dropped. */
  async #join(run: JobRun, exchange: Exchange): Promise<JobReply> {
    const { socket } = exchange.request;
    const leave = {
      cancel: (): void => {
        run.attempts -= 1;
        if (run.attempts > 0) return;
        run.forget();
        run.cancellation.cancel();
      },
    };
    run.attempts += 1;
    exchange.cancellation.add(leave);
    // Nothing moves on the connection until the job has ended, which has limits of its own.
    const idleMs = socket.timeout ?? 0;
    socket.setTimeout(0);
    try {
      const served = await run.served;
      if (served !== undefined) tell(exchange, served);
      return await run.reply;
    } finally {
      exchange.cancellation.remove(leave);
      socket.setTimeout(idleMs);
    }
  }

  async #replyOf(served: Served | undefined, key: string, signal: AbortSignal): Promise<JobReply> {
    if (served === undefined) throw this.#services.door.unready() ?? new ServerError('CANCELLED');
    const { dialect } = served.requester;
    if ('error' in served) return { error: served.error, dialect };
    const json = Buffer.concat(jsonOf(served.answer));
    if (json.byteLength <= MOST_REPLY_BYTES) return { json };
    const { JOB_OUTPUT } = this.#services.config;
    if (JOB_OUTPUT === '') return { error: tooLarge(json.byteLength), dialect };
    try {
      const place = `${JOB_OUTPUT.replace(/\/*$/, '/')}${nameOf(key)}.json`;
      const answer = { contentType: 'application/json', chunks: [json] };
      const stored = await this.#services.jobPlaces.store({ place }, answer, signal);
      return { json: Buffer.from(JSON.stringify(stored)) };
    } catch (error) {
      return { error: toServerError(error), dialect };
    }
  }
}

type QueueServices = Pick<Services, 'config' | 'budget' | 'door' | 'log' | 'metrics' | 'jobPlaces'>;

/** A job under way, and how many attempts wait for it. */
interface JobRun {
  /** Undefined: not served. */
  readonly served: Promise<Served | undefined>;
  readonly reply: Promise<JobReply>;
  readonly cancellation: Cancellation;
  /** The next attempt begins anew. */
  readonly forget: () => void;
  attempts: number;
}

/** An id alone would answer another body under the same id with an old reply. Computed off the main thread. */
async function keyOf(path: string, { id, body }: { id: string; body: Uint8Array }): Promise<string> {
  const digest = await webcrypto.subtle.digest('SHA-256', body);
  return `${id} ${path} ${Buffer.from(digest).toString('base64url')}`;
}

/** A name for the answer of a run: the job's id, as far as a file may be called so, and what makes it its own. */
function nameOf(key: string): string {
  const [id = ''] = key.split(' ', 1);
  const digest = createHash('sha256').update(key).digest('base64url').slice(0, 16);
  return `${id.replace(/[^\w.-]/g, '_').slice(0, 100)}-${digest}`;
}

/** Copies what a run has found out to an exchange, for its headers, metrics and log line. */
function tell(exchange: Exchange, { requester }: Served): void {
  const { model, timing, items, ignored } = requester;
  exchange.model = model;
  exchange.timing = timing;
  exchange.items = items;
  if (ignored.length > 0) exchange.tellIgnored(ignored);
}

function reply(exchange: Exchange, told: JobReply): void {
  if ('json' in told) exchange.send({ contentType: 'application/json', chunks: [told.json] });
  else {
    exchange.dialect = told.dialect;
    exchange.fail(told.error);
  }
}

/** Whether the platform takes the reply as the end of the job. */
function isFinal(told: JobReply): boolean {
  return 'json' in told || (told.error.status < FIRST_RETRIED && !RETRIED.has(told.error.status));
}

/** 413, which ends the job: another attempt would have the same answer. */
function tooLarge(bytes: number): ServerError {
  return new ServerError(
    'TOO_LARGE',
    `The answer has ${bytes} bytes, and a job's result may have ${MOST_REPLY_BYTES} at most: ask for less in one job, or set JOB_OUTPUT.`,
  );
}
