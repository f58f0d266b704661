import type { Config } from '../config/options.ts';
import type { Clock } from '../core/ticket.ts';
import { asError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import type { Door } from '../serving/door.ts';
import type { CommandRunner } from './command-job.ts';
import type { JobPlaces } from './job-places.ts';
import { JobLoop, type JobEvents } from './loop.ts';
import type { JobMap } from './map/job-map.ts';
import { JobRunner, type JobRunnerParts } from './run-job.ts';
import type { ClaimedJob, JobSource } from './source.ts';
import type { Outbox } from './webhooks/outbox.ts';

export interface WorkerParts {
  readonly source: JobSource;
  readonly door: Door;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'jobs' | 'jobsHeld' | 'oldestJobSeconds' | 'jobSeconds' | 'jobLeases' | 'rejects'>;
  readonly config: Pick<Config, 'JOB_TIMEOUT_MS' | 'JOB_PREFETCH'>;
  readonly node?: JobRunnerParts['node'];
  readonly tracer?: JobRunnerParts['tracer'];
  readonly places: JobPlaces;
  /** Absent: jobs that run commands are not served. */
  readonly commands?: CommandRunner | undefined;
  /** Tells the ends of jobs; absent: the source does. */
  readonly outbox?: Pick<Outbox, 'send'> | undefined;
  /** Most jobs held at one time. */
  readonly most: number;
  /** Turns the messages into jobs; closed at the end. */
  readonly map?: JobMap | undefined;
}

/** Pulls jobs from a queue for a running server. */
export class JobWorker {
  /** Resolves when it has stopped and all its jobs are reported or given back; rejects if its source is gone. */
  readonly ended: Promise<void>;
  readonly #loop: JobLoop<ClaimedJob>;
  readonly #metrics: Pick<Metrics, 'oldestJobSeconds'>;
  readonly #source: string;

  /** Begins. */
  constructor({ source, door, clock, log, metrics, config, commands, most, node, places, map, ...parts }: WorkerParts) {
    this.#metrics = metrics;
    this.#source = source.name;
    const runner = new JobRunner({
      door,
      clock,
      log,
      timeoutMs: config.JOB_TIMEOUT_MS,
      node,
      places,
      rejects: metrics.rejects,
      tracer: parts.tracer,
    });
    const events = countJobs(metrics, source.name);
    this.#loop = new JobLoop({
      source,
      runner,
      commands,
      clock,
      log,
      most,
      prefetch: config.JOB_PREFETCH,
      map,
      events,
      outbox: parts.outbox,
    });
    this.ended = this.#loop.run().finally(() => map?.close());
    this.ended.catch((error: unknown) =>
      log.error({ source: source.name, err: asError(error) }, 'no more jobs are pulled'),
    );
  }

  /** Sets the gauges that are not kept up to date by events, before a scrape. */
  refreshGauges(): void {
    const { oldestAtMs = Date.now() } = this.#loop;
    this.#metrics.oldestJobSeconds.set({ source: this.#source }, Math.max(0, Date.now() - oldestAtMs) / 1000);
  }

  /** What it would cost to lose the commands that run. */
  get commandCost(): number {
    return this.#loop.commandCost;
  }

  /** Holds only a part of as many jobs as it could: above 0, up to 1. */
  limit(part: number): void {
    this.#loop.limit(part);
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
    lease: (outcome) => jobLeases.inc({ source, outcome }),
  };
}
