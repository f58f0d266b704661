import type { Clock } from '../../core/ticket.ts';
import { asError, messageOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { StorageError } from '../../storage/storage.ts';
import type { CommandJob, CommandPhase, SyncFolder } from '../command-job.ts';
import { Child, type Exit } from './child.ts';
import type { JobFolders } from './folders.ts';
import type { CommandOutcome, CommandReport } from './outcome.ts';
import { NamePattern } from './patterns.ts';
import { CommandRefused } from './refused.ts';
import type { StateFile } from './state-file.ts';
import { SyncDuring, type SyncLimits } from './sync-during.ts';
import type { FolderRule, Transfers } from './transfers.ts';

export interface RunParts {
  readonly transfers: Transfers;
  readonly folders: JobFolders;
  readonly temporary: (name: string) => string;
  readonly state: StateFile;
  readonly clock: Clock;
  readonly log: Log;
  /** All of the program's variables. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** What is started for the job's `command`. */
  readonly program: string;
  readonly limits: SyncLimits;
  /** From SIGINT to SIGKILL. */
  readonly graceMs: number;
  readonly onPhase: (phase: CommandPhase) => void;
  /** Told how many files wait to be stored. */
  readonly onBacklog: (files: number) => void;
}

/** When a command is to stop before its own end. */
export interface StopSignals {
  /** It is not wanted any more, or not this server's: nothing more is stored. */
  readonly cancelled: AbortSignal;
  /** The server stops: its checkpoint is stored, and it is given back. */
  readonly draining: AbortSignal;
}

/** After a failure of its own, of uploads or of its disk, this server claims nothing for so long, and others may. */
export const REST_MS = 60_000;
const MOST_TAIL_CHARACTERS = 2000;
/** Errors of a storage that other servers would meet, too. */
const LASTING = new Set(['FORBIDDEN', 'NOT_FOUND', 'BAD_PLACE', 'NOT_SUPPORTED', 'TOO_LARGE']);

type Stop = 'cancelled' | 'draining' | 'timeout' | Error;

/** One command, from its inputs to its outputs. */
export class CommandRun {
  readonly report: CommandReport = { outputTail: '', downloadMs: 0, runMs: 0, uploadMs: 0 };
  readonly #job: CommandJob;
  readonly #parts: RunParts;
  readonly #signals: StopSignals;
  /** Aborted when the program is to stop. */
  readonly #stopping = new AbortController();
  /** Aborted when nothing more is to be moved. */
  readonly #transfers = new AbortController();
  #stop: Stop | undefined;

  constructor(job: CommandJob, parts: RunParts, signals: StopSignals) {
    this.#job = job;
    this.#parts = parts;
    this.#signals = signals;
  }

  /** Rejects with a CommandRefused if the job cannot be run on any try. */
  async run(): Promise<CommandOutcome> {
    const { folders, state, log, onBacklog } = this.#parts;
    const rules = this.#resolve();
    const used = [...rules.before, ...rules.during, ...rules.after].map(({ folder }) => folder);
    const forget = this.#listen();
    try {
      await folders.prepare(used);
      await state.begin(this.#job.id);
      const outcome = await this.#runWith(rules).catch((error: unknown) => this.#outcomeOf(asError(error)));
      await state.end(outcome.kind === 'done' ? 'completed' : 'failed');
      return outcome;
    } finally {
      forget();
      onBacklog(0);
      await folders
        .prepare(used)
        .catch((error: unknown) => log.warn({ reason: messageOf(error) }, 'folders of a job cannot be emptied'));
    }
  }

  #resolve(): Record<'before' | 'during' | 'after', readonly FolderRule[]> {
    const { folders } = this.#parts;
    const ruleOf = ({ bucket, prefix, localPath, pattern }: SyncFolder): FolderRule => ({
      prefix: `s3://${bucket}/${prefix}`,
      folder: folders.resolve(localPath),
      pattern: new NamePattern(pattern?.source),
    });
    const { before, during, after } = this.#job.sync;
    return { before: before.map(ruleOf), during: during.map(ruleOf), after: after.map(ruleOf) };
  }

  async #runWith(rules: Record<'before' | 'during' | 'after', readonly FolderRule[]>): Promise<CommandOutcome> {
    await this.#timed('downloadMs', () => this.#download(rules.before));
    const sync = this.#syncOf(rules.during);
    await sync.begin();
    if (this.#stop !== undefined) return this.#stopped(this.#stop);
    const exit = await this.#timed('runMs', () => this.#runChild());
    return this.#timed('uploadMs', () => this.#finish(sync, exit, rules.after));
  }

  async #download(rules: readonly FolderRule[]): Promise<void> {
    this.#parts.onPhase('downloading');
    // A program without its inputs would begin at the beginning, and overwrite a checkpoint by an older one.
    const signal = AbortSignal.any([this.#transfers.signal, this.#stopping.signal]);
    for (const rule of rules) await this.#parts.transfers.downloadAll(rule, signal);
  }

  #syncOf(rules: readonly FolderRule[]): SyncDuring {
    const { transfers, temporary, clock, log, limits, onBacklog } = this.#parts;
    const { signal } = this.#transfers;
    const onTrouble = (error: Error): void => this.#stopFor(error);
    const mayRemove = (): boolean => this.#stop === undefined;
    return new SyncDuring({ rules, transfers, temporary, clock, log, limits, signal, mayRemove, onBacklog, onTrouble });
  }

  /** Resolves when the program has ended, by itself or because it was to stop. */
  async #runChild(): Promise<Exit> {
    const { program, environment, clock, log, graceMs, onPhase, state } = this.#parts;
    onPhase('running');
    const child = await Child.start({
      command: program,
      arguments: this.#job.arguments,
      environment,
      clock,
      output: {
        line: (stream, text) => {
          log.info({ stream }, text);
          this.report.outputTail = `${this.report.outputTail}${text}\n`.slice(-MOST_TAIL_CHARACTERS);
        },
        dropped: (stream, lines) => log.warn({ stream, lines }, 'too many lines of output: some were left out'),
      },
    });
    await Promise.race([child.ended, aborted(this.#stopping.signal)]);
    // A second signal while it stops for a drain: there is no time left.
    const hurry = this.#stop === 'draining' ? this.#signals.cancelled : new AbortController().signal;
    const exit = this.#stop === undefined ? await child.ended : await child.stop(graceMs, hurry);
    if ('code' in exit) this.report.exitCode = exit.code;
    else this.report.signal = exit.signal;
    state.exit(this.report.exitCode);
    log.info({ ...exit, stopped: this.#stop }, 'the program of a job has ended');
    return exit;
  }

  async #finish(sync: SyncDuring, exit: Exit, after: readonly FolderRule[]): Promise<CommandOutcome> {
    const { clock, log, onPhase, transfers } = this.#parts;
    const endedAtMs = clock.now();
    const stop = this.#stop;
    onPhase('uploading');
    if (stop === undefined && 'code' in exit && exit.code === 0) {
      await sync.finish();
      for (const rule of after) await transfers.uploadAll(rule, this.#transfers.signal);
      return { kind: 'done' };
    }
    if (stop === undefined || stop === 'timeout' || stop === 'draining') {
      // What a program has written before an end of its own will is complete.
      const isInOrder = stop !== undefined && ('code' in exit || exit.signal === 'SIGINT');
      await sync.finish(isInOrder ? undefined : endedAtMs).catch((error: unknown) => {
        if (this.#transfers.signal.aborted) throw error;
        log.warn({ reason: messageOf(error) }, 'the last checkpoint of a job cannot be stored');
      });
    }
    return stop === undefined ? { kind: 'failed', reason: reasonOf(exit) } : this.#stopped(stop);
  }

  /** What a failure means: where the command was to stop, that is why. */
  #outcomeOf(error: Error): CommandOutcome {
    if (error instanceof CommandRefused) throw error;
    const stop = this.#stop;
    return stop === undefined ? { kind: 'failed', reason: messageOf(error) } : this.#stopped(stop);
  }

  #stopped(stop: Stop): CommandOutcome {
    if (stop === 'cancelled') return { kind: 'cancelled' };
    if (stop === 'draining') return { kind: 'given_back', reason: 'the server stops', restMs: 0 };
    if (stop === 'timeout') return { kind: 'failed', reason: `it took longer than ${this.#job.timeoutMs} ms` };
    if (stop instanceof CommandRefused || (stop instanceof StorageError && LASTING.has(stop.kind)))
      return { kind: 'failed', reason: stop.message };
    return { kind: 'given_back', reason: stop.message, restMs: REST_MS };
  }

  /** Returns what ends the listening. */
  #listen(): () => void {
    const { cancelled, draining } = this.#signals;
    const cancel = (): void => {
      // A drain that has run out of time ends as a drain.
      this.#stopFor('cancelled');
      this.#transfers.abort();
    };
    const drain = (): void => this.#stopFor('draining');
    if (cancelled.aborted) cancel();
    else if (draining.aborted) drain();
    cancelled.addEventListener('abort', cancel, { once: true });
    draining.addEventListener('abort', drain, { once: true });
    const { timeoutMs } = this.#job;
    const forget =
      timeoutMs === undefined ? undefined : this.#parts.clock.after(timeoutMs, () => this.#stopFor('timeout'));
    return () => {
      forget?.();
      cancelled.removeEventListener('abort', cancel);
      draining.removeEventListener('abort', drain);
    };
  }

  #stopFor(stop: Stop): void {
    this.#stop ??= stop;
    if (stop instanceof Error) this.#transfers.abort(stop);
    this.#stopping.abort();
  }

  async #timed<Value>(part: 'downloadMs' | 'runMs' | 'uploadMs', act: () => Promise<Value>): Promise<Value> {
    const { clock } = this.#parts;
    const beganMs = clock.now();
    try {
      return await act();
    } finally {
      this.report[part] = clock.now() - beganMs;
    }
  }
}

function reasonOf(exit: Exit): string {
  return 'code' in exit ? `it ended with code ${exit.code}` : `it was ended by ${exit.signal}`;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
