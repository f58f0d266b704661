import type { CreateSampler } from './sampling.ts';
import { interpolate, spacedTimesteps } from './schedule.ts';

/** The least share of the signal, as in diffusers: with none left, sigma would be infinite. */
const LEAST_ALPHA = 2 ** -24;

/**
 * Euler's method on the noise level sigma (Karras et al. 2022, arXiv 2206.00364, algorithm 2 without churn), with the same steps as
 * diffusers' EulerDiscreteScheduler: latents are clean + sigma * noise, and the unet sees them scaled down to variance 1.
 */
export const createEuler: CreateSampler = (config, alphas, steps) => {
  const levels = alphas.map((share) => {
    const alpha = config.zeroSnr ? Math.max(share, LEAST_ALPHA) : share;
    return Math.sqrt((1 - alpha) / alpha);
  });
  const spacing = config.spacing ?? 'linspace';
  const timesteps = spacedTimesteps(config, spacing, steps);
  const sigmas = [...timesteps.map((timestep) => interpolate(levels, timestep)), 0];
  const first = Math.max(...sigmas);
  return {
    timesteps,
    startScale: spacing === 'leading' ? Math.sqrt(first ** 2 + 1) : first,
    inputScale: (index) => 1 / Math.sqrt((sigmas[index] ?? 0) ** 2 + 1),
    step({ index, latents, output }) {
      const sigma = sigmas[index] ?? 0;
      const change = (sigmas[index + 1] ?? 0) - sigma;
      const variance = sigma ** 2 + 1;
      const slope = slopeOf(config.prediction, sigma, variance);
      return latents.map((latent, at) => latent + slope(output[at] ?? 0, latent) * change);
    },
  };
};

/** (latents - clean) / sigma, where `clean` is what the output stands for. */
function slopeOf(
  prediction: 'epsilon' | 'v_prediction' | 'sample',
  sigma: number,
  variance: number,
): (output: number, latent: number) => number {
  switch (prediction) {
    case 'epsilon':
      return (output) => output;
    case 'sample':
      return (output, latent) => (latent - output) / sigma;
    case 'v_prediction':
      return (output, latent) => (latent - (latent / variance - (output * sigma) / Math.sqrt(variance))) / sigma;
  }
}
