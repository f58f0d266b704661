import type { FileHandle } from 'node:fs/promises';
import { messageOf } from '../../errors.ts';
import type { Checkpoint } from './checkpoint.ts';

/** The result of a line of the input. */
export interface Written {
  readonly line: Uint8Array;
  readonly isAnswer: boolean;
  /** Its number in the input, and where the next line begins there. */
  readonly number: number;
  readonly endByte: number;
}

export interface OutputFiles {
  readonly results: FileHandle;
  /** Absent: errors go among the results. */
  readonly errors: FileHandle | undefined;
}

/** A checkpoint is saved this often: so much work is done again after a crash. */
const SAVE_EVERY_MS = 1000;
const NEWLINE = new Uint8Array([0x0a]);

/** Writes results in the order of the input, whatever the order in which they come, and saves how far it has come. */
export class OrderedOutput {
  readonly #files: OutputFiles;
  readonly #save: (checkpoint: Checkpoint) => Promise<void>;
  readonly #saveEveryMs: number;
  readonly #early = new Map<number, Written>();
  #ready: Written[] = [];
  #next = 0;
  #heldBytes = 0;
  #checkpoint: Checkpoint;
  #savedAtMs = performance.now();
  #writing: Promise<void> | undefined;
  #failure: Error | undefined;
  #onMove: (() => void) | undefined;

  /** `from`: how far the files have come already. */
  constructor(
    files: OutputFiles,
    from: Checkpoint,
    save: (checkpoint: Checkpoint) => Promise<void>,
    saveEveryMs = SAVE_EVERY_MS,
  ) {
    this.#files = files;
    this.#checkpoint = from;
    this.#save = save;
    this.#saveEveryMs = saveEveryMs;
  }

  get checkpoint(): Checkpoint {
    return this.#checkpoint;
  }

  /** Results taken and not written yet: their bytes, and how far the last is ahead of the first that is missing. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** The index of the first line whose result is missing. */
  get next(): number {
    return this.#next;
  }

  /** Takes the result of a line; `index` counts from 0. Throws what a write has failed with. */
  put(index: number, written: Written): void {
    if (this.#failure !== undefined) throw this.#failure;
    this.#early.set(index, written);
    this.#heldBytes += written.line.byteLength;
    for (let one = this.#early.get(this.#next); one !== undefined; one = this.#early.get(this.#next)) {
      this.#early.delete(this.#next);
      this.#next += 1;
      this.#ready.push(one);
    }
    this.#writing ??= this.#writeAll();
  }

  /** Resolves when something more has been written; rejects with what a write has failed with. */
  async moved(): Promise<void> {
    if (this.#failure === undefined) await new Promise<void>((resolve) => (this.#onMove = resolve));
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Resolves when nothing is being written, whatever has come of it. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  /** Writes what is in order, and saves how far that is. Rejects with what a write has failed with. */
  async close(): Promise<void> {
    await this.#writing;
    if (this.#failure !== undefined) throw this.#failure;
    await this.#saveNow();
  }

  async #writeAll(): Promise<void> {
    try {
      // Others of this turn are written with it.
      await new Promise(setImmediate);
      while (this.#ready.length > 0) {
        await this.#write(this.#ready.splice(0));
        if (performance.now() - this.#savedAtMs >= this.#saveEveryMs) await this.#saveNow();
        this.#onMove?.();
      }
    } catch (error) {
      this.#failure = unwritten(error);
    } finally {
      this.#writing = undefined;
      this.#onMove?.();
    }
  }

  async #write(ready: readonly Written[]): Promise<void> {
    const { results, errors } = this.#files;
    const goesToErrors = ({ isAnswer }: Written): boolean => errors !== undefined && !isAnswer;
    const toResults = bytesOf(ready.filter((one) => !goesToErrors(one)));
    const toErrors = bytesOf(ready.filter(goesToErrors));
    const { resultsBytes, errorsBytes, answered, failed } = this.#checkpoint;
    await writeAt(results, toResults, resultsBytes);
    if (errors !== undefined) await writeAt(errors, toErrors, errorsBytes);
    const answers = ready.filter(({ isAnswer }) => isAnswer).length;
    for (const { line } of ready) this.#heldBytes -= line.byteLength;
    const last = ready.at(-1);
    if (last === undefined) return;
    this.#checkpoint = {
      nextByte: last.endByte,
      nextLine: last.number + 1,
      resultsBytes: resultsBytes + toResults.byteLength,
      errorsBytes: errorsBytes + toErrors.byteLength,
      answered: answered + answers,
      failed: failed + ready.length - answers,
    };
  }

  /** The files first: a checkpoint must not be ahead of them, even if the machine loses its power. */
  async #saveNow(): Promise<void> {
    await this.#files.results.datasync();
    await this.#files.errors?.datasync();
    await this.#save(this.#checkpoint);
    this.#savedAtMs = performance.now();
  }
}

function bytesOf(ready: readonly Written[]): Uint8Array {
  return Buffer.concat(ready.flatMap(({ line }) => [line, NEWLINE]));
}

/** Of both files and of the record of progress; what these say is true all the same. */
function unwritten(error: unknown): Error {
  const message = `The results cannot be written: ${messageOf(error)}. Mend that and run it again: it goes on where it stopped.`;
  return new Error(message, { cause: error });
}

async function writeAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let written = 0; written < bytes.byteLength;) {
    const { bytesWritten } = await file.write(bytes, written, bytes.byteLength - written, position + written);
    written += bytesWritten;
  }
}
