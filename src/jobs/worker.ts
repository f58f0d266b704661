import type { Config } from '../config/options.ts';
import type { Clock } from '../core/ticket.ts';
import { asError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Door } from '../serving/door.ts';
import { JobLoop, type JobEvents } from './loop.ts';
import { JobRunner, type JobRunnerParts } from './run-job.ts';
import type { ClaimedJob, JobSource } from './source.ts';

export interface WorkerParts {
  readonly source: JobSource;
  readonly door: Door;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'jobs' | 'jobsHeld' | 'jobSeconds' | 'jobLeases'>;
  readonly config: Pick<Config, 'JOB_TIMEOUT_MS'>;
  readonly node?: JobRunnerParts['node'];
  /** Most jobs held at one time. */
  readonly most: number;
}

/** Pulls jobs from a queue for a running server. */
export class JobWorker {
  /** Resolves when it has stopped and all its jobs are reported or given back; rejects if its source is gone. */
  readonly ended: Promise<void>;
  readonly #loop: JobLoop<ClaimedJob>;

  /** Begins. */
  constructor({ source, door, clock, log, metrics, config, most, node }: WorkerParts) {
    const runner = new JobRunner({ door, clock, log, timeoutMs: config.JOB_TIMEOUT_MS, node });
    const events = countJobs(metrics, source.name);
    this.#loop = new JobLoop({ source, runner, clock, log, most, events });
    this.ended = this.#loop.run();
    this.ended.catch((error: unknown) =>
      log.error({ source: source.name, err: asError(error) }, 'no more jobs are pulled'),
    );
  }

  /** Claims no more jobs. */
  stop(): void {
    this.#loop.stop();
  }

  /** Gives back what has not been served. */
  giveUp(): void {
    this.#loop.giveUp();
  }
}

function countJobs({ jobs, jobsHeld, jobSeconds, jobLeases }: WorkerParts['metrics'], source: string): JobEvents {
  return {
    claimed: (count) => jobsHeld.inc({ source }, count),
    ended(outcome, heldForMs) {
      jobsHeld.dec({ source });
      jobs.inc({ source, outcome });
      jobSeconds.observe({ source }, heldForMs / 1000);
    },
    extended: (isOurs) => jobLeases.inc({ source, outcome: isOurs ? 'extended' : 'lost' }),
  };
}
