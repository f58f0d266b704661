import { ServerError } from '../../errors.ts';
import { SAMPLE_RATE_HZ } from './log-mel.ts';

const BLOCK_SECONDS = 10;
const BLOCK_SAMPLES = BLOCK_SECONDS * SAMPLE_RATE_HZ;

/**
 * Decoded audio: mono, 16 kHz, 16 bits (as Whisper's own loader decodes it), in shared blocks: every thread reads the same memory, and
 * an hour takes 115 MB once.
 */
export interface Pcm {
  readonly blocks: readonly SharedArrayBuffer[];
  readonly samples: number;
}

/** The argument of the task's calls `samples`, `features` and `loudness`. */
export interface StretchCall {
  readonly pcm: Pcm;
  readonly start: number;
  readonly end: number;
}

export function tooLong(maxSeconds: number): ServerError {
  return new ServerError('TOO_LARGE', `The audio is longer than the ${maxSeconds} s that this model takes.`);
}

const DROPPED = new SharedArrayBuffer(0);

/** Samples from -1 to 1 as 16 bits; louder ones are clipped, NaN is 0. */
export function toInt16(values: Float32Array): Int16Array<ArrayBuffer> {
  const whole = new Int16Array(values.length);
  for (let index = 0; index < values.length; index += 1) {
    const value = Math.round((values[index] as number) * 32_768);
    whole[index] = value > 32_767 ? 32_767 : value < -32_768 ? -32_768 : value;
  }
  return whole;
}

/** Gathers samples into blocks. */
export class PcmWriter {
  readonly #limitSamples: number;
  readonly #blocks: SharedArrayBuffer[] = [];
  #last: Int16Array = new Int16Array(0);
  #used = 0;
  #dropped = 0;

  constructor(maxSeconds: number) {
    this.#limitSamples = maxSeconds * SAMPLE_RATE_HZ;
  }

  get samples(): number {
    return this.#blocks.length * BLOCK_SAMPLES - (this.#last.length - this.#used);
  }

  /** Adds samples as they are. Throws TOO_LARGE beyond the limit. */
  write(values: Int16Array): void {
    let at = 0;
    while (at < values.length) {
      const count = this.#room(values.length - at);
      this.#last.set(values.subarray(at, at + count), this.#used - count);
      at += count;
    }
  }

  /** The audio so far. */
  finish(): Pcm {
    return { blocks: this.#blocks, samples: this.samples };
  }

  /** Frees blocks that end before this sample; they must not be read again. */
  dropBefore(sample: number): void {
    const end = Math.min(Math.floor(sample / BLOCK_SAMPLES), this.#blocks.length);
    for (; this.#dropped < end; this.#dropped += 1) this.#blocks[this.#dropped] = DROPPED;
  }

  /** Claims up to `wanted` samples at the end of the last block, or of a new one. */
  #room(wanted: number): number {
    if (this.samples + wanted > this.#limitSamples) throw tooLong(this.#limitSamples / SAMPLE_RATE_HZ);
    if (this.#used === this.#last.length) {
      const block = new SharedArrayBuffer(BLOCK_SAMPLES * 2);
      this.#blocks.push(block);
      this.#last = new Int16Array(block);
      this.#used = 0;
    }
    const count = Math.min(wanted, this.#last.length - this.#used);
    this.#used += count;
    return count;
  }
}

/** Samples from `start` to `end` (not included), from -1 to 1. */
export function readPcm(pcm: Pcm, start: number, end: number): Float32Array {
  const values = new Float32Array(Math.max(0, Math.min(end, pcm.samples) - start));
  let at = 0;
  for (const whole of wholeSamples(pcm, start, end)) {
    for (let index = 0; index < whole.length; index += 1) values[at + index] = (whole[index] as number) / 32_768;
    at += whole.length;
  }
  return values;
}

/** Samples from `start` to `end` (not included) as they lie in their blocks. */
export function* wholeSamples({ blocks, samples }: Pcm, start: number, end: number): Generator<Int16Array> {
  const last = Math.min(end, samples);
  for (let at = start; at < last;) {
    const block = blocks[Math.floor(at / BLOCK_SAMPLES)];
    if (block === undefined) return;
    const offset = at % BLOCK_SAMPLES;
    const count = Math.min(last - at, BLOCK_SAMPLES - offset);
    yield new Int16Array(block, offset * 2, count);
    at += count;
  }
}

/** A stretch of samples with only the blocks that hold it, for another thread. */
export function slicePcm(
  { blocks, samples }: Pcm,
  start: number,
  end: number,
): { pcm: Pcm; start: number; end: number } {
  const first = Math.floor(start / BLOCK_SAMPLES);
  const skipped = first * BLOCK_SAMPLES;
  return {
    pcm: { blocks: blocks.slice(first, Math.ceil(end / BLOCK_SAMPLES)), samples: samples - skipped },
    start: start - skipped,
    end: end - skipped,
  };
}
