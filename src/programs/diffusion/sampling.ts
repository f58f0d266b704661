import type { SchedulerConfig } from '../../tasks/text-to-image/scheduler-config.ts';

/** One step of a request: what there was, and what the unet said of it. */
export interface SamplerStep {
  readonly index: number;
  readonly latents: Float32Array;
  /** The unet's output, guidance applied; in the model's own terms (`prediction`). */
  readonly output: Float32Array;
  /** Standard normal noise, new at each call; only samplers that add noise ask for it. */
  readonly nextNoise: () => Float32Array;
}

/** The way from noise to latents, for a number of steps. It has no state: a step depends on its arguments alone. */
export interface Sampler {
  /** One for each step, noisiest first. */
  readonly timesteps: readonly number[];
  /** The first latents are standard normal noise times this. */
  readonly startScale: number;
  /** The unet sees the latents times this. */
  inputScale(index: number): number;
  /** The latents after the step. */
  step(step: SamplerStep): Float32Array;
}

export type CreateSampler = (config: SchedulerConfig, alphas: Float64Array, steps: number) => Sampler;

/** Clean latents and noise that an output of the unet stands for, at a timestep with this share of signal. */
export interface Estimate {
  clean: number;
  noise: number;
}

/**
 * What an output means, for samplers that keep the variance (x = sqrt(alpha) clean + sqrt(1 - alpha) noise); v = sqrt(alpha) noise -
 * sqrt(1 - alpha) clean (Salimans and Ho 2022, arXiv 2202.00512). Written into `into`: this runs once an element.
 */
export function estimator(
  prediction: SchedulerConfig['prediction'],
  alpha: number,
): (output: number, latent: number, into: Estimate) => void {
  const signal = Math.sqrt(alpha);
  const noise = Math.sqrt(1 - alpha);
  switch (prediction) {
    case 'epsilon':
      return (output, latent, into) => {
        into.clean = (latent - noise * output) / signal;
        into.noise = output;
      };
    case 'sample':
      return (output, latent, into) => {
        into.clean = output;
        into.noise = (latent - signal * output) / noise;
      };
    case 'v_prediction':
      return (output, latent, into) => {
        into.clean = signal * latent - noise * output;
        into.noise = signal * output + noise * latent;
      };
  }
}

/** Keeps clean latents within the range that the config sets, if any. */
export function clipper({ clip, clipRange }: SchedulerConfig, byDefault: boolean): (value: number) => number {
  if (!(clip ?? byDefault)) return (value) => value;
  return (value) => Math.min(Math.max(value, -clipRange), clipRange);
}
