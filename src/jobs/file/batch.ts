import { createReadStream, type Stats } from 'node:fs';
import { open, realpath, stat, type FileHandle } from 'node:fs/promises';
import type { Clock } from '../../core/ticket.ts';
import { takeLock } from '../../file-lock.ts';
import type { Log } from '../../log.ts';
import { JobLoop } from '../loop.ts';
import type { JobMap } from '../map/job-map.ts';
import type { JobRunner } from '../run-job.ts';
import {
  BEGINNING,
  loadCheckpoint,
  markBatch,
  removeCheckpoint,
  saveCheckpoint,
  type Checkpoint,
} from './checkpoint.ts';
import type { BatchProgress } from './display.ts';
import type { BatchFlags } from './flags.ts';
import { readLines } from './lines.ts';
import { OrderedOutput } from './ordered-output.ts';
import { FileSource, type ClaimedLine } from './source.ts';

const PIECE_BYTES = 1024 * 1024;

export interface BatchParts {
  readonly runner: JobRunner;
  readonly clock: Clock;
  readonly log: Log;
  /** Most jobs held at one time. */
  readonly most: number;
  /** Jobs whose inputs are fetched beside those. */
  readonly prefetch: number;
  readonly lineLimitBytes: number;
  /** Turns the lines into jobs; closed at the end. */
  readonly map?: JobMap | undefined;
}

/** A batch that is being run. */
export interface Batch {
  /** Where it has begun: not at line 1 if it goes on. */
  readonly firstLine: number;
  progress(): BatchProgress;
  /** Resolves with whether all of the input has its results; not so after `stop` or `giveUp`. */
  readonly ended: Promise<boolean>;
  stop(): void;
  giveUp(): void;
}

/** Files of a batch, held by this process alone. */
interface OpenFiles {
  readonly results: FileHandle;
  readonly errors: FileHandle | undefined;
  readonly from: Checkpoint;
  /** Rejects where one was deleted or replaced: what is written then goes nowhere. */
  checkInPlace(): Promise<void>;
  release(): Promise<void>;
}

/** Begins or resumes a batch. Throws an Error that names the cure where its files do not allow that. */
export async function startBatch(flags: BatchFlags, parts: BatchParts): Promise<Batch> {
  const { input, output } = flags;
  const record = `${output}.progress`;
  const { size: totalBytes } = await checkFiles(flags);
  const mark = await markBatch(flags);
  const files = await openFiles(flags, record, parts.log);
  const { from } = files;
  const ordered = new OrderedOutput(files, from, async (checkpoint) => {
    await files.checkInPlace();
    await saveCheckpoint(record, mark, checkpoint);
  });
  const pieces = createReadStream(input, { start: from.nextByte, highWaterMark: PIECE_BYTES });
  const lines = readLines(pieces, {
    startByte: from.nextByte,
    startLine: from.nextLine,
    limitBytes: parts.lineLimitBytes,
  });
  const loop = new JobLoop<ClaimedLine>({ ...parts, source: new FileSource(lines, ordered) });
  const run = async (): Promise<boolean> => {
    try {
      await saveCheckpoint(record, mark, from);
      await loop.run();
      const isWhole = loop.isExhausted;
      if (isWhole) await removeCheckpoint(record);
      return isWhole;
    } finally {
      pieces.destroy();
      await parts.map?.close();
      await files.release();
    }
  };
  return {
    firstLine: from.nextLine,
    progress: () => ({ ...ordered.checkpoint, bytes: ordered.checkpoint.nextByte, totalBytes }),
    ended: run(),
    stop: () => loop.stop(),
    giveUp: () => loop.giveUp(),
  };
}

/** The state of the input. Rejects where it, the results and the errors are not three regular files: links and paths may give one file several names. */
export async function checkFiles({ input, output, errors }: BatchFlags): Promise<Stats> {
  const state = await stat(input).catch((error: unknown) => {
    throw (error as NodeJS.ErrnoException).code === 'ENOENT'
      ? new Error(`${input}: there is no such file of requests`)
      : error;
  });
  const seen: Stats[] = [];
  for (const file of errors === undefined ? [input, output] : [input, output, errors]) {
    const one = file === input ? state : await stat(file).catch(() => undefined);
    if (one === undefined) continue;
    if (!one.isFile()) throw new Error(`${file} must be a regular file`);
    if (seen.some((other) => isSame(one, other))) throw new Error(`${file} is the requests or the results as well`);
    seen.push(one);
  }
  return state;
}

function isSame(one: Stats, other: Stats): boolean {
  return one.ino === other.ino && one.dev === other.dev;
}

async function lockAll(files: readonly string[], log: BatchParts['log']): Promise<() => Promise<void>> {
  const unlocks: (() => Promise<void>)[] = [];
  const unlock = async (): Promise<void> => {
    for (const one of unlocks) await one();
  };
  try {
    for (const file of files) unlocks.push(await lock(file, log));
    return unlock;
  } catch (error) {
    await unlock();
    throw error;
  }
}

/** Locks a file of results, of whatever name. What held it when it was killed is no hindrance, once it is certain that it is gone. */
async function lock(output: string, log: BatchParts['log']): Promise<() => Promise<void>> {
  const busy = new AbortController();
  const file = await realpath(output).catch(() => output);
  return takeLock(`${file}.lock`, {
    signal: busy.signal,
    onWait: () =>
      log.warn({ file: `${file}.lock` }, 'another process writes the results, or was killed: looking for up to 30 s'),
    onAlive: () => busy.abort(new Error(`another process is writing ${output}`)),
  });
}

/** Opens the files of results and cuts off what came after the checkpoint. */
async function openFiles(flags: BatchFlags, record: string, log: BatchParts['log']): Promise<OpenFiles> {
  const { output, errors, force } = flags;
  const unlock = await lockAll(errors === undefined ? [output] : [output, errors], log);
  const opened = new Map<string, FileHandle>();
  const release = async (): Promise<void> => {
    for (const file of opened.values()) await file.close();
    await unlock();
  };
  const checkInPlace = async (): Promise<void> => {
    for (const [file, handle] of opened) {
      const there = await stat(file).catch(() => undefined);
      if (there === undefined || !isSame(there, await handle.stat()))
        throw new Error(`${file} was deleted or replaced while it was being written; to begin anew, use --force`);
    }
  };
  try {
    const saved = force ? undefined : await loadCheckpoint(record, flags);
    const from = saved ?? BEGINNING;
    const openAt = async (file: string, bytes: number): Promise<FileHandle> => {
      const handle = await open(file, force ? 'w' : 'a')
        .then((made) => made.close())
        .then(() => open(file, 'r+'));
      opened.set(file, handle);
      const { size } = await handle.stat();
      if (saved === undefined && size > 0) throw new Error(`${file} is there already; to overwrite it, use --force`);
      if (size < bytes) throw new Error(`${file} has lost what ${record} says it holds; to begin anew, use --force`);
      await handle.truncate(bytes);
      return handle;
    };
    const results = await openAt(output, from.resultsBytes);
    return {
      results,
      errors: errors === undefined ? undefined : await openAt(errors, from.errorsBytes),
      from,
      checkInPlace,
      release,
    };
  } catch (error) {
    await release();
    throw error;
  }
}
