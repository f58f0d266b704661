import { z } from 'zod';
import { messageOf } from '../errors.ts';
import { isObject } from '../json.ts';
import type { Cancellation } from '../serving/cancellation.ts';
import { JobError, MOST_ID_CHARACTERS, LONGEST_TIMEOUT_MS, problemsOf, WEBHOOK } from './job.ts';
import type { JobResult } from './result.ts';

/** A job that runs a program, in the shape of Kelpie's: https://github.com/SaladTechnologies/kelpie-api */
export interface CommandJob {
  readonly id: string;
  /** The program, found in PATH; no shell reads it. */
  readonly command: string;
  readonly arguments: readonly string[];
  /** Variables beside those of the server. */
  readonly environment: Readonly<Record<string, string>>;
  readonly sync: CommandSync;
  /** Whether its files are stored as `<name>.gz`. */
  readonly compression: boolean;
  /** From the moment at which the job is begun; absent: none. */
  readonly timeoutMs: number | undefined;
  /** Where its end is told. */
  readonly webhook?: string | undefined;
}

/** Which folders are brought from a bucket before the program runs, and stored in one while it runs and after it. */
export interface CommandSync {
  readonly before: readonly SyncFolder[];
  readonly during: readonly SyncFolder[];
  readonly after: readonly SyncFolder[];
}

export interface SyncFolder {
  readonly bucket: string;
  /** Of the keys; empty, or with `/` at its end. */
  readonly prefix: string;
  readonly localPath: string;
  /** Of the files' paths below the folder; absent: all of them. */
  readonly pattern: RegExp | undefined;
}

/** What a command is at: bringing its inputs, running, or storing its last outputs. */
export type CommandPhase = 'downloading' | 'running' | 'uploading';

export interface CommandRunOptions {
  /** The job is not wanted any more, or not this server's: ends the program, and stores nothing more. */
  readonly cancellation: Cancellation;
  /** The server stops: ends the program, and stores its checkpoint. */
  readonly draining: AbortSignal;
  /** Whether the job is this server's at this moment: then it may store something. */
  readonly isHeld: () => boolean;
  readonly onPhase?: (phase: CommandPhase) => void;
}

/** A command that is to be given back. For so long this server should claim nothing, because another is likelier to run it. */
export interface CommandGivenBack {
  readonly restMs: number;
}

/** Undefined: it was cancelled. */
export type CommandServed = JobResult | CommandGivenBack | undefined;

/** Runs the commands of jobs. */
export interface CommandRunner {
  /** Resolves when all outputs are stored, or the program has failed or was stopped. */
  run(job: CommandJob, options: CommandRunOptions): Promise<CommandServed>;
}

const MOST_CHARACTERS = 128 * 1024;
const MOST_ENTRIES = 10_000;
const MOST_FOLDERS = 100;
const LONGEST_INTERVAL_S = 86_400;

/** The kernel takes no text with a zero character. */
const plain = z
  .string()
  .max(MOST_CHARACTERS)
  .refine((text) => !text.includes('\0'), 'must not hold a zero character');
const named = plain.min(1);
const variable = named.refine((name) => !name.includes('='), 'must not hold =');

const FOLDER = z.strictObject({
  bucket: named.max(255),
  prefix: plain.transform((prefix) => (prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`)),
  local_path: named,
  direction: z.enum(['download', 'upload']),
  pattern: z.string().max(1000).transform(expressionOf).nullish(),
});

const foldersOf = (direction: 'download' | 'upload') =>
  z
    .array(FOLDER.refine((folder) => folder.direction === direction, `direction: must be ${direction} here`))
    .max(MOST_FOLDERS)
    .default([])
    .transform((folders) =>
      folders.map(({ bucket, prefix, local_path: localPath, pattern }) => {
        return { bucket, prefix, localPath, pattern: pattern ?? undefined } satisfies SyncFolder;
      }),
    );

const COMMAND = z.strictObject({
  custom_id: z.string().min(1).max(MOST_ID_CHARACTERS).optional(),
  command: named,
  arguments: z.array(plain).max(MOST_ENTRIES).default([]),
  environment: z.record(variable, plain).default({}),
  sync: z
    .strictObject({ before: foldersOf('download'), during: foldersOf('upload'), after: foldersOf('upload') })
    .default({ before: [], during: [], after: [] }),
  compression: z.boolean().default(false),
  timeout_ms: z.int().min(1).max(LONGEST_TIMEOUT_MS).optional(),
  webhook: WEBHOOK.optional(),
  // Kelpie's API acts on these; other queues have JOB_ATTEMPTS and JOB_LEASE_MS.
  max_failures: z.int().min(1).optional(),
  heartbeat_interval: z.int().min(1).max(LONGEST_INTERVAL_S).optional(),
  container_group_id: z.string().optional(),
});

/** Reads a job with the member `command`, as Kelpie's API takes it. Throws a JobError. */
export function readCommandJob(bytes: Uint8Array, defaultId?: string): CommandJob {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch (error) {
    throw new JobError(null, messageOf(error));
  }
  const parsed = COMMAND.safeParse(value);
  if (!parsed.success) throw new JobError(nameOf(value), problemsOf(parsed.error));
  const {
    custom_id: id = defaultId,
    command,
    arguments: args,
    environment,
    sync,
    compression,
    timeout_ms,
    webhook,
  } = parsed.data;
  if (id === undefined) throw new JobError(null, 'custom_id: must be a text of its own for each job');
  return { id, command, arguments: args, environment, sync, compression, timeoutMs: timeout_ms, webhook };
}

function nameOf(value: unknown): string | null {
  const id = isObject(value) ? value['custom_id'] : undefined;
  return typeof id === 'string' ? id.slice(0, MOST_ID_CHARACTERS) : null;
}

function expressionOf(pattern: string, context: z.RefinementCtx): RegExp {
  try {
    return new RegExp(pattern);
  } catch (error) {
    context.addIssue({ code: 'custom', message: messageOf(error) });
    return z.NEVER;
  }
}
