import { createHash } from 'node:crypto';
import { open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { BatchFlags } from './flags.ts';

/** How far a batch has come. All of the input before `nextByte` has its lines in the first bytes of the output files, and nothing else is in them. */
export interface Checkpoint {
  readonly nextByte: number;
  /** The number of the line that begins there. */
  readonly nextLine: number;
  readonly resultsBytes: number;
  readonly errorsBytes: number;
  readonly answered: number;
  readonly failed: number;
}

export const BEGINNING: Checkpoint = {
  nextByte: 0,
  nextLine: 1,
  resultsBytes: 0,
  errorsBytes: 0,
  answered: 0,
  failed: 0,
};

/** Which batch a checkpoint is of. */
export interface BatchMark {
  /** SHA-256 of the first bytes of the input. */
  readonly head: string;
  /** How many bytes that is. */
  readonly headBytes: number;
  /** The file of errors, as seen from the folder of the results; null: errors go among the results. */
  readonly errors: string | null;
}

/** The files that make a batch this one and no other. */
export type BatchFiles = Pick<BatchFlags, 'input' | 'output' | 'errors'>;

const HEAD_BYTES = 64 * 1024;

const count = z.int().min(0);
const SAVED = z.object({
  format: z.literal(1),
  batch: z.object({ head: z.string(), headBytes: count, errors: z.string().nullable() }),
  checkpoint: z.object({
    nextByte: count,
    nextLine: count,
    resultsBytes: count,
    errorsBytes: count,
    answered: count,
    failed: count,
  }),
});

/** The mark of a batch: lines that are appended to its input later do not change it, if `headBytes` of the older mark are given. */
export async function markBatch(
  { input, output, errors }: BatchFiles,
  headBytes: number = HEAD_BYTES,
): Promise<BatchMark> {
  const handle = await open(input);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(headBytes), 0, headBytes, 0);
    return {
      head: createHash('sha256').update(buffer.subarray(0, bytesRead)).digest('hex'),
      headBytes: bytesRead,
      errors: errors === undefined ? null : path.relative(path.dirname(output), errors),
    };
  } finally {
    await handle.close();
  }
}

/** The checkpoint in a file; undefined if there is none. Throws an Error if it cannot be read, or is of another batch. */
export async function loadCheckpoint(file: string, files: BatchFiles): Promise<Checkpoint | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  const saved = SAVED.safeParse(jsonOf(text));
  if (!saved.success) throw new Error(`${file} is no record of a batch; to begin anew, use --force`);
  const { checkpoint, batch } = saved.data;
  const { head, headBytes, errors } = await markBatch(files, Math.max(1, batch.headBytes));
  if (headBytes < batch.headBytes || head !== batch.head)
    throw new Error(`${file} is of another input than ${files.input}; to begin anew, use --force`);
  if (errors !== batch.errors) {
    const begun = batch.errors === null ? 'without --errors' : `with --errors ${batch.errors}`;
    throw new Error(`${file} is of a batch that was begun ${begun}; to begin anew, use --force`);
  }
  return checkpoint;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Replaces the checkpoint in a file; a crash leaves the old one or the new one. */
export async function saveCheckpoint(file: string, batch: BatchMark, checkpoint: Checkpoint): Promise<void> {
  const beside = `${file}.new`;
  await writeFile(beside, JSON.stringify({ format: 1, batch, checkpoint }), { flush: true });
  await rename(beside, file);
}

export async function removeCheckpoint(file: string): Promise<void> {
  await rm(file, { force: true });
}
