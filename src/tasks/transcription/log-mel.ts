import { Fourier } from './fourier.ts';
import { melFilters, type MelFilter } from './mel-filters.ts';

/** Whisper's constants: every model of the family has them. */
export const SAMPLE_RATE_HZ = 16_000;
export const WINDOW_SECONDS = 30;
export const WINDOW_SAMPLES = SAMPLE_RATE_HZ * WINDOW_SECONDS;
export const HOP_SAMPLES = 160;
export const FRAMES = WINDOW_SAMPLES / HOP_SAMPLES;
const FFT_LENGTH = 400;
const BINS = FFT_LENGTH / 2 + 1;
const HALF = FFT_LENGTH / 2;

/** Powers below it count as this much. */
const FLOOR = 1e-10;

/**
 * Log-mel features of up to 30 s of samples at 16 kHz, [mels, 3000] row-major, equal to those of Whisper's own extractor: zeros up to 30 s,
 * centred Hann frames with reflected edges, power, Slaney mel bands, log10, the lowest 8 decades below the loudest cut off, (x + 4) / 4.
 */
export class LogMel {
  readonly mels: number;
  readonly #fourier = new Fourier(FFT_LENGTH);
  readonly #hann = Float64Array.from(
    { length: FFT_LENGTH },
    (_, index) => 0.5 - 0.5 * Math.cos((2 * Math.PI * index) / FFT_LENGTH),
  );
  readonly #filters: readonly MelFilter[];
  readonly #frames: [Float64Array, Float64Array] = [new Float64Array(FFT_LENGTH), new Float64Array(FFT_LENGTH)];
  readonly #powers: [Float64Array, Float64Array] = [new Float64Array(BINS), new Float64Array(BINS)];

  constructor(mels: number) {
    this.mels = mels;
    this.#filters = melFilters(mels, FFT_LENGTH, SAMPLE_RATE_HZ);
  }

  /** Samples beyond 30 s are not heard. */
  features(samples: Float32Array): Float32Array<ArrayBuffer> {
    const features = new Float32Array(this.mels * FRAMES).fill(Math.log10(FLOOR));
    // Frames that begin after the last sample hold only zeros; only a full window reaches its reflected end.
    const heard = Math.min(samples.length, WINDOW_SAMPLES);
    const used = Math.min(FRAMES, Math.ceil((heard + HALF) / HOP_SAMPLES));
    for (let frame = 0; frame < used; frame += 2) {
      this.#cut(samples, frame, this.#frames[0]);
      this.#cut(samples, frame + 1, this.#frames[1]);
      this.#fourier.powers(this.#frames, this.#powers);
      this.#bands(this.#powers[0], features, frame);
      if (frame + 1 < FRAMES) this.#bands(this.#powers[1], features, frame + 1);
    }
    return scale(features);
  }

  #cut(samples: Float32Array, frame: number, into: Float64Array): void {
    const hann = this.#hann;
    const first = frame * HOP_SAMPLES - HALF;
    const length = Math.min(samples.length, WINDOW_SAMPLES);
    if (first >= 0 && first + FFT_LENGTH <= length) {
      for (let at = 0; at < FFT_LENGTH; at += 1) into[at] = (samples[first + at] as number) * (hann[at] as number);
      return;
    }
    for (let at = 0; at < FFT_LENGTH; at += 1) {
      let place = Math.abs(first + at);
      if (place >= WINDOW_SAMPLES) place = 2 * (WINDOW_SAMPLES - 1) - place;
      into[at] = place < length ? (samples[place] as number) * (hann[at] as number) : 0;
    }
  }

  #bands(powers: Float64Array, features: Float32Array, frame: number): void {
    for (const [mel, { firstBin, weights }] of this.#filters.entries()) {
      let sum = 0;
      for (let at = 0; at < weights.length; at += 1) sum += (weights[at] as number) * (powers[firstBin + at] as number);
      features[mel * FRAMES + frame] = Math.log10(Math.max(FLOOR, sum));
    }
  }
}

function scale(features: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  let most = -Infinity;
  for (const value of features) if (value > most) most = value;
  const least = most - 8;
  for (let at = 0; at < features.length; at += 1) features[at] = (Math.max(least, features[at] as number) + 4) / 4;
  return features;
}
