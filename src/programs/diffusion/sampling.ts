import type { SchedulerConfig } from '../../tasks/text-to-image/scheduler-config.ts';

/** The inputs of one step: the latents, and the unet's output for them. */
export interface SamplerStep {
  readonly index: number;
  readonly latents: Float32Array;
  /** The unet's output with guidance applied; its meaning is the model's `prediction`. */
  readonly output: Float32Array;
  /** New standard normal noise at each call; used only by samplers that add noise. */
  readonly nextNoise: () => Float32Array;
}

/** The steps from noise to latents, for a number of steps. It has no state: a step depends only on its arguments. */
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

/** The clean latents and the noise that an output of the unet stands for. */
export interface Estimate {
  clean: number;
  noise: number;
}

/**
 * What an output means, for samplers that keep the variance (x = sqrt(alpha) clean + sqrt(1 - alpha) noise); v = sqrt(alpha) noise -
 * sqrt(1 - alpha) clean (Salimans and Ho 2022, arXiv 2202.00512). The result is written into `into`, because this runs for every element.
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
