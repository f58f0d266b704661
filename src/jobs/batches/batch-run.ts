import type { ReadStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { Cancellation } from '../../serving/cancellation.ts';
import type { Checkpoint } from '../file/checkpoint.ts';
import { readLines } from '../file/lines.ts';
import { OrderedOutput } from '../file/ordered-output.ts';
import { FileSource, type ClaimedLine } from '../file/source.ts';
import { lostResult, type JobResult } from '../result.ts';
import type { BatchRecord } from './batch-record.ts';

export interface BatchRunParts {
  /** Files of the input, the results and the errors. */
  readonly files: { readonly input: string; readonly results: string; readonly errors: string };
  readonly lineBytes: number;
  /** Stores how far it has come. */
  readonly save: (checkpoint: Checkpoint) => Promise<void>;
  /** One line at a time, and how far it has come is stored after each: one of them may be what ends the process. */
  readonly isCareful: boolean;
  /** The first line is not served: so many processes have ended while they ran it. */
  readonly firstLost?: number | undefined;
}

/** Why the lines of a batch that have not been served are not served any more. */
export type EarlyEnd = 'cancelled' | 'expired';

const PIECE_BYTES = 256 * 1024;
/** Lines that are told of the early end at one time. */
const ENDED_LINES = 1000;

const TOLD: Readonly<Record<EarlyEnd, { code: string; message: string }>> = {
  cancelled: { code: 'batch_cancelled', message: 'This request was not served because the batch was cancelled.' },
  expired: {
    code: 'batch_expired',
    message: 'This request could not be served before the completion window of the batch ended.',
  },
};

/** Lines that are served one at a time after the process has ended twice at the same place. Then the others are served as ever. */
const CAREFUL_LINES = 1000;

/** A line of a batch that is being served. */
export interface BatchLine extends ClaimedLine {
  readonly run: BatchRun;
  readonly cancellation: Cancellation;
}

/** A batch in this process, from its checkpoint on. Its results and errors are in the order of its input. */
export class BatchRun {
  readonly id: string;
  readonly #source: FileSource;
  readonly #output: OrderedOutput;
  readonly #pieces: ReadStream;
  readonly #handles: readonly FileHandle[];
  /** Lines that are being served. */
  readonly #held = new Set<BatchLine>();
  readonly #isCareful: boolean;
  #firstLost: number | undefined;
  #claimed = 0;
  #earlyEnd: EarlyEnd | undefined;
  #isRead = false;
  #isClosed = false;

  private constructor(id: string, opened: Opened, { isCareful, firstLost }: BatchRunParts) {
    this.id = id;
    this.#isCareful = isCareful;
    this.#firstLost = firstLost;
    this.#output = opened.output;
    this.#source = opened.source;
    this.#pieces = opened.pieces;
    this.#handles = opened.handles;
  }

  /** Opens the files and cuts off what came after the checkpoint. Rejects with a LostOutput where they have less than that. */
  static async open({ id, checkpoint }: BatchRecord, parts: BatchRunParts): Promise<BatchRun> {
    const { files, lineBytes, save, isCareful } = parts;
    const { nextByte, nextLine, resultsBytes, errorsBytes } = checkpoint;
    const handles: FileHandle[] = [];
    try {
      // Opened first: it is missing more often than the others fail.
      const input = await open(files.input);
      handles.push(input);
      const results = await openAt(files.results, resultsBytes);
      handles.push(results);
      const errors = await openAt(files.errors, errorsBytes);
      handles.push(errors);
      const pieces = input.createReadStream({ start: nextByte, highWaterMark: PIECE_BYTES, autoClose: false });
      const lines = readLines(pieces, { startByte: nextByte, startLine: nextLine, limitBytes: lineBytes });
      const output = new OrderedOutput({ results, errors }, checkpoint, save, isCareful ? 0 : undefined);
      return new BatchRun(id, { output, source: new FileSource(lines, output), pieces, handles }, parts);
    } catch (error) {
      for (const handle of handles) await handle.close();
      throw error;
    }
  }

  get checkpoint(): Checkpoint {
    return this.#output.checkpoint;
  }

  get earlyEnd(): EarlyEnd | undefined {
    return this.#earlyEnd;
  }

  /** Whether there may be lines to claim, without a wait for slower ones before them. */
  get hasRoom(): boolean {
    if (this.#isRead || (this.#isCareful && (this.#held.size > 0 || this.isCarefulDone))) return false;
    return this.#source.hasRoom;
  }

  /** Whether every line has been read and has its result. */
  get isDone(): boolean {
    return this.#isRead && this.#held.size === 0;
  }

  /** Whether it is to be opened again for the rest, which needs no care. */
  get isCarefulDone(): boolean {
    return this.#isCareful && this.#claimed >= CAREFUL_LINES && this.#held.size === 0;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Resolves when there may be room again; rejects with what a write has failed with. */
  moved(): Promise<void> {
    return this.#output.moved();
  }

  /** Up to `most` lines to be served; none when there are no more. Rejects when the input cannot be read, or with what a write has failed with. */
  async claim(most: number, signal: AbortSignal): Promise<readonly BatchLine[]> {
    while (this.#earlyEnd !== undefined && this.hasRoom)
      for (const line of await this.#read(ENDED_LINES, signal)) await this.giveBack(line);
    if (!this.hasRoom) return [];
    const lines = await this.#read(this.#isCareful ? 1 : most, signal);
    const [first] = lines;
    if (this.#firstLost === undefined || first === undefined) return lines;
    await this.put(first, lostResult(customIdOf(first.bytes) ?? '', this.#firstLost));
    this.#firstLost = undefined;
    return lines.slice(1);
  }

  async #read(most: number, signal: AbortSignal): Promise<BatchLine[]> {
    const lines = await this.#source.claim(most, signal);
    if (lines === undefined) this.#isRead = true;
    const claimed = (lines ?? []).map((line) => ({ ...line, run: this, cancellation: new Cancellation() }));
    this.#claimed += claimed.length;
    for (const line of claimed) this.#held.add(line);
    return claimed;
  }

  /** Takes the result of a line. Rejects with what a write has failed with. */
  async put(line: BatchLine, result: JobResult): Promise<void> {
    if (!this.#held.has(line) || this.#isClosed) return;
    try {
      await this.#source.done(line, result);
      if (this.#isCareful) await this.#output.settled();
    } finally {
      this.#held.delete(line);
    }
  }

  /** A line that was not served: it has an error if the batch is to end, and else comes again, in the next process. */
  async giveBack(line: BatchLine): Promise<void> {
    if (this.#earlyEnd === undefined) return;
    const error = TOLD[this.#earlyEnd];
    const custom_id = customIdOf(line.bytes);
    const told = { id: `batch_req_${this.id}_${line.line.number}`, custom_id, response: null, error };
    await this.put(line, { line: Buffer.from(JSON.stringify(told)), kind: 'refused' });
  }

  /** Serves no more lines: those that are left have an error each. */
  end(why: EarlyEnd): void {
    if (this.#earlyEnd !== undefined) return;
    this.#earlyEnd = why;
    for (const { cancellation } of [...this.#held]) cancellation.cancel();
  }

  /** Writes what is in order, saves how far that is, and closes the files. Rejects with what a write has failed with. */
  async close(): Promise<void> {
    try {
      await this.#output.close();
    } finally {
      await this.abandon();
    }
  }

  /** Closes the files, and lets nothing more be written. */
  async abandon(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const { cancellation } of [...this.#held]) cancellation.cancel();
    await this.#output.settled();
    this.#pieces.destroy();
    for (const handle of this.#handles) await handle.close();
  }
}

interface Opened {
  readonly output: OrderedOutput;
  readonly source: FileSource;
  readonly pieces: ReadStream;
  readonly handles: readonly FileHandle[];
}

/** Results that were written are gone: no other run can have them again. */
export class LostOutput extends Error {
  constructor() {
    super('results of the batch that were written are not there any more');
  }
}

async function openAt(file: string, bytes: number): Promise<FileHandle> {
  const handle = await open(file, 'a')
    .then((made) => made.close())
    .then(() => open(file, 'r+'));
  try {
    if ((await handle.stat()).size < bytes) throw new LostOutput();
    await handle.truncate(bytes);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function customIdOf(bytes: Uint8Array): string | null {
  try {
    const { custom_id } = JSON.parse(Buffer.from(bytes).toString()) as { custom_id?: unknown };
    return typeof custom_id === 'string' ? custom_id : null;
  } catch {
    return null;
  }
}
