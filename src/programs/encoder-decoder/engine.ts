import type { SteppingRun } from '../stepping-run.ts';
import type { EncodedSource, Encoding } from './encoding.ts';
import type { Writing } from './writing.ts';

export interface EngineParts<Parameters> {
  readonly encoding: Encoding<Parameters>;
  readonly writing: Writing<EncodedSource<Parameters>>;
  /** Newcomers that have waited for so many runs begin, however few they are; default: they wait until they are enough. */
  readonly patienceRuns?: number;
}

/**
 * Models that read a source by an encoder, and write a text by a decoder. Newcomers are encoded together, and their texts are begun together, once they are as many as the
 * texts that are being written: rows of a run must have texts of one length, so a text that began alone would stay alone, and a
 * lane gets more done once the texts before are out of the way. No newcomer has to wait for the last of many.
 */
export class EncoderDecoder<Parameters> {
  readonly encoding: Encoding<Parameters>;
  readonly writing: Writing<EncodedSource<Parameters>>;
  readonly #patienceRuns: number;
  /** Runs that newcomers have waited for. */
  #waited = 0;

  constructor({ encoding, writing, patienceRuns = Infinity }: EngineParts<Parameters>) {
    this.encoding = encoding;
    this.writing = writing;
    this.#patienceRuns = patienceRuns;
  }

  has(id: number): boolean {
    return this.encoding.has(id) || this.writing.has(id);
  }

  keepOnly(stays: (id: number) => boolean): void {
    this.encoding.keepOnly(stays);
    this.writing.keepOnly(stays);
  }

  /** Encodes or begins newcomers, or takes further steps of the texts that are being written. */
  async advance(run: SteppingRun): Promise<void> {
    const { encoding, writing } = this;
    if (!this.#newcomersFirst()) {
      if (encoding.waiting > 0) this.#waited += 1;
      return writing.steps(run);
    }
    await encoding.encode(run);
    const enough = encoding.encoded >= writing.cohortRows;
    if (run.fatal !== undefined || (!enough && encoding.waiting > 0)) return;
    this.#waited = 0;
    await writing.begin(encoding.takeEncoded(), run);
  }

  #newcomersFirst(): boolean {
    const { encoding, writing } = this;
    if (encoding.encoded > 0) return true;
    return encoding.waiting > 0 && (encoding.waiting >= writing.size || this.#waited >= this.#patienceRuns);
  }
}
