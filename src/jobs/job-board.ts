import { ServerError } from '../errors.ts';

/** `waiting` and `running` are to be served; the others have ended. `failed`: refused, or a dead letter after all its tries. */
export const JOB_STATUSES = ['waiting', 'running', 'completed', 'failed', 'cancelled'] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

/** What clients may know of a job beside its result. Times are of the wall clock. */
export interface JobFacts {
  readonly id: string;
  readonly customId: string | null;
  /** Name of the API key that it came with; null: it came without. */
  readonly owner: string | null;
  readonly status: JobStatus;
  /** Tries that have begun; null: the queue does not tell. */
  readonly attempts: number | null;
  readonly priority: number;
  readonly createdMs: number;
  /** Null: it has not ended. */
  readonly endedMs: number | null;
}

/** What a sender says of a job. */
export interface NewJob {
  readonly bytes: Uint8Array;
  readonly customId: string | null;
  /** Another job with the same key is this one; null: it has none. */
  readonly key: string | null;
  /** Absent: the default. */
  readonly priority: number | undefined;
  /** Where its end is told; null: nowhere. */
  readonly webhook: string | null;
  /** Name of the API key that it comes with; absent: it comes without. */
  readonly owner?: string | null;
}

export interface JobList {
  readonly most: number;
  readonly after?: string | undefined;
  readonly status?: JobStatus | undefined;
  /** Of this owner alone. */
  readonly owner?: string | undefined;
  /** Name of the API key that asks; absent: there are no keys. */
  readonly asker?: string | undefined;
}

export interface JobPage {
  /** The newest first. */
  readonly jobs: readonly JobFacts[];
  /** The `after` of the next page, where the board has looked at so many jobs that it stopped before it had found enough of them. */
  readonly after?: string;
}

/** Takes jobs from clients and tells them what became of them. All methods reject with STORAGE_UNAVAILABLE where it cannot be reached. */
export interface JobBoard {
  /** Resolves when the job is sure to be served; with the one of its key, if there is one. Rejects with QUEUE_FULL, TOO_LARGE, INVALID_INPUT if another message has its key. */
  add(job: NewJob): Promise<JobFacts>;
  /** Rejects with NOT_FOUND. */
  find(id: string): Promise<JobFacts>;
  /** A line of OpenAI's batch output; undefined if the job has none. */
  resultOf(id: string): Promise<Uint8Array | undefined>;
  /** Up to `most` jobs, the newest first, from the one before `after`. Rejects with BAD_REQUEST where jobs cannot be listed, or not for who asks. A board that many share lists the asker's alone. */
  list(which: JobList): Promise<JobPage>;
  /** Ends a job that has not ended; forgets one that has. Resolves with what it was or has become. Rejects with NOT_FOUND. */
  cancel(id: string): Promise<JobFacts>;
}

/** Says that there is no such job. */
export function noJob(id: string): ServerError {
  return new ServerError(
    'NOT_FOUND',
    `There is no job ${id.slice(0, 80)} of POST /v1/jobs; results are kept for JOB_RESULT_TTL_MS.`,
  );
}

export function hasEnded({ status }: Pick<JobFacts, 'status'>): boolean {
  return status !== 'waiting' && status !== 'running';
}
