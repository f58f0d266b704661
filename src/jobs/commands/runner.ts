import path from 'node:path';
import pLimit from 'p-limit';
import type { Config } from '../../config/options.ts';
import type { Clock } from '../../core/ticket.ts';
import type { Log } from '../../log.ts';
import type { Storage } from '../../storage/storage.ts';
import type { CommandJob, CommandPhase, CommandRunOptions, CommandRunner, CommandServed } from '../command-job.ts';
import { JobError } from '../job.ts';
import type { NodeFacts } from '../job-requester.ts';
import { unreadResult } from '../result.ts';
import { JobFolders } from './folders.ts';
import type { CommandReport } from './outcome.ts';
import { AllowedPrograms, allowsCommands } from './programs.ts';
import { CommandRefused } from './refused.ts';
import { commandResult } from './result.ts';
import { CommandRun, REST_MS, type RunParts, type StopSignals } from './run-command.ts';
import { StateFile } from './state-file.ts';
import { TemporaryFolder } from './temporary.ts';
import { Transfers } from './transfers.ts';

export type CommandConfig = Pick<
  Config,
  | 'JOB_COMMANDS'
  | 'JOB_FOLDERS'
  | 'JOB_SETTLE_MS'
  | 'JOB_STOP_GRACE_MS'
  | 'JOB_UPLOAD_ERRORS'
  | 'JOB_UPLOAD_LATE_MS'
  | 'INPUT_DIR'
  | 'OUTPUT_DIR'
  | 'CHECKPOINT_DIR'
  | 'KELPIE_STATE_FILE'
>;

export interface CommandsParts {
  readonly config: CommandConfig;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly log: Log;
  /** What programs get of the server's own variables. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Told how many files of the command that runs wait to be stored. */
  readonly onBacklog: (files: number) => void;
  /** Where this server is, for results. */
  readonly node?: { readonly facts: NodeFacts } | undefined;
}

interface RunContext {
  readonly temporary: TemporaryFolder;
  readonly onPhase: (phase: CommandPhase) => void;
  readonly mayStore: () => boolean;
}

/**
 * Runs the commands of jobs, one at a time: a node has one GPU, and the folders that a job names can be another job's. A job whose turn has not come
 * waits.
 */
export class Commands implements CommandRunner {
  readonly #parts: CommandsParts;
  readonly #programs: AllowedPrograms;
  readonly #folders: JobFolders;
  readonly #state: StateFile;
  readonly #turn = pLimit(1);

  private constructor(parts: CommandsParts) {
    const { config, environment, log } = parts;
    this.#parts = parts;
    this.#programs = new AllowedPrograms(config.JOB_COMMANDS, environment['PATH'] ?? '');
    this.#folders = new JobFolders([config.INPUT_DIR, config.OUTPUT_DIR, config.CHECKPOINT_DIR], config.JOB_FOLDERS);
    this.#state = new StateFile(path.resolve(config.KELPIE_STATE_FILE), log);
  }

  /** Undefined where JOB_COMMANDS allows none. Makes the folders that every command has, and empties them; rejects if that cannot be done. */
  static async open(parts: CommandsParts): Promise<Commands | undefined> {
    if (!allowsCommands(parts.config.JOB_COMMANDS)) return undefined;
    const commands = new Commands(parts);
    await commands.#folders.prepare([]);
    await TemporaryFolder.removeLeft();
    return commands;
  }

  run(job: CommandJob, options: CommandRunOptions): Promise<CommandServed> {
    return this.#turn(() => this.#run(job, options));
  }

  /** Closes connections to the storage. */
  close(): Promise<void> {
    return this.#parts.storage.close();
  }

  async #run(
    job: CommandJob,
    { cancellation, draining, isHeld, onPhase = () => undefined }: CommandRunOptions,
  ): Promise<CommandServed> {
    const cancelled = new AbortController();
    const cancellable = { cancel: () => cancelled.abort() };
    cancellation.add(cancellable);
    let temporary: TemporaryFolder | undefined;
    try {
      if (cancelled.signal.aborted || draining.aborted) return undefined;
      temporary = new TemporaryFolder();
      return await this.#runIn(
        job,
        { temporary, onPhase, mayStore: isHeld },
        { cancelled: cancelled.signal, draining },
      );
    } catch (error) {
      if (error instanceof CommandRefused) return unreadResult(new JobError(job.id, error.message));
      // Not the job's fault: its folders cannot be made here, because the disk is full, say. Another server may do better.
      const log = this.#parts.log.child({ jobId: job.id });
      log.error({ err: error }, 'a command cannot be run here');
      return { restMs: REST_MS };
    } finally {
      cancellation.remove(cancellable);
      await temporary?.remove();
    }
  }

  async #runIn(
    job: CommandJob,
    { temporary: folder, onPhase, mayStore }: RunContext,
    signals: StopSignals,
  ): Promise<CommandServed> {
    const { storage, clock, config, node, onBacklog } = this.#parts;
    const { compression } = job;
    const log = this.#parts.log.child({ jobId: job.id });
    const temporary = (name: string): string => folder.fileOf(name);
    const program = await this.#programs.find(job.command);
    log.info({ command: job.command }, 'a command begins');
    const run = new CommandRun(
      job,
      {
        transfers: new Transfers({ storage, compression, events: this.#state, temporary, mayStore }),
        folders: this.#folders,
        temporary,
        state: this.#state,
        clock,
        log,
        environment: this.#environmentOf(job),
        program,
        limits: {
          settleMs: config.JOB_SETTLE_MS,
          errors: config.JOB_UPLOAD_ERRORS,
          lateMs: config.JOB_UPLOAD_LATE_MS,
        },
        graceMs: config.JOB_STOP_GRACE_MS,
        onPhase,
        onBacklog,
      },
      signals,
    );
    const outcome = await run.run();
    const { kind, ...why } = outcome;
    log[kind === 'done' ? 'info' : 'warn']({ outcome: kind, ...why, ...timesOf(run.report) }, 'a command is over');
    if (outcome.kind === 'cancelled') return undefined;
    if (outcome.kind === 'given_back') return { restMs: outcome.restMs };
    return commandResult(job, run.report, node?.facts, outcome.kind === 'failed' ? outcome.reason : undefined);
  }

  /** The names that Kelpie's worker gives are not the job's to choose. */
  #environmentOf({ id, environment }: CommandJob): RunParts['environment'] {
    const { INPUT_DIR, OUTPUT_DIR, CHECKPOINT_DIR, KELPIE_STATE_FILE } = this.#parts.config;
    return {
      ...this.#parts.environment,
      ...environment,
      INPUT_DIR: path.resolve(INPUT_DIR),
      OUTPUT_DIR: path.resolve(OUTPUT_DIR),
      CHECKPOINT_DIR: path.resolve(CHECKPOINT_DIR),
      KELPIE_STATE_FILE: path.resolve(KELPIE_STATE_FILE),
      KELPIE_JOB_ID: id,
    };
  }
}

function timesOf({ downloadMs, runMs, uploadMs }: CommandReport): Record<string, number> {
  return { downloadMs: Math.round(downloadMs), runMs: Math.round(runMs), uploadMs: Math.round(uploadMs) };
}
