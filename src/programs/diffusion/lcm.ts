import { clipper, estimator, type CreateSampler, type Estimate } from './sampling.ts';

/** The standard deviation of the data that the boundary conditions assume. */
const SIGMA_DATA = 0.5;

/**
 * Multistep consistency sampling of latent consistency models (Luo et al. 2023, arXiv 2310.04378, algorithm 3), with the same
 * steps as diffusers' LCMScheduler: each goes to clean latents at once, and all but the last add noise again. Throws a plain Error when there are more
 * steps than `originalSteps`.
 */
export const createLcm: CreateSampler = (config, alphas, steps) => {
  const timesteps = lcmTimesteps(config.trainSteps, config.originalSteps, steps);
  const finalAlpha = config.setAlphaToOne ? 1 : (alphas[0] ?? 1);
  const clip = clipper(config, false);
  return {
    timesteps,
    startScale: 1,
    inputScale: () => 1,
    step({ index, latents, output, nextNoise }) {
      const timestep = timesteps[index] ?? 0;
      const estimate = estimator(config.prediction, alphas[timestep] ?? 1);
      const scaled = timestep * config.timestepScaling;
      const keep = SIGMA_DATA ** 2 / (scaled ** 2 + SIGMA_DATA ** 2);
      const take = scaled / Math.sqrt(scaled ** 2 + SIGMA_DATA ** 2);
      const parts: Estimate = { clean: 0, noise: 0 };
      const clean = latents.map((latent, at) => {
        estimate(output[at] ?? 0, latent, parts);
        return take * clip(parts.clean) + keep * latent;
      });
      const next = timesteps[index + 1];
      if (next === undefined) return clean;
      const nextAlpha = alphas[next] ?? finalAlpha;
      const noise = nextNoise();
      return clean.map((value, at) => Math.sqrt(nextAlpha) * value + Math.sqrt(1 - nextAlpha) * (noise[at] ?? 0));
    },
  };
};

/** Timesteps spread evenly over those at which the model was distilled. */
function lcmTimesteps(trainSteps: number, originalSteps: number, steps: number): number[] {
  if (steps > originalSteps) throw new Error(`LCM takes at most ${originalSteps} steps here, not ${steps}`);
  const stride = Math.floor(trainSteps / originalSteps);
  return Array.from(
    { length: steps },
    (_, step) => (originalSteps - Math.floor((step * originalSteps) / steps)) * stride - 1,
  );
}
