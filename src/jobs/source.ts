import type { Cancellation } from '../serving/cancellation.ts';
import type { JobResult } from './result.ts';

/** Where jobs come from: a file, or a queue that many servers share. */
export interface JobSource<Claimed extends ClaimedJob = ClaimedJob> {
  /** As JOB_SOURCE names it; in logs and metrics. */
  readonly name: string;
  /**
   * Up to `most` jobs, as soon as there is one; none after a while, or when the signal is aborted. Undefined: there will be no more. Rejects if
   * the source cannot be reached, with a SourceError if it never will be.
   */
  claim(most: number, signal: AbortSignal): Promise<readonly Claimed[] | undefined>;
  /** How long a claim lasts unless it is extended; undefined: for ever. */
  readonly leaseMs?: number;
  /** Most jobs to hold at one time; absent: as many as keep the lanes busy. */
  readonly most?: number;
  /** Makes a claim last `leaseMs` from now. False: the job is not this server's any more. Must end well before the lease. */
  extend?(claimed: Claimed): Promise<boolean>;
  /**
   * Stores the result of a job and then takes it off the queue; a failed job may be tried again instead, and one that cannot be served is a dead
   * letter. Called again after it has rejected, unless with a LeaseLostError.
   */
  done(claimed: Claimed, result: JobResult): Promise<void>;
  /** The job was not served; another server may have it, after the delay. */
  giveBack(claimed: Claimed, delayMs: number): Promise<void>;
  /** Called once for each job, when this server is through with it, reported or not. */
  forget?(claimed: Claimed): void;
  /** Called once, when no job is claimed any more. */
  close(): Promise<void>;
}

/** A job that is this server's until its lease ends. */
export interface ClaimedJob {
  /** What its source calls it; absent where it has no name there. */
  readonly jobId?: string;
  /** The message, in the shape that `readJob` reads. */
  readonly bytes: Uint8Array;
  /** Where it stands in its source, e.g. `line 17`, for messages about a job that cannot be read. */
  readonly place?: string;
  /** How long this claim lasts, if not as long as those of its source. */
  readonly leaseMs?: number;
  /** Why the message has no bytes. */
  readonly problem?: string;
  /** What it is called if it has no `custom_id`. */
  readonly defaultId?: string;
  /** The source cancels it when the job is not wanted any more; then it is given back. */
  readonly cancellation?: Cancellation;
  /** Whether a failure is its end; default: it is. */
  readonly isLast?: boolean;
  /** When it was put into its source, as Date.now() tells it. */
  readonly sentAtMs?: number;
  /** Resolves when the job may begin; with false if it is to be given back, because one that comes before it was. */
  readonly turn?: Promise<boolean>;
}

/** The job is not this server's any more, so its result is not stored. */
export class LeaseLostError extends Error {
  constructor() {
    super('the lease of the job was lost');
  }
}

/** Asking the source again would be of no use. */
export class SourceError extends Error {}
