import { clipper, estimator, type CreateSampler, type Estimate } from './sampling.ts';
import { roundToEven, spacedTimesteps } from './schedule.ts';

/** DDIM with eta 0, so without added noise (Song et al. 2020, arXiv 2010.02502, equation 12), with the same steps as diffusers' DDIMScheduler. */
export const createDdim: CreateSampler = (config, alphas, steps) => {
  const timesteps = spacedTimesteps(config, config.spacing ?? 'leading', steps).map(roundToEven);
  const stride = Math.floor(config.trainSteps / steps);
  const finalAlpha = config.setAlphaToOne ? 1 : (alphas[0] ?? 1);
  const clip = clipper(config, true);
  return {
    timesteps,
    startScale: 1,
    inputScale: () => 1,
    step({ index, latents, output }) {
      const timestep = timesteps[index] ?? 0;
      const estimate = estimator(config.prediction, alphas[timestep] ?? 1);
      const nextAlpha = alphas[timestep - stride] ?? finalAlpha;
      const signal = Math.sqrt(nextAlpha);
      const direction = Math.sqrt(1 - nextAlpha);
      const parts: Estimate = { clean: 0, noise: 0 };
      return latents.map((latent, at) => {
        estimate(output[at] ?? 0, latent, parts);
        return signal * clip(parts.clean) + direction * parts.noise;
      });
    },
  };
};
