import type { Clock } from '../../core/ticket.ts';
import { messageOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { JobResult } from '../result.ts';
import { LeaseLostError, SourceError, type ClaimedJob, type JobSource } from '../source.ts';
import { waitOrStop } from '../../core/wait.ts';
import { unreachable, type QueueServer } from '../unreachable.ts';
import { KelpieError, type HandedOut, type KelpieApi } from './api.ts';
import type { KelpieNode } from './credentials.ts';

/** A job that Kelpie's API has handed to this machine. */
export interface KelpieJob extends ClaimedJob {
  readonly id: string;
}

export interface KelpieOptions {
  /** The API as an option names it. */
  readonly server: QueueServer;
  readonly api: KelpieApi;
  /** Absent elsewhere than on SaladCloud: where a node would be left, the process ends. */
  readonly node: Pick<KelpieNode, 'reallocate'> | undefined;
  readonly clock: Clock;
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>;
  /** A node that has had no work for so long is left: what looks like no work may be a ban from all jobs. 0: never. */
  readonly idleLimitMs: number;
  /** A node on which so many jobs in a row have failed is left. */
  readonly mostFailures: number;
  /** Wait after an answer without a job; Kelpie's own worker waits 10 s. */
  readonly pollMs: number;
}

/** How long a node that has asked to be replaced waits for that. */
const REPLACED_WITHIN_MS = 300_000;
const MOST_SHOWN = 1000;
/** The API keeps whole seconds: what it takes for the time of a heartbeat may be so much earlier. */
const ROUNDED_MS = 1000;

const FIELDS = ['command', 'arguments', 'environment', 'sync', 'max_failures', 'container_group_id'] as const;
/** How jobs named their buckets before `sync`. */
const LEGACY = ['input_bucket', 'checkpoint_bucket', 'output_bucket'] as const;

/**
 * Jobs of Kelpie's API, as a worker of its own. A job that has had no heartbeat for twice its interval is handed to another machine; the API has
 * neither results nor a way to give a job back. https://github.com/SaladTechnologies/kelpie-api
 */
export class KelpieSource implements JobSource<KelpieJob> {
  readonly name = 'kelpie';
  /** A program may use all of the machine. */
  readonly most = 1;
  readonly leaseMs = leaseOf(30);
  readonly #options: KelpieOptions;
  /** The status of jobs if their report has arrived. */
  readonly #reported = new WeakMap<KelpieJob, 'completed' | 'failed'>();
  /** When there was work last; at first when it was first asked for, since models may be loaded for minutes before. */
  #workedAtMs: number | undefined;
  #failures = 0;

  private constructor(options: KelpieOptions) {
    this.#options = options;
  }

  /** Rejects if the API refuses the credentials. One that cannot be reached now is asked again later. */
  static async open(options: KelpieOptions): Promise<KelpieSource> {
    const { api, server, log } = options;
    try {
      await api.check().catch(unreachable(server));
    } catch (error) {
      const { cause } = error as Error;
      if (cause instanceof KelpieError && cause.status !== undefined && cause.status < 500) throw error;
      log.warn({ reason: messageOf(error) }, 'Kelpie cannot be reached');
    }
    return new KelpieSource(options);
  }

  async claim(_most: number, signal: AbortSignal): Promise<readonly KelpieJob[]> {
    const { api, clock, idleLimitMs, mostFailures, pollMs } = this.#options;
    this.#workedAtMs ??= clock.now();
    if (this.#failures >= mostFailures) return this.#leave(`${this.#failures} jobs in a row have failed`, signal);
    const jobs = await api.work(signal);
    if (jobs.length > 0) {
      this.#workedAtMs = clock.now();
      return jobs.map(claimedOf);
    }
    const idleMs = clock.now() - this.#workedAtMs;
    if (idleLimitMs > 0 && idleMs >= idleLimitMs)
      return this.#leave(`there was no work for ${Math.round(idleMs / 1000)} s`, signal);
    await waitOrStop(clock, pollMs, signal);
    return [];
  }

  async extend({ id }: KelpieJob): Promise<boolean> {
    const status = await this.#options.api.heartbeat(id);
    if (status === 'running') return true;
    this.#options.log.warn({ job: id, status: status ?? 'unknown' }, 'a job is not wanted any more; it is stopped');
    return false;
  }

  async done(job: KelpieJob, result: JobResult): Promise<void> {
    // Each time anew: a report of `completed` would be believed even of a job that was cancelled or is another machine's.
    const { api, clock } = this.#options;
    const askedAtMs = clock.now();
    const status = await api.heartbeat(job.id);
    // A process that stood still between the question and here knows no longer whose it is.
    if (clock.now() - askedAtMs >= (job.leaseMs ?? this.leaseMs))
      throw new Error('Kelpie answered too late to report a job');
    // A report whose answer was lost.
    const isReported = status !== undefined && this.#reported.get(job) === status;
    if (status !== 'running' && !isReported) throw new LeaseLostError();
    if (!isReported) await this.#report(job, result);
    this.#failures = result.kind === 'answered' ? 0 : this.#failures + 1;
    this.#workedAtMs = clock.now();
  }

  async #report(job: KelpieJob, { kind, line }: JobResult): Promise<void> {
    const { api, log } = this.#options;
    if (kind === 'answered') {
      this.#reported.set(job, 'completed');
      await api.completed(job.id);
      return;
    }
    // The API has no place for the reason.
    const reason = Buffer.from(line).toString('utf8').slice(0, MOST_SHOWN);
    log.error({ job: job.id, kind, result: reason }, 'a job has failed');
    this.#reported.set(job, 'failed');
    await api.failed(job.id);
  }

  /** Without heartbeats the API hands it to another machine by itself. */
  giveBack(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Has this node replaced. Rejects with a SourceError, which ends the process, if that cannot be had or does not come; without jobs when the process is stopped. */
  async #leave(reason: string, signal: AbortSignal): Promise<readonly KelpieJob[]> {
    const { node, clock, log } = this.#options;
    try {
      if (node === undefined) throw new Error('only SaladCloud can replace it');
      await node.reallocate(`Kelpie: ${reason}`);
    } catch (error) {
      throw new SourceError(`${reason}, and this node cannot be replaced: ${messageOf(error)}`, { cause: error });
    }
    log.warn({ reason }, 'this node is being replaced');
    await waitOrStop(clock, REPLACED_WITHIN_MS, signal);
    if (!signal.aborted) throw new SourceError(`${reason}, and this node was not replaced`);
    return [];
  }
}

function leaseOf(heartbeatIntervalS: number): number {
  const intervalMs = heartbeatIntervalS * 1000;
  return Math.max(intervalMs, 2 * intervalMs - ROUNDED_MS);
}

function claimedOf(job: HandedOut): KelpieJob {
  const message = Object.fromEntries(FIELDS.flatMap((name) => (isSet(job[name]) ? [[name, job[name]]] : [])));
  const legacy = LEGACY.find((name) => isSet(job[name]) && job[name] !== '');
  return {
    id: job.id,
    bytes: Buffer.from(JSON.stringify({ ...message, compression: Boolean(job['compression']) })),
    place: `job ${job.id}`,
    defaultId: job.id,
    leaseMs: leaseOf(job.heartbeat_interval),
    ...(job.created === undefined ? {} : { sentAtMs: job.created }),
    ...(legacy === undefined || isSet(job['sync'])
      ? {}
      : { problem: `${legacy} is not read: name folders in \`sync\`` }),
  };
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null;
}
