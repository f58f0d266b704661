import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Log } from '../../log.ts';
import { retryDelayMs } from '../backoff.ts';
import type { JobResult } from '../result.ts';
import { LeaseLostError, type JobSource } from '../source.ts';
import { Calls, type Queues } from './calls.ts';
import { clientFor } from './client.ts';
import { isAtLimit, isGone, isRefusal } from './errors.ts';
import { deadLetter, jobsOf, resultMessage, type SqsJob } from './messages.ts';
import { findQueue } from './queues.ts';
import { StoredIds } from './stored.ts';

export interface SqsOptions {
  /** Name or URL. */
  readonly queue: string;
  /** Name or URL of the queue that results go to. */
  readonly results: string;
  readonly leaseMs: number;
  /** A failed job is tried so often, if the queue lets it; then it is a dead letter. */
  readonly attempts: number;
  readonly log: Pick<Log, 'info' | 'warn'>;
  /** Longest wait for a message, at most 20 s. */
  readonly waitMs?: number;
}

const MOST_MESSAGES = 10;
/** A poll is never cut off, so this is how long a server that has nothing to do takes to stop. */
const WAIT_MS = 10_000;
const LONGEST_CALL_MS = 10_000;
const SHORTEST_CALL_MS = 1000;
/** A message can be in flight for so long, and no longer. */
const LONGEST_FLIGHT_MS = 12 * 3_600_000;
/** Visibility timeout of a job whose result is about to be stored. */
const CLOSING_MS = 60_000;
const MOST_STORED = 10_000;

/**
 * Jobs in an SQS queue, standard or FIFO, each the body of a message. Results go to another queue. A message that is received is nobody else's until its
 * visibility timeout ends. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/
 */
export class SqsSource implements JobSource<SqsJob> {
  readonly name = 'sqs';
  readonly leaseMs: number;
  readonly #options: SqsOptions;
  readonly #calls: Calls;
  readonly #queues: Queues;
  readonly #stored = new StoredIds(MOST_STORED);
  #attempt = randomUUID();
  /** What the last poll brings after the end. */
  #rest: Promise<unknown> | undefined;

  private constructor(options: SqsOptions, calls: Calls, queues: Queues) {
    this.#options = options;
    this.#calls = calls;
    this.#queues = queues;
    this.leaseMs = options.leaseMs;
  }

  /** Looks up the queues. Rejects if one is not there, or may not be used. */
  static async open(options: SqsOptions): Promise<SqsSource> {
    const { queue, results, leaseMs, log } = options;
    if (leaseMs > LONGEST_FLIGHT_MS) throw new Error('JOB_LEASE_MS: SQS knows no lease of more than 12 hours');
    if (results === '') throw new Error('JOB_RESULTS_QUEUE: name the queue that results go to: SQS keeps none');
    const sqs = clientFor(queue);
    try {
      const [jobs, ends] = await Promise.all([findQueue(sqs, queue), findQueue(sqs, results)]);
      if (jobs.url === ends.url) throw new Error('JOB_RESULTS_QUEUE: results would be jobs, being in the same queue');
      const dead = jobs.redrive === undefined ? undefined : await findQueue(sqs, jobs.redrive.url);
      const found = { jobs, results: ends, dead };
      tellQueues(found, log);
      // Far below the lease, so that an extension that hangs can be tried again.
      const limitMs = Math.min(LONGEST_CALL_MS, Math.max(SHORTEST_CALL_MS, leaseMs / 10));
      return new SqsSource(options, new Calls(sqs, found, limitMs), found);
    } catch (error) {
      sqs.destroy();
      throw error;
    }
  }

  async claim(most: number, signal: AbortSignal): Promise<readonly SqsJob[]> {
    if (signal.aborted) return [];
    const poll = this.#receive(most);
    const forget = new AbortController();
    const ended = once(signal, 'abort', { signal: forget.signal }).catch(() => undefined);
    const jobs = await Promise.race([poll, ended.then(() => undefined)]).finally(() => forget.abort());
    if (jobs !== undefined) return jobs;
    // Messages on their way to a call that is cut off would be nobody's until their visibility timeout has ended.
    this.#rest = poll.then((late) => Promise.all(late.map((job) => this.giveBack(job, 0)))).catch(() => undefined);
    return [];
  }

  async extend(job: SqsJob): Promise<boolean> {
    const { leaseMs } = this;
    try {
      if (Date.now() + leaseMs > job.claimedAtMs + LONGEST_FLIGHT_MS) this.#stopAtLimit(job);
      await this.#calls.setVisibility(job, leaseMs);
      return true;
    } catch (error) {
      if (isGone(error)) return false;
      if (isAtLimit(error)) this.#stopAtLimit(job);
      throw error;
    }
  }

  async done(job: SqsJob, result: JobResult): Promise<void> {
    if (result.kind === 'failed' && job.isLast === false) {
      await this.giveBack(job, retryDelayMs(job.deliveries));
      return;
    }
    await this.#stored.once(job.id, () => this.#store(job, result));
    await this.#delete(job);
    job.leave(true);
  }

  async giveBack(job: SqsJob, delayMs: number): Promise<void> {
    try {
      await this.#calls.setVisibility(job, delayMs);
    } catch (error) {
      if (!isGone(error)) throw error;
    }
    job.leave(false);
  }

  forget(job: SqsJob): void {
    job.leave(false);
  }

  async close(): Promise<void> {
    await this.#rest;
    this.#calls.close();
  }

  async #receive(most: number): Promise<readonly SqsJob[]> {
    const { jobs } = this.#queues;
    const { waitMs = WAIT_MS } = this.#options;
    const claimedAtMs = Date.now();
    const asked = { most: Math.min(most, MOST_MESSAGES), waitMs, visibilityMs: this.leaseMs, attempt: this.#attempt };
    try {
      const messages = await this.#calls.receive(asked);
      this.#attempt = randomUUID();
      return jobsOf(messages, jobs, claimedAtMs).flatMap((job) => this.#wanted(job));
    } catch (error) {
      if (isRefusal(error)) this.#attempt = randomUUID();
      throw error;
    }
  }

  /** None if its result is stored: it only has to go. A job that ends the process that runs it is a dead letter after its attempts. */
  #wanted(job: SqsJob): readonly SqsJob[] {
    const { deliveries, id } = job;
    if (this.#stored.has(id)) {
      void this.#delete(job)
        .then(() => job.leave(true))
        .catch(() => job.leave(false));
      return [];
    }
    const { attempts } = this.#options;
    const most = Math.min(attempts, this.#queues.jobs.redrive?.maxReceives ?? Infinity);
    const known = { ...job, isLast: deliveries >= most };
    if (deliveries <= attempts) return [known];
    return [{ ...known, problem: `it was received ${deliveries - 1} times, and no server has told how it ended` }];
  }

  async #store(job: SqsJob, result: JobResult): Promise<void> {
    const { dead, results } = this.#queues;
    await this.#confirm(job);
    const isDead = result.kind === 'failed' || result.kind === 'unreadable';
    if (isDead && dead !== undefined) await this.#calls.sendDeadLetter(deadLetter(job, result, dead));
    else await this.#calls.sendResult(resultMessage(job, result, results));
  }

  /**
   * Makes sure that the job is still this server's. If this server dies before it can delete the job, that comes again soon, and a FIFO queue still knows
   * its result, for five minutes.
   */
  async #confirm(job: SqsJob): Promise<void> {
    try {
      await this.#calls.setVisibility(job, Math.min(CLOSING_MS, this.leaseMs));
    } catch (error) {
      if (isGone(error)) throw new LeaseLostError();
      if (!isAtLimit(error)) throw error;
    }
  }

  async #delete(job: SqsJob): Promise<void> {
    try {
      await this.#calls.delete(job);
    } catch (error) {
      throw isGone(error) ? new LeaseLostError() : error;
    }
  }

  /** Stops a job that SQS lets nobody keep for longer, while it is still this server's. Throws. */
  #stopAtLimit({ cancellation, place }: SqsJob): never {
    if (!cancellation.cancelled)
      this.#options.log.warn({ job: place }, 'a job has taken 12 hours, the most that SQS allows: it is given back');
    cancellation.cancel();
    throw new Error('SQS keeps no message in flight for more than 12 hours');
  }
}

function tellQueues({ jobs, results, dead }: Queues, log: SqsOptions['log']): void {
  const names = { queue: jobs.name, results: results.name, deadLetters: dead?.name };
  log.info({ ...names, maxReceiveCount: jobs.redrive?.maxReceives }, 'queues of SQS found');
  if (dead === undefined)
    log.warn({ queue: jobs.name }, 'the queue has no dead-letter queue: jobs that cannot be served go to the results');
}
