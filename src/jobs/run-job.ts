import type { Config } from '../config/options.ts';
import { systemClock } from '../core/clock.ts';
import type { Clock } from '../core/ticket.ts';
import type { Answer } from '../dialects/shared/operation.ts';
import { ServerError, toServerError, type ErrorCode } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { Cancellation, withSignal } from '../serving/cancellation.ts';
import { Deadline } from '../serving/deadline.ts';
import type { Door } from '../serving/door.ts';
import type { Tracer } from '../tracing/tracer.ts';
import { JobRequester, type NodeFacts } from './job-requester.ts';
import type { FetchedBody, JobPlaces } from './job-places.ts';
import type { Job } from './job.ts';
import { answeredResult, failedResult, storedResult, type JobResult } from './result.ts';

/** Refusals that pass: a job has no client that could come again, so it waits itself. */
const WAITED_FOR: ReadonlySet<ErrorCode> = new Set([
  'QUEUE_FULL',
  'WAIT_TOO_LONG',
  'STARTING',
  'MODEL_UNAVAILABLE',
  'LANE_LOST',
]);

/** Not the job's fault, and not to be waited for here: another server may serve it. */
const GIVEN_BACK: ReadonlySet<ErrorCode> = new Set(['DRAINING', 'FAILED', 'CANCELLED']);

/** A job that has lost so many lanes may be why: it is not tried again here, because lanes that die often end the server. */
const MOST_LANES_LOST = 2;

/** Longest wait before a refused job tries again; it tries earlier when another job has ended. */
const LONGEST_WAIT_MS = 1000;

/** How a job has ended: with an answer or an error; the requester knows its model and its times. */
export type Served =
  | { readonly requester: JobRequester; readonly answer: Answer }
  | { readonly requester: JobRequester; readonly error: ServerError };

/** What a job is waiting for: its inputs, its model, or the storage of its answer. Only the second needs a lane. */
export type JobPhase = 'fetching' | 'serving' | 'storing';

export interface RunOptions {
  readonly cancellation?: Cancellation;
  /** Called when a phase begins; the first is `serving` if nothing is said. */
  readonly onPhase?: (phase: JobPhase) => void;
}

export interface ServeOptions extends RunOptions {
  /** How long it may wait for room; absent: as long as its time limit. */
  readonly waitMs?: number;
}

export interface JobRunnerParts {
  readonly door: Pick<Door, 'enter' | 'walk'>;
  readonly clock: Clock;
  readonly log: Pick<Log, 'error'>;
  /** Time limit of jobs that name none. */
  readonly timeoutMs: number;
  /** Where bodies and answers of jobs may lie; absent: nowhere but in the jobs. */
  readonly places?: JobPlaces | undefined;
  /** Counts jobs that had to wait because the server was full, each once. */
  readonly rejects?: Pick<Metrics['rejects'], 'inc'> | undefined;
  readonly tracer?: Tracer | undefined;
  /** Where this server is, for results; absent where that has no name. */
  readonly node?: { readonly facts: NodeFacts } | undefined;
}

/** Takes jobs through the door. One that is refused because the server is full waits for its turn. */
export class JobRunner {
  readonly #parts: JobRunnerParts;
  readonly #waiting = new Set<() => void>();

  constructor(parts: JobRunnerParts) {
    this.#parts = parts;
  }

  /**
   * The result of a job, be it an answer or an error; an answer with a place of its own is stored there by then. Undefined if it was not served and is to be
   * given back to its source.
   */
  async run(job: Job, options: RunOptions = {}): Promise<JobResult | undefined> {
    const cancellation = options.cancellation ?? new Cancellation();
    const served = await this.serve(job, { ...options, cancellation });
    if (served === undefined) return undefined;
    const { requester } = served;
    if ('error' in served) return failedResult(job.id, requester, served.error);
    if (job.output === undefined) return answeredResult(job.id, requester, served.answer);
    options.onPhase?.('storing');
    const { output } = job;
    try {
      const stored = await withSignal(cancellation, (signal) => this.#places().store(output, served.answer, signal));
      return storedResult(job.id, requester, stored);
    } catch (thrown) {
      return cancellation.cancelled ? undefined : failedResult(job.id, requester, this.#note(thrown, requester));
    }
  }

  /** The same, before it is stored and put into the shape of a result. */
  async serve(
    job: Job,
    { cancellation = new Cancellation(), waitMs = Infinity, onPhase }: ServeOptions = {},
  ): Promise<Served | undefined> {
    const deadline = new Deadline(job.timeoutMs ?? this.#parts.timeoutMs, this.#parts.clock);
    const inputs = new JobInputs(job, onPhase);
    let lanesLost = 0;
    const countOnce = this.#refusalCounter(job);
    try {
      for (;;) {
        const requester = new JobRequester(deadline, cancellation, this.#parts.node?.facts);
        requester.onFetching = (isFetching) => onPhase?.(isFetching ? 'fetching' : 'serving');
        const served = await this.#try(inputs, requester);
        if (served === undefined || 'answer' in served || !WAITED_FOR.has(served.error.code)) return served;
        countOnce(served);
        if (served.error.code === 'LANE_LOST' && ++lanesLost === MOST_LANES_LOST) return served;
        const leftMs = Math.min(deadline.leftMs(), waitMs - deadline.elapsedMs);
        if (leftMs <= 0) return served;
        await this.#turn(Math.min(served.error.retryAfterMs ?? LONGEST_WAIT_MS, LONGEST_WAIT_MS, leftMs));
        if (cancellation.cancelled) return undefined;
      }
    } finally {
      inputs.release();
      this.#wakeOne();
    }
  }

  /** Counts the first refusal of a job because the server is full; it may come again many times. */
  #refusalCounter({ match }: Job): (served: Extract<Served, { error: ServerError }>) => void {
    let isCounted = false;
    return ({ requester, error: { code } }) => {
      if (isCounted || (code !== 'QUEUE_FULL' && code !== 'WAIT_TOO_LONG')) return;
      isCounted = true;
      this.#parts.rejects?.inc({ model: requester.model?.name ?? match.name ?? '', reason: code });
    };
  }

  /** Undefined if it is to be given back. */
  async #try(inputs: JobInputs, requester: JobRequester): Promise<Served | undefined> {
    const { tracer, clock } = this.#parts;
    const traced = tracer?.begin(requester.id, undefined);
    requester.stages = traced?.stages;
    const startMs = clock.now();
    const end = (error?: ServerError): void => {
      const { id, stages, model, items, timing } = requester;
      const { name } = inputs.job.match.operation;
      const times = { startMs, endMs: clock.now() };
      const about = { name: `job ${name}`, kind: 'consumer' as const, attributes: {} };
      tracer?.end({ id, trace: traced?.trace, stages, model, items, timing, error, ...times, ...about });
    };
    try {
      const answer = await this.#answer(inputs, requester);
      end();
      return { requester, answer };
    } catch (thrown) {
      const error = this.#note(thrown, requester);
      if (WAITED_FOR.has(error.code) || GIVEN_BACK.has(error.code)) tracer?.drop(requester.id);
      else end(error);
      return GIVEN_BACK.has(error.code) || requester.cancellation.cancelled ? undefined : { requester, error };
    } finally {
      requester.release();
    }
  }

  async #answer(inputs: JobInputs, requester: JobRequester): Promise<Answer> {
    const { match, output, priority } = inputs.job;
    requester.dialect = match.operation.dialect;
    if (output !== undefined) await this.#places().checkOutput(output);
    const { body, contentType } = await this.#bodyOf(inputs, requester);
    const { door } = this.#parts;
    const entry = door.enter(match.operation, requester, match.name, match.version);
    return door.walk(entry, {
      requester,
      // A copy, because the door is given its bytes, and the job may have to come again.
      body: new Uint8Array(body),
      contentType: contentType ?? 'application/json',
      priority,
      openStream() {
        throw new ServerError('BAD_REQUEST', 'A job is answered whole: leave out `stream`.', { param: 'stream' });
      },
    });
  }

  /** Fetches the body if it lies elsewhere, once. Before the door, so that nothing is held up by a slow storage. */
  async #bodyOf(
    inputs: JobInputs,
    { cancellation, deadline }: JobRequester,
  ): Promise<Pick<Job, 'body' | 'contentType'>> {
    const { bodyAt } = inputs.job;
    if (bodyAt === undefined) return inputs.job;
    inputs.fetched ??= await inputs.fetching(() =>
      withSignal(cancellation, async (signal, end) => {
        const forget = this.#parts.clock.after(deadline.leftMs(), () => end(new ServerError('DEADLINE_EXCEEDED')));
        return this.#places().fetchBody(bodyAt, signal).finally(forget);
      }),
    );
    const { bytes, contentType } = inputs.fetched;
    return { body: bytes, contentType };
  }

  #places(): JobPlaces {
    const { places } = this.#parts;
    if (places === undefined) throw new ServerError('INVALID_INPUT', 'Jobs have no places here.');
    return places;
  }

  #note(thrown: unknown, { id }: JobRequester): ServerError {
    const error = toServerError(thrown);
    if (error.code === 'INTERNAL')
      this.#parts.log.error({ requestId: id, err: error.cause ?? error }, 'a job has failed');
    return error;
  }

  /** Resolves when another job has ended, after `limitMs` at the latest. */
  #turn(limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        forget();
        this.#waiting.delete(wake);
        resolve();
      };
      const forget = this.#parts.clock.after(Math.max(1, limitMs), wake);
      this.#waiting.add(wake);
    });
  }

  #wakeOne(): void {
    const [first] = this.#waiting;
    first?.();
  }
}

/** A job, and its body if that had to be fetched. */
class JobInputs {
  readonly job: Job;
  fetched: FetchedBody | undefined;
  readonly #onPhase: RunOptions['onPhase'];

  constructor(job: Job, onPhase: RunOptions['onPhase']) {
    this.job = job;
    this.#onPhase = onPhase;
  }

  async fetching<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#onPhase?.('fetching');
    try {
      return await work();
    } finally {
      this.#onPhase?.('serving');
    }
  }

  release(): void {
    this.fetched?.release();
  }
}

/** A runner for requests that are jobs. */
export function createJobRunner({ door, log, config, metrics, tracer }: JobServices): JobRunner {
  const { rejects } = metrics;
  return new JobRunner({ door, clock: systemClock, log, timeoutMs: config.JOB_TIMEOUT_MS, rejects, tracer });
}

interface JobServices extends Pick<JobRunnerParts, 'door' | 'log' | 'tracer'> {
  readonly config: Pick<Config, 'JOB_TIMEOUT_MS'>;
  readonly metrics: Pick<Metrics, 'rejects'>;
}
