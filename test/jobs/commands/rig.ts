import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestContext } from 'node:test';
import { systemClock } from '../../../src/core/clock.ts';
import type { CommandJob, CommandPhase, CommandServed } from '../../../src/jobs/command-job.ts';
import { Commands, type CommandConfig } from '../../../src/jobs/commands/runner.ts';
import { createLogs } from '../../../src/log.ts';
import { Cancellation } from '../../../src/serving/cancellation.ts';
import { FolderStorage } from './folder-storage.ts';

type Rule = readonly [prefix: string, folder: string, pattern?: RegExp];

/** A job that runs a shell script. */
export interface ScriptJob {
  readonly id?: string;
  readonly before?: readonly Rule[];
  readonly during?: readonly Rule[];
  readonly after?: readonly Rule[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly compression?: boolean;
  readonly timeoutMs?: number;
}

type RigParts = Pick<Rig, 'root' | 'storage' | 'lines' | 'backlog'>;

/** Runs commands in a folder of the test, beside a storage in another. Logs are kept. */
export class Rig {
  readonly root: string;
  readonly storage: FolderStorage;
  readonly lines: readonly Record<string, unknown>[];
  /** What was told of files that wait, in order. */
  readonly backlog: readonly number[];
  readonly cancellation = new Cancellation();
  readonly draining = new AbortController();
  readonly phases: CommandPhase[] = [];
  isHeld = true;
  readonly #commands: Commands;

  private constructor({ root, storage, lines, backlog }: RigParts, commands: Commands) {
    this.root = root;
    this.storage = storage;
    this.lines = lines;
    this.backlog = backlog;
    this.#commands = commands;
  }

  static async open(t: TestContext, config: Partial<CommandConfig> = {}): Promise<Rig> {
    const root = await mkdtemp(path.join(os.tmpdir(), 'carpool-commands-'));
    t.after(() => rm(root, { recursive: true, force: true }));
    // The server's timers do not keep a process alive.
    const alive = setInterval(() => undefined, 1000);
    t.after(() => clearInterval(alive));
    await mkdir(path.join(root, 'storage'));
    const storage = new FolderStorage(path.join(root, 'storage'));
    const lines: Record<string, unknown>[] = [];
    const stream = { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) };
    const backlog: number[] = [];
    const commands = await Commands.open({
      config: {
        JOB_COMMANDS: ['true'],
        JOB_FOLDERS: [path.join(root, 'more')],
        JOB_SETTLE_MS: 40,
        JOB_STOP_GRACE_MS: 20_000,
        JOB_UPLOAD_ERRORS: 2,
        JOB_UPLOAD_LATE_MS: 60_000,
        INPUT_DIR: path.join(root, 'input'),
        OUTPUT_DIR: path.join(root, 'output'),
        CHECKPOINT_DIR: path.join(root, 'checkpoint'),
        KELPIE_STATE_FILE: path.join(root, 'state.json'),
        ...config,
      },
      storage: storage as never,
      clock: systemClock,
      log: createLogs({ level: 'info', pretty: false, stream }).log,
      onBacklog: (files) => void backlog.push(files),
      environment: { PATH: process.env['PATH'], SERVER: 'yes' },
    });
    if (commands === undefined) throw new Error('commands are off');
    return new Rig({ root, storage, lines, backlog }, commands);
  }

  folder(name: string): string {
    return path.join(this.root, name);
  }

  async store(place: string, text: string): Promise<void> {
    const file = this.storage.fileOf(place);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text);
  }

  filesIn(name: string): Promise<string[]> {
    return readdir(this.folder(name));
  }

  run(job: CommandJob): Promise<CommandServed> {
    const { cancellation, phases } = this;
    const draining = this.draining.signal;
    const onPhase = (phase: CommandPhase): void => {
      phases.push(phase);
    };
    return this.#commands.run(job, { cancellation, draining, onPhase, isHeld: () => this.isHeld });
  }

  async script(text: string, job: ScriptJob = {}): Promise<CommandServed> {
    return this.run(this.job(['/bin/sh', '-c', text], job));
  }

  job([command = '', ...args]: readonly string[], job: ScriptJob = {}): CommandJob {
    const rulesOf = (rules: readonly Rule[] = []) =>
      rules.map(([prefix, folder, pattern]) => ({ bucket: 'b', prefix, localPath: this.folder(folder), pattern }));
    return {
      id: job.id ?? 'job-1',
      command,
      arguments: args,
      environment: job.environment ?? {},
      sync: { before: rulesOf(job.before), during: rulesOf(job.during), after: rulesOf(job.after) },
      compression: job.compression ?? false,
      timeoutMs: job.timeoutMs,
    };
  }
}

/** The parts of a result that tests look at. */
export function told(served: CommandServed) {
  if (served === undefined || !('kind' in served)) throw new Error('there is no result');
  const line = JSON.parse(Buffer.from(served.line).toString()) as {
    custom_id: string;
    response: { status_code: number; body: Record<string, unknown> & { error?: { message: string } } } | null;
    error: { message: string } | null;
  };
  return { kind: served.kind, id: line.custom_id, ...line.response, error: line.error };
}

/** Resolves when it holds, or rejects after a minute. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 60_000;
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error(`a minute has passed without this: ${what}`);
    await sleep(10);
  }
}

/** Whether a process runs; one that has ended may still be listed, until its parent has asked for its end. */
export function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
