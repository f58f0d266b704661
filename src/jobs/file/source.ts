import type { JobResult } from '../result.ts';
import { messageOf } from '../../errors.ts';
import { SourceError, type ClaimedJob, type JobSource } from '../source.ts';
import type { Line } from './lines.ts';
import type { OrderedOutput } from './ordered-output.ts';

/** A line of the input that is being served. */
export interface ClaimedLine extends ClaimedJob {
  /** Among the lines read by this process; counts from 0. */
  readonly index: number;
  readonly line: Line;
}

/** Results may wait for an earlier line that takes long, up to these; then no more lines are read. */
const MOST_AHEAD_LINES = 10_000;
const MOST_AHEAD_BYTES = 64 * 1024 * 1024;

const TOO_LONG = 'it is longer than BODY_LIMIT_BYTES';

/** The lines of a file as jobs. */
export class FileSource implements JobSource<ClaimedLine> {
  readonly name = 'file';
  readonly #pieces: AsyncIterator<readonly Line[]>;
  readonly #output: OrderedOutput;
  #lines: readonly Line[] = [];
  #used = 0;
  #count = 0;

  constructor(lines: AsyncIterable<readonly Line[]>, output: OrderedOutput) {
    this.#pieces = lines[Symbol.asyncIterator]();
    this.#output = output;
  }

  async claim(most: number, signal: AbortSignal): Promise<readonly ClaimedLine[] | undefined> {
    try {
      await this.#room(signal);
      const lines = await this.#read(most);
      return lines?.map((line) => this.#claimed(line));
    } catch (error) {
      throw new SourceError(messageOf(error), { cause: error });
    }
  }

  /** Whether results of more lines may wait for an earlier one. */
  get hasRoom(): boolean {
    return this.#count - this.#output.next < MOST_AHEAD_LINES && this.#output.heldBytes < MOST_AHEAD_BYTES;
  }

  async #room(signal: AbortSignal): Promise<void> {
    while (!this.hasRoom) {
      if (signal.aborted) return;
      await this.#output.moved();
    }
  }

  async #read(most: number): Promise<readonly Line[] | undefined> {
    if (this.#used === this.#lines.length) {
      const next = await this.#pieces.next();
      if (next.done === true) return undefined;
      this.#lines = next.value;
      this.#used = 0;
    }
    const lines = this.#lines.slice(this.#used, this.#used + most);
    this.#used += lines.length;
    return lines;
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- what it throws is a rejection
  async done({ index, line: { number, endByte } }: ClaimedLine, { line, kind }: JobResult): Promise<void> {
    this.#output.put(index, { line, isAnswer: kind === 'answered', number, endByte });
  }

  /** Its line and those after it are read again by the next process. */
  async giveBack(): Promise<void> {}

  close(): Promise<void> {
    return this.#output.close();
  }

  #claimed(line: Line): ClaimedLine {
    const index = this.#count;
    this.#count += 1;
    const { bytes, number, isTooLong } = line;
    return { index, line, bytes, place: `line ${number}`, ...(isTooLong ? { problem: TOO_LONG } : {}) };
  }
}
