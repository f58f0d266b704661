import type { Config } from '../config/options.ts';
import { systemClock } from '../core/clock.ts';
import type { Clock } from '../core/ticket.ts';
import type { Answer } from '../dialects/shared/operation.ts';
import { ServerError, toServerError, type ErrorCode } from '../errors.ts';
import type { Log } from '../log.ts';
import { Cancellation } from '../serving/cancellation.ts';
import { Deadline } from '../serving/deadline.ts';
import type { Door } from '../serving/door.ts';
import { JobRequester, type NodeFacts } from './job-requester.ts';
import type { Job } from './job.ts';
import { answeredResult, failedResult, type JobResult } from './result.ts';

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

export interface ServeOptions {
  readonly cancellation?: Cancellation;
  /** How long it may wait for room; absent: as long as its time limit. */
  readonly waitMs?: number;
}

export interface JobRunnerParts {
  readonly door: Pick<Door, 'enter' | 'walk'>;
  readonly clock: Clock;
  readonly log: Pick<Log, 'error'>;
  /** Time limit of jobs that name none. */
  readonly timeoutMs: number;
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

  /** The result of a job, be it an answer or an error. Undefined if it was not served and is to be given back to its source. */
  async run(job: Job, cancellation = new Cancellation()): Promise<JobResult | undefined> {
    const served = await this.serve(job, { cancellation });
    if (served === undefined) return undefined;
    const { requester } = served;
    return 'answer' in served
      ? answeredResult(job.id, requester, served.answer)
      : failedResult(job.id, requester, served.error);
  }

  /** The same, before it is put into the shape of a result. */
  async serve(
    job: Job,
    { cancellation = new Cancellation(), waitMs = Infinity }: ServeOptions = {},
  ): Promise<Served | undefined> {
    const deadline = new Deadline(job.timeoutMs ?? this.#parts.timeoutMs, this.#parts.clock);
    let lanesLost = 0;
    try {
      for (;;) {
        const requester = new JobRequester(deadline, cancellation, this.#parts.node?.facts);
        const served = await this.#try(job, requester);
        if (served === undefined || 'answer' in served || !WAITED_FOR.has(served.error.code)) return served;
        if (served.error.code === 'LANE_LOST' && ++lanesLost === MOST_LANES_LOST) return served;
        const leftMs = Math.min(deadline.leftMs(), waitMs - deadline.elapsedMs);
        if (leftMs <= 0) return served;
        await this.#turn(Math.min(served.error.retryAfterMs ?? LONGEST_WAIT_MS, LONGEST_WAIT_MS, leftMs));
        if (cancellation.cancelled) return undefined;
      }
    } finally {
      this.#wakeOne();
    }
  }

  /** Undefined if it is to be given back. */
  async #try(job: Job, requester: JobRequester): Promise<Served | undefined> {
    try {
      return { requester, answer: await this.#answer(job, requester) };
    } catch (thrown) {
      const error = this.#note(thrown, requester);
      return GIVEN_BACK.has(error.code) || requester.cancellation.cancelled ? undefined : { requester, error };
    } finally {
      requester.release();
    }
  }

  async #answer({ match, body, contentType, priority }: Job, requester: JobRequester): Promise<Answer> {
    requester.dialect = match.operation.dialect;
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

/** A runner for requests that are jobs. */
export function createJobRunner({ door, log, config }: JobServices): JobRunner {
  return new JobRunner({ door, clock: systemClock, log, timeoutMs: config.JOB_TIMEOUT_MS });
}

interface JobServices extends Pick<JobRunnerParts, 'door' | 'log'> {
  readonly config: Pick<Config, 'JOB_TIMEOUT_MS'>;
}
