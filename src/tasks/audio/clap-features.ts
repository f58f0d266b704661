import { z } from 'zod';
import { Fourier } from '../transcription/fourier.ts';
import { melFilters, type MelFilter } from '../transcription/mel-filters.ts';
import type { SoundFeatures } from './features.ts';

/** What CLAP is given of a sound: ClapFeatureExtractor of transformers, of models without feature fusion. */

export const clapSchema = z.object({
  feature_size: z.number().int().min(1).max(512).default(64),
  sampling_rate: z.number().int().min(1000).max(192_000).default(48_000),
  hop_length: z.number().int().min(1).max(10_000).default(480),
  fft_window_size: z.literal([512, 1024, 2048]).default(1024),
  max_length_s: z.number().positive().max(60).default(10),
  frequency_min: z.number().min(0).default(0),
  frequency_max: z.number().positive().default(14_000),
  padding: z.enum(['repeatpad', 'repeat', 'pad']).default('repeatpad'),
  truncation: z.literal('rand_trunc', 'models with feature fusion are not served').default('rand_trunc'),
});
export type ClapConfig = z.output<typeof clapSchema>;

/** Powers below it count as this much. */
const FLOOR = 1e-10;

/** Log-mel features in dB, [1, frames, mels], of sounds at `sampling_rate`, repeated or filled up with 0 to `max_length_s`. */
export class ClapFeatures {
  readonly #config: ClapConfig;
  readonly #filters: readonly MelFilter[];
  readonly #fourier: Fourier;
  readonly #window: Float64Array;

  constructor(config: ClapConfig) {
    const { feature_size: mels, fft_window_size: length, sampling_rate: rate } = config;
    this.#config = config;
    this.#filters = melFilters(mels, length, rate, [config.frequency_min, config.frequency_max]);
    this.#fourier = new Fourier(length);
    this.#window = Float64Array.from({ length }, (_, at) => 0.5 - 0.5 * Math.cos((2 * Math.PI * at) / length));
  }

  /** Samples from -1 to 1; those beyond the length are not heard. */
  read(samples: Float32Array): SoundFeatures {
    const { hop_length: hop, fft_window_size: length, feature_size: mels } = this.#config;
    const filled = this.#filled(samples);
    const frames = 1 + Math.floor(filled.length / hop);
    const values = new Float32Array(frames * mels);
    const pair: [Float64Array, Float64Array] = [new Float64Array(length), new Float64Array(length)];
    const powers: [Float64Array, Float64Array] = [new Float64Array(length / 2 + 1), new Float64Array(length / 2 + 1)];
    for (let frame = 0; frame < frames; frame += 2) {
      this.#cut(filled, frame * hop, pair[0]);
      this.#cut(filled, (frame + 1) * hop, pair[1]);
      this.#fourier.powers(pair, powers);
      for (const [at, own] of powers.entries())
        if (frame + at < frames) this.#bands(own, values.subarray((frame + at) * mels, (frame + at + 1) * mels));
    }
    return { shape: [1, frames, mels], values };
  }

  #filled(samples: Float32Array): Float32Array {
    const { max_length_s: seconds, sampling_rate: rate, padding } = this.#config;
    const length = Math.floor(seconds * rate);
    const filled = new Float32Array(length);
    const whole = Math.floor(length / Math.max(1, samples.length));
    const repeats = padding === 'pad' ? 1 : padding === 'repeat' ? whole + 1 : Math.max(1, whole);
    for (let at = 0; at < repeats && at * samples.length < length; at += 1)
      filled.set(samples.subarray(0, length - at * samples.length), at * samples.length);
    return filled;
  }

  /** A frame around a sample; the ends are reflected. */
  #cut(samples: Float32Array, centre: number, into: Float64Array): void {
    const first = centre - into.length / 2;
    const last = samples.length - 1;
    for (let at = 0; at < into.length; at += 1) {
      const place = Math.abs(first + at);
      into[at] = (samples[place > last ? 2 * last - place : place] ?? 0) * (this.#window[at] as number);
    }
  }

  #bands(powers: Float64Array, into: Float32Array): void {
    for (const [mel, { firstBin, weights }] of this.#filters.entries()) {
      let sum = 0;
      for (let at = 0; at < weights.length; at += 1) sum += (weights[at] as number) * (powers[firstBin + at] as number);
      into[mel] = 10 * Math.log10(Math.max(FLOOR, sum));
    }
  }
}
