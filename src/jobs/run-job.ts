import type { Clock } from '../core/ticket.ts';
import type { Answer } from '../dialects/shared/operation.ts';
import { ServerError, toServerError, type ErrorCode } from '../errors.ts';
import type { Log } from '../log.ts';
import { Cancellation } from '../serving/cancellation.ts';
import { Deadline } from '../serving/deadline.ts';
import type { Door } from '../serving/door.ts';
import { JobRequester } from './job-requester.ts';
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

/** Longest wait before a refused job tries again; it tries earlier when another job has ended. */
const LONGEST_WAIT_MS = 1000;

export interface JobRunnerParts {
  readonly door: Pick<Door, 'enter' | 'walk'>;
  readonly clock: Clock;
  readonly log: Pick<Log, 'error'>;
  /** Time limit of jobs that name none. */
  readonly timeoutMs: number;
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
    const deadline = new Deadline(job.timeoutMs ?? this.#parts.timeoutMs, this.#parts.clock);
    try {
      for (;;) {
        const requester = new JobRequester(deadline, cancellation);
        const outcome = await this.#try(job, requester);
        if (!(outcome instanceof ServerError)) return outcome;
        const leftMs = deadline.leftMs();
        if (leftMs <= 0) return failedResult(job.id, requester, outcome);
        await this.#turn(Math.min(outcome.retryAfterMs ?? LONGEST_WAIT_MS, LONGEST_WAIT_MS, leftMs));
      }
    } finally {
      this.#wakeOne();
    }
  }

  /** Its result; undefined if it is to be given back; the refusal if it is to be tried again. */
  async #try(job: Job, requester: JobRequester): Promise<JobResult | ServerError | undefined> {
    try {
      return answeredResult(job.id, requester, await this.#answer(job, requester));
    } catch (thrown) {
      const error = this.#note(thrown, requester);
      if (GIVEN_BACK.has(error.code) || requester.cancellation.cancelled) return undefined;
      return WAITED_FOR.has(error.code) ? error : failedResult(job.id, requester, error);
    } finally {
      requester.release();
    }
  }

  async #answer({ match, body, priority }: Job, requester: JobRequester): Promise<Answer> {
    requester.dialect = match.operation.dialect;
    const { door } = this.#parts;
    const entry = door.enter(match.operation, requester, match.name, match.version);
    return door.walk(entry, {
      requester,
      // A copy, because the door is given its bytes, and the job may have to come again.
      body: new Uint8Array(body),
      contentType: 'application/json',
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
