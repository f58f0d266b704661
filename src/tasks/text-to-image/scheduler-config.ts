import { z } from 'zod';

/** A pipeline's scheduler_config.json, as diffusers writes it. */

/** The schedulers that are built in. */
export const SCHEDULERS = ['ddim', 'euler', 'lcm'] as const;
export type SchedulerName = (typeof SCHEDULERS)[number];

const CLASSES: Readonly<Record<string, SchedulerName>> = {
  DDIMScheduler: 'ddim',
  EulerDiscreteScheduler: 'euler',
  LCMScheduler: 'lcm',
};

/** Switches that change the numbers and are not implemented here: a model that sets one would draw something else. */
const off = z.literal(false).nullish();

const schema = z.object({
  _class_name: z.string().default(''),
  num_train_timesteps: z.number().int().min(2).max(100_000).default(1000),
  beta_start: z.number().positive().max(1),
  beta_end: z.number().positive().max(1),
  beta_schedule: z.enum(['linear', 'scaled_linear', 'squaredcos_cap_v2']),
  trained_betas: z.null().optional(),
  prediction_type: z.enum(['epsilon', 'v_prediction', 'sample']).default('epsilon'),
  timestep_spacing: z.enum(['leading', 'trailing', 'linspace']).optional(),
  steps_offset: z.number().int().min(0).default(0),
  set_alpha_to_one: z.boolean().default(true),
  clip_sample: z.boolean().optional(),
  clip_sample_range: z.number().positive().default(1),
  rescale_betas_zero_snr: z.boolean().default(false),
  original_inference_steps: z.number().int().min(1).default(50),
  timestep_scaling: z.number().positive().default(10),
  thresholding: off,
  use_karras_sigmas: off,
  use_exponential_sigmas: off,
  use_beta_sigmas: off,
  final_sigmas_type: z.literal('zero').optional(),
  interpolation_type: z.literal('linear').optional(),
  timestep_type: z.literal('discrete').optional(),
});

export interface SchedulerConfig {
  /** The scheduler that `_class_name` names; DDIM where it is not built in. */
  readonly scheduler: SchedulerName;
  readonly trainSteps: number;
  readonly betaStart: number;
  readonly betaEnd: number;
  readonly betaSchedule: z.output<typeof schema>['beta_schedule'];
  /** What the unet predicts: the noise, the velocity, or the clean latents. */
  readonly prediction: z.output<typeof schema>['prediction_type'];
  /** Undefined: each scheduler has its own default, as for `clip`. */
  readonly spacing: 'leading' | 'trailing' | 'linspace' | undefined;
  readonly stepsOffset: number;
  readonly setAlphaToOne: boolean;
  readonly clip: boolean | undefined;
  readonly clipRange: number;
  readonly zeroSnr: boolean;
  /** LCM: the number of steps from which a request's steps are chosen. */
  readonly originalSteps: number;
  readonly timestepScaling: number;
}

/** Reads scheduler_config.json. Throws a plain Error that names every field that is wrong or not supported. */
export function readSchedulerConfig(json: unknown): SchedulerConfig {
  const result = schema.safeParse(json);
  if (!result.success) {
    const problems = result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw new Error(`scheduler_config.json: ${problems.join('; ')}`);
  }
  const { data } = result;
  return {
    scheduler: CLASSES[data._class_name] ?? 'ddim',
    trainSteps: data.num_train_timesteps,
    betaStart: data.beta_start,
    betaEnd: data.beta_end,
    betaSchedule: data.beta_schedule,
    prediction: data.prediction_type,
    spacing: data.timestep_spacing,
    stepsOffset: data.steps_offset,
    setAlphaToOne: data.set_alpha_to_one,
    clip: data.clip_sample,
    clipRange: data.clip_sample_range,
    zeroSnr: data.rescale_betas_zero_snr,
    originalSteps: data.original_inference_steps,
    timestepScaling: data.timestep_scaling,
  };
}

/** Most steps of a schedule: LCM uses some of its original steps, the others need timesteps a whole step apart. */
export function mostSteps(config: SchedulerConfig, scheduler: SchedulerName): number {
  if (scheduler === 'lcm') return Math.min(config.originalSteps, config.trainSteps);
  return Math.floor(config.trainSteps / (1 + config.stepsOffset));
}
