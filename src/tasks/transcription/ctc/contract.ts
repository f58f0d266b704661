import { SAMPLE_RATE_HZ } from '../log-mel.ts';

/**
 * What passes between the transcription task and the ctc program on the lanes, besides the names of `speech-work.ts`: a ticket's FEATURES are samples, FP32 [1, n];
 * its TOKENS the likeliest token of each frame, INT32 [1, frames].
 */

/** FP32 [1, frames]: the log probability of each of TOKENS. */
export const SCORES = 'scores';

/** A convolution over time without padding. */
export interface Convolution {
  readonly kernel: number;
  readonly stride: number;
}

/** Options of the program. */
export interface CtcOptions {
  /** From samples to frames. */
  readonly convolutions: readonly Convolution[];
  /** Padding behind a mask changes nothing: no layer takes a mean over time. */
  readonly canPad: boolean;
}

/** Frames that convolutions make of so many samples; 0 where they are too few for one. */
export function framesOf(samples: number, convolutions: readonly Convolution[]): number {
  return convolutions.reduce(
    (length, { kernel, stride }) => Math.max(0, Math.floor((length - kernel) / stride) + 1),
    samples,
  );
}

/** The fewest samples of which convolutions make so many frames. */
export function leastSamples(frames: number, convolutions: readonly Convolution[]): number {
  return convolutions.reduceRight((length, { kernel, stride }) => (length - 1) * stride + kernel, frames);
}

/** Samples from one frame to the next. */
export function frameSamples(convolutions: readonly Convolution[]): number {
  return convolutions.reduce((samples, { stride }) => samples * stride, 1);
}

/** Lengths that share runs, padded to the longest, in seconds. */
export const BUCKET_SECONDS: readonly number[] = [1, 2, 4, 8, 15, 30];

/** The shortest of these lengths that holds so many samples; the longest for more. */
export function bucketSeconds(samples: number): number {
  return BUCKET_SECONDS.find((seconds) => samples <= seconds * SAMPLE_RATE_HZ) ?? BUCKET_SECONDS.at(-1) ?? 0;
}
