import { createHash } from 'node:crypto';
import { open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { z } from 'zod';

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

/** Which input a checkpoint is of. */
export interface InputMark {
  /** SHA-256 of its first bytes. */
  readonly head: string;
  /** How many bytes that is. */
  readonly headBytes: number;
}

const HEAD_BYTES = 64 * 1024;

const count = z.int().min(0);
const SAVED = z.object({
  format: z.literal(1),
  input: z.object({ head: z.string(), headBytes: count }),
  checkpoint: z.object({
    nextByte: count,
    nextLine: count,
    resultsBytes: count,
    errorsBytes: count,
    answered: count,
    failed: count,
  }),
});

/** The mark of an input: lines that are appended to it later do not change it, if `headBytes` of the older mark are given. */
export async function markInput(file: string, headBytes = HEAD_BYTES): Promise<InputMark> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(headBytes), 0, headBytes, 0);
    return { head: createHash('sha256').update(buffer.subarray(0, bytesRead)).digest('hex'), headBytes: bytesRead };
  } finally {
    await handle.close();
  }
}

/** The checkpoint in a file; undefined if there is none. Throws an Error if it cannot be read, or is of another input. */
export async function loadCheckpoint(file: string, input: string): Promise<Checkpoint | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  const saved = SAVED.safeParse(jsonOf(text));
  if (!saved.success) throw new Error(`${file} is no record of a batch; to begin anew, use --force`);
  const { checkpoint, input: mark } = saved.data;
  const { head, headBytes } = await markInput(input, Math.max(1, mark.headBytes));
  if (headBytes < mark.headBytes || head !== mark.head)
    throw new Error(`${file} is of another input than ${input}; to begin anew, use --force`);
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
export async function saveCheckpoint(file: string, input: InputMark, checkpoint: Checkpoint): Promise<void> {
  const beside = `${file}.new`;
  await writeFile(beside, JSON.stringify({ format: 1, input, checkpoint }), { flush: true });
  await rename(beside, file);
}

export async function removeCheckpoint(file: string): Promise<void> {
  await rm(file, { force: true });
}
