import { cumulativeAlphas } from './schedule.ts';
import type { SchedulerConfig, SchedulerName } from '../../tasks/text-to-image/scheduler-config.ts';
import { createDdim } from './ddim.ts';
import { createEuler } from './euler.ts';
import { createLcm } from './lcm.ts';
import type { Sampler } from './sampling.ts';

const SAMPLERS = { ddim: createDdim, euler: createEuler, lcm: createLcm } as const;

/** The steps of one request. Throws a plain Error when the schedule has fewer. */
export function createSampler(name: SchedulerName, config: SchedulerConfig, steps: number): Sampler {
  return SAMPLERS[name](config, cumulativeAlphas(config), steps);
}
