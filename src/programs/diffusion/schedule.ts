import type { SchedulerConfig } from '../../tasks/text-to-image/scheduler-config.ts';

/**
 * The noise at each of a model's training timesteps, and which of them a request visits: the arithmetic that diffusers' schedulers
 * have in common (docs of diffusers, "Schedulers"; Ho et al. 2020, arXiv 2006.11239).
 */

/** The share of the signal's variance left at each timestep: the running product of 1 - beta. */
export function cumulativeAlphas(config: SchedulerConfig): Float64Array {
  let product = 1;
  const alphas = Float64Array.from(betas(config), (beta) => {
    product *= 1 - beta;
    return product;
  });
  return config.zeroSnr ? toZeroSnr(alphas) : alphas;
}

function betas({ betaSchedule, betaStart, betaEnd, trainSteps }: SchedulerConfig): Float64Array {
  const between = (from: number, to: number, at: number): number => from + ((to - from) * at) / (trainSteps - 1);
  const cosine = (at: number): number => Math.cos(((at / trainSteps + 0.008) / 1.008) * (Math.PI / 2)) ** 2;
  return Float64Array.from({ length: trainSteps }, (_, at) => {
    switch (betaSchedule) {
      case 'linear':
        return between(betaStart, betaEnd, at);
      case 'scaled_linear':
        return between(Math.sqrt(betaStart), Math.sqrt(betaEnd), at) ** 2;
      case 'squaredcos_cap_v2':
        return Math.min(1 - cosine(at + 1) / cosine(at), 0.999);
    }
  });
}

/** Shifts and scales the roots so that nothing of the signal is left at the last timestep (Lin et al. 2023, arXiv 2305.08891, algorithm 1). */
function toZeroSnr(alphas: Float64Array): Float64Array {
  const first = Math.sqrt(alphas[0] ?? 1);
  const last = Math.sqrt(alphas.at(-1) ?? 0);
  return alphas.map((alpha) => (((Math.sqrt(alpha) - last) * first) / (first - last)) ** 2);
}

/**
 * The timesteps that `steps` steps visit, noisiest first (Lin et al. 2023, table 2). They are integers except for `linspace`, where
 * the caller decides about rounding. Throws a plain Error when there are more steps than timesteps.
 */
export function spacedTimesteps(
  { trainSteps, stepsOffset }: SchedulerConfig,
  spacing: 'leading' | 'trailing' | 'linspace',
  steps: number,
): number[] {
  if (steps > trainSteps) throw new Error(`${steps} steps are more than the ${trainSteps} timesteps of the schedule`);
  const all = Array.from({ length: steps }, (_, step) => step);
  switch (spacing) {
    case 'leading': {
      const stride = Math.floor(trainSteps / steps);
      // With an offset and a short stride, the first would lie beyond the schedule's end.
      return all.map((step) => Math.min((steps - 1 - step) * stride + stepsOffset, trainSteps - 1));
    }
    case 'trailing':
      return all.map((step) => roundToEven(trainSteps - (step * trainSteps) / steps) - 1);
    case 'linspace':
      return all.map((step) => (steps === 1 ? 0 : (trainSteps - 1) * (1 - step / (steps - 1))));
  }
}

/** Rounds halves to the even neighbour, as numpy does. */
export function roundToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below;
}

/** The value of a schedule at a timestep that may lie between two. */
export function interpolate(values: Float64Array, at: number): number {
  const below = Math.min(Math.max(Math.floor(at), 0), values.length - 1);
  const above = Math.min(below + 1, values.length - 1);
  const low = values[below] ?? NaN;
  return low + ((values[above] ?? NaN) - low) * (at - below);
}
