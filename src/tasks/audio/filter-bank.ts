import { Fourier } from '../transcription/fourier.ts';
import { SAMPLE_RATE_HZ } from '../transcription/log-mel.ts';
import type { MelFilter } from '../transcription/mel-filters.ts';

/** Frames of 25 ms every 10 ms, at 16 kHz. */
const FRAME = 400;
const HOP = 160;
const FFT_LENGTH = 512;
const BINS = FFT_LENGTH / 2 + 1;
const PREEMPHASIS = 0.97;
const LEAST_HZ = 20;
/** Energies below it count as this much: the step of float32 at 1. */
const FLOOR = 1.192092955078125e-7;

/** Kaldi's mel scale. */
function toMel(hz: number): number {
  return 1127 * Math.log(1 + hz / 700);
}

/** Triangles of equal width on the mel scale, from 20 Hz to half the sample rate, with peaks of 1. */
export function kaldiFilters(count: number): MelFilter[] {
  const least = toMel(LEAST_HZ);
  const step = (toMel(SAMPLE_RATE_HZ / 2) - least) / (count + 1);
  return Array.from({ length: count }, (_, index) => {
    const low = least + index * step;
    const heights = Array.from({ length: BINS }, (__, bin) => {
      const mel = toMel((bin * SAMPLE_RATE_HZ) / FFT_LENGTH);
      return Math.max(0, Math.min((mel - low) / step, (low + 2 * step - mel) / step));
    });
    const firstBin = heights.findIndex((height) => height > 0);
    if (firstBin === -1) return { firstBin: 0, weights: new Float64Array(0) };
    const lastBin = heights.findLastIndex((height) => height > 0);
    return { firstBin, weights: Float64Array.from(heights.slice(firstBin, lastBin + 1)) };
  });
}

/**
 * Log energies of mel bands as Kaldi computes them (`compute-fbank-feats` without dither, with a symmetric Hann window) and ASTFeatureExtractor of transformers
 * takes them: each frame less its mean, pre-emphasis, power spectrum, natural logarithm.
 */
export class FilterBank {
  readonly mels: number;
  readonly #filters: readonly MelFilter[];
  readonly #fourier = new Fourier(FFT_LENGTH);
  readonly #window = Float64Array.from(
    { length: FRAME },
    (_, at) => 0.5 - 0.5 * Math.cos((2 * Math.PI * at) / (FRAME - 1)),
  );
  readonly #frames: [Float64Array, Float64Array] = [new Float64Array(FFT_LENGTH), new Float64Array(FFT_LENGTH)];
  readonly #powers: [Float64Array, Float64Array] = [new Float64Array(BINS), new Float64Array(BINS)];

  constructor(mels: number) {
    this.mels = mels;
    this.#filters = kaldiFilters(mels);
  }

  /** Features [frames, mels] of samples at 16 kHz, at most so many frames. */
  features(samples: Float32Array, mostFrames: number): Float32Array<ArrayBuffer> {
    const frames = Math.min(mostFrames, samples.length < FRAME ? 0 : 1 + Math.floor((samples.length - FRAME) / HOP));
    const features = new Float32Array(frames * this.mels);
    for (let frame = 0; frame < frames; frame += 2) {
      this.#cut(samples, frame, this.#frames[0]);
      this.#cut(samples, Math.min(frame + 1, frames - 1), this.#frames[1]);
      this.#fourier.powers(this.#frames, this.#powers);
      this.#bands(this.#powers[0], features, frame);
      if (frame + 1 < frames) this.#bands(this.#powers[1], features, frame + 1);
    }
    return features;
  }

  #cut(samples: Float32Array, frame: number, into: Float64Array): void {
    const first = frame * HOP;
    let sum = 0;
    for (let at = 0; at < FRAME; at += 1) sum += samples[first + at] as number;
    const mean = sum / FRAME;
    let before = (samples[first] as number) - mean;
    for (let at = 0; at < FRAME; at += 1) {
      const value = (samples[first + at] as number) - mean;
      into[at] = (value - PREEMPHASIS * before) * (this.#window[at] as number);
      before = value;
    }
  }

  #bands(powers: Float64Array, features: Float32Array, frame: number): void {
    for (const [mel, { firstBin, weights }] of this.#filters.entries()) {
      let sum = 0;
      for (let at = 0; at < weights.length; at += 1) sum += (weights[at] as number) * (powers[firstBin + at] as number);
      features[frame * this.mels + mel] = Math.log(Math.max(FLOOR, sum));
    }
  }
}
