import type { Clock } from '../core/ticket.ts';
import { asError, messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { Cancellation } from '../serving/cancellation.ts';
import { CommandCosts } from './command-costs.ts';
import {
  readCommandJob,
  type CommandJob,
  type CommandPhase,
  type CommandRunner,
  type CommandServed,
} from './command-job.ts';
import { JobError, readJob, type Job } from './job.ts';
import { jsonMembersInTurns } from '../json-members.ts';
import { Lease } from './lease.ts';
import type { JobMap } from './map/job-map.ts';
import { unreadResult, type JobResult, type ResultKind } from './result.ts';
import { JobRoom } from './room.ts';
import type { JobPhase, JobRunner, RunOptions } from './run-job.ts';
import { endMessageOf } from './webhooks/end-message.ts';
import type { Outbox } from './webhooks/outbox.ts';
import { LeaseLostError, SourceError, type ClaimedJob, type JobSource } from './source.ts';
import { waitOrStop } from '../core/wait.ts';

/** The wait before the second try of a claim or a report, which doubles. */
const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 30_000;
/** A report is tried for as long as a lease, and at least for so long: a job may have run for hours when its source is away for a moment. */
const SHORTEST_REPORT_MS = 10_000;
/** Jobs that are given back are somebody else's at once: this server is about to stop. */
const GIVE_BACK_DELAY_MS = 0;

export interface JobLoopParts<Claimed extends ClaimedJob> {
  readonly source: JobSource<Claimed>;
  readonly runner: Pick<JobRunner, 'run'>;
  /** Absent: jobs that run commands are not served. */
  readonly commands?: CommandRunner | undefined;
  /** Turns the messages of the source into jobs; absent: they are jobs. */
  readonly map?: Pick<JobMap, 'serve'> | undefined;
  readonly clock: Clock;
  readonly log: Pick<Log, 'warn' | 'error'>;
  /** Most jobs held for the lanes at one time: those that run, and those whose turn comes next. */
  readonly most: number;
  /** Jobs whose inputs are fetched beside those; default: none. */
  readonly prefetch?: number;
  readonly events?: JobEvents;
  /** Tells the ends of jobs that name a webhook; absent: the source does, or nobody. */
  readonly outbox?: Pick<Outbox, 'send'> | undefined;
}

/** What becomes of a job here. `given_back`: not served. `lost`: its lease ended before it did, or its end could not be reported. */
export type JobOutcome = ResultKind | 'given_back' | 'lost';

/** Called with what happens to jobs, for metrics. */
export interface JobEvents {
  claimed(jobs: number): void;
  ended(outcome: JobOutcome, heldForMs: number): void;
  /** What became of an attempt to extend a lease. */
  lease(outcome: LeaseOutcome): void;
}

/** `failed`: it could not be said whether it was extended; that is asked again. `lost`: the job is not this server's any more. */
export type LeaseOutcome = 'extended' | 'failed' | 'lost';

/** Claims jobs from a source while there is room for them, has them served, and reports each once. */
export class JobLoop<Claimed extends ClaimedJob> {
  readonly #parts: JobLoopParts<Claimed>;
  readonly #stop = new AbortController();
  readonly #cancellation = new Cancellation();
  /** Since when each was waiting: from its sending where that is known, else from its claim. */
  readonly #held = new Map<Claimed, number>();
  readonly #room: JobRoom;
  readonly #costs = new CommandCosts<Cancellation>();
  #isExhausted = false;
  #areAllReported = true;
  #failure: Error | undefined;

  constructor(parts: JobLoopParts<Claimed>) {
    this.#parts = parts;
    this.#room = new JobRoom(parts.most, parts.prefetch);
  }

  /** Whether every job of the source has been reported; once `run` has resolved. */
  get isExhausted(): boolean {
    return this.#isExhausted && this.#areAllReported;
  }

  /** When the oldest of the jobs held was sent, or claimed where that is not known, as Date.now() tells it; undefined: none is held. */
  get oldestAtMs(): number | undefined {
    return this.#held.size === 0 ? undefined : Math.min(...this.#held.values());
  }

  /** What it would cost to lose the commands that run. */
  get commandCost(): number {
    return this.#costs.total;
  }

  /**
   * Resolves when the source has no more jobs, or after `stop`, when all that are held have been reported or given back. Rejects with a SourceError,
   * and if a job without a lease cannot be reported.
   */
  async run(): Promise<void> {
    const { source, most } = this.#parts;
    // Several at a time, because most sources are asked over a network.
    const fewest = Math.ceil(most / 4);
    while (!this.#stop.signal.aborted) {
      await this.#room.has(fewest);
      const claimed = await this.#claim(this.#room.free);
      if (claimed === undefined) break;
      this.#parts.events?.claimed(claimed.length);
      for (const one of claimed) void this.#hold(one);
    }
    await this.#room.empty();
    await source.close();
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Holds only a part of as many jobs as it was made for: above 0, up to 1. What is held already is served. */
  limit(part: number): void {
    this.#room.limit(part);
  }

  /** Claims no more jobs; those that are held are served. */
  stop(): void {
    this.#stop.abort();
  }

  /** Claims no more jobs, and gives back those that have not been served. */
  giveUp(): void {
    this.stop();
    this.#cancellation.cancel();
  }

  /** Undefined: there will be no more. Asks again, later and later, while the source cannot be reached. */
  async #claim(most: number): Promise<readonly Claimed[] | undefined> {
    const { source, log } = this.#parts;
    const { signal } = this.#stop;
    for (let waitMs = FIRST_WAIT_MS; !signal.aborted; waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
      try {
        const claimed = await source.claim(most, signal);
        this.#isExhausted = claimed === undefined;
        return claimed;
      } catch (error) {
        if (error instanceof SourceError) {
          this.#fail(error);
          break;
        }
        log.warn({ source: source.name, reason: messageOf(error) }, 'jobs cannot be claimed');
        await waitOrStop(this.#parts.clock, waitMs, signal);
      }
    }
    return undefined;
  }

  async #hold(claimed: Claimed): Promise<void> {
    const { source, clock, events } = this.#parts;
    const claimedAtMs = clock.now();
    this.#held.set(claimed, claimed.sentAtMs ?? Date.now());
    const place = this.#room.enter(claimed.bytes.byteLength);
    const onPhase = (phase: JobPhase): void => place.begin(phase);
    const outcome = await this.#serve(claimed, onPhase).catch((error: unknown) => this.#lose(error));
    source.forget?.(claimed);
    if (outcome === 'given_back' || outcome === 'lost') this.#areAllReported = false;
    events?.ended(outcome, clock.now() - claimedAtMs);
    this.#held.delete(claimed);
    place.leave();
  }

  async #serve(claimed: Claimed, onPhase: (phase: JobPhase) => void): Promise<JobOutcome> {
    const { source, clock, log, events } = this.#parts;
    const cancellation = claimed.cancellation ?? new Cancellation();
    const lease = new Lease({
      clock,
      leaseMs: claimed.leaseMs ?? source.leaseMs,
      extend: async () => {
        const isOurs = await this.#extend(claimed);
        if (isOurs) this.#costs.rise(cancellation);
        return isOurs;
      },
      onLost: () => {
        log.warn({ source: source.name, job: claimed.place }, 'the lease of a job was lost');
        events?.lease('lost');
        cancellation.cancel();
      },
    });
    this.#cancellation.add(cancellation);
    try {
      const options = { cancellation, onPhase };
      let { bytes } = claimed;
      const serve = (one: ClaimedJob): Promise<CommandServed> => {
        ({ bytes } = one);
        return this.#resultOf(one, options, lease);
      };
      const served = await (this.#parts.map?.serve(claimed, serve) ?? serve(claimed));
      if (lease.isLost) return 'lost';
      const result = served !== undefined && 'kind' in served ? served : undefined;
      await this.#report(lease, () =>
        result === undefined ? source.giveBack(claimed, GIVE_BACK_DELAY_MS) : source.done(claimed, result),
      );
      lease.end();
      if (result !== undefined) this.#tellEnd({ ...claimed, bytes }, result);
      // While the job counts as held, less is claimed.
      if (served !== undefined && 'restMs' in served) await waitOrStop(clock, served.restMs, this.#stop.signal);
      return result?.kind ?? 'given_back';
    } finally {
      lease.end();
      this.#costs.end(cancellation);
      this.#cancellation.remove(cancellation);
    }
  }

  async #extend(claimed: Claimed): Promise<boolean> {
    const { source, events } = this.#parts;
    try {
      const isOurs = (await source.extend?.(claimed)) ?? true;
      if (isOurs) events?.lease('extended');
      return isOurs;
    } catch (error) {
      events?.lease('failed');
      throw error;
    }
  }

  /** Undefined if it was not served and is to be given back. */
  async #resultOf(claimed: ClaimedJob, options: Required<RunOptions>, lease: Lease): Promise<CommandServed> {
    const { runner, commands } = this.#parts;
    if (claimed.turn !== undefined && !(await claimed.turn)) return undefined;
    let job: Job | CommandJob;
    try {
      job = await this.#read(claimed);
    } catch (error) {
      if (error instanceof JobError) return unreadResult(error, claimed.place);
      throw error;
    }
    if (!('command' in job)) return runner.run(job, options);
    const { cancellation } = options;
    this.#costs.begin(cancellation);
    const onPhase = (phase: CommandPhase): void => this.#costs.tell(cancellation, phase);
    const draining = this.#stop.signal;
    return commands?.run(job, { cancellation, draining, isHeld: () => lease.lasts, onPhase });
  }

  async #read({ bytes, problem, defaultId }: ClaimedJob): Promise<Job | CommandJob> {
    if (problem !== undefined) throw new JobError(null, problem);
    const members = await jsonMembersInTurns(bytes);
    if (members?.has('command') !== true) return readJob(bytes, defaultId, members);
    if (this.#parts.commands === undefined) throw new JobError(null, 'command: this server runs no commands');
    return readCommandJob(bytes, defaultId);
  }

  /** Rejects when it has failed for long enough, or the lease has ended. */
  async #report(lease: Lease, report: () => Promise<void>): Promise<void> {
    const { source, clock } = this.#parts;
    const untilMs = clock.now() + Math.max(source.leaseMs ?? 0, SHORTEST_REPORT_MS);
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
      try {
        await report();
        return;
      } catch (error) {
        const isLate = clock.now() + waitMs > untilMs;
        if (isLate || lease.isLost || error instanceof LeaseLostError) throw error;
        await this.#wait(waitMs);
      }
    }
  }

  /** After its result is stored. */
  #tellEnd(job: ClaimedJob, result: JobResult): void {
    const { outbox } = this.#parts;
    const message = outbox && endMessageOf(job, result);
    if (message !== undefined) outbox?.send(message);
  }

  #lose(error: unknown): JobOutcome {
    const { source, log } = this.#parts;
    // Without a lease nobody else would serve it: this is the end, which whoever waits for it tells.
    if (source.leaseMs === undefined) this.#fail(error);
    else log.error({ source: source.name, err: error }, 'the end of a job could not be reported');
    return 'lost';
  }

  #fail(error: unknown): void {
    this.#failure ??= asError(error);
    this.giveUp();
  }

  #wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.#parts.clock.after(delayMs, resolve));
  }
}
