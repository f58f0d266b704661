import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  mostSteps,
  readSchedulerConfig,
  type SchedulerConfig,
} from '../../../src/tasks/text-to-image/scheduler-config.ts';
import { createSampler } from '../../../src/programs/diffusion/sampler.ts';
import {
  cumulativeAlphas,
  interpolate,
  roundToEven,
  spacedTimesteps,
} from '../../../src/programs/diffusion/schedule.ts';

const BASE = { beta_start: 0.00085, beta_end: 0.012, beta_schedule: 'scaled_linear' } as const;

function configOf(more: Record<string, unknown> = {}): SchedulerConfig {
  return readSchedulerConfig({ ...BASE, ...more });
}

test('the class decides on the scheduler; a class that is not here becomes DDIM', () => {
  const names = ['DDIMScheduler', 'EulerDiscreteScheduler', 'LCMScheduler', 'PNDMScheduler'];
  assert.deepEqual(
    names.map((_class_name) => configOf({ _class_name }).scheduler),
    ['ddim', 'euler', 'lcm', 'ddim'],
  );
});

test('a config that asks for what is not supported is refused by name', () => {
  assert.throws(() => configOf({ use_karras_sigmas: true }), /scheduler_config\.json: use_karras_sigmas/);
  assert.throws(
    () => configOf({ beta_schedule: 'sigmoid', prediction_type: 'flow' }),
    /beta_schedule.*prediction_type/,
  );
  assert.throws(() => readSchedulerConfig({}), /beta_start/);
});

test('betas: scaled_linear squares a line of roots, linear is a line, cosine is capped', () => {
  const linear = cumulativeAlphas(
    configOf({ beta_start: 0.1, beta_end: 0.3, num_train_timesteps: 3, beta_schedule: 'linear' }),
  );
  assert.deepEqual(
    [...linear].map((value) => Number(value.toFixed(12))),
    [0.9, 0.72, 0.504],
  );
  const scaled = cumulativeAlphas(configOf({ beta_start: 0.04, beta_end: 0.16, num_train_timesteps: 3 }));
  assert.deepEqual(
    [...scaled].map((value) => Number(value.toFixed(12))),
    [0.96, 0.8736, 0.733824],
  );
  const cosine = cumulativeAlphas(configOf({ beta_schedule: 'squaredcos_cap_v2' }));
  // The capped last beta of 0.999 leaves a thousandth of the signal.
  assert.ok(Math.abs((cosine[999] ?? 0) / (cosine[998] ?? 1) - 0.001) < 1e-9);
  assert.ok(Math.abs((cosine[499] ?? 0) - Math.cos(((0.5 + 0.008) / 1.008) * (Math.PI / 2)) ** 2) < 2e-3);
});

test('a schedule rescaled to zero SNR ends with nothing of the signal and starts as before', () => {
  const [plain, rescaled] = [
    cumulativeAlphas(configOf()),
    cumulativeAlphas(configOf({ rescale_betas_zero_snr: true })),
  ];
  assert.equal(rescaled.at(-1), 0);
  assert.ok(Math.abs((rescaled[0] ?? 0) - (plain[0] ?? 1)) < 1e-12);
  const euler = createSampler('euler', configOf({ rescale_betas_zero_snr: true, timestep_spacing: 'trailing' }), 4);
  assert.ok(Number.isFinite(euler.startScale) && euler.startScale > 4000);
});

test('spacings are those of table 2 of arXiv 2305.08891', () => {
  const config = configOf({ steps_offset: 1 });
  assert.deepEqual(spacedTimesteps(config, 'leading', 4), [751, 501, 251, 1]);
  assert.deepEqual(spacedTimesteps(config, 'trailing', 4), [999, 749, 499, 249]);
  assert.deepEqual(spacedTimesteps(config, 'linspace', 4).map(roundToEven), [999, 666, 333, 0]);
  // 1000 / 3 and 1000 / 16 are not whole, 62.5 is half way.
  assert.deepEqual(spacedTimesteps(config, 'trailing', 3), [999, 666, 332]);
  assert.deepEqual(spacedTimesteps(config, 'trailing', 16).slice(-2), [124, 61]);
  for (const spacing of ['leading', 'trailing', 'linspace'] as const) {
    const all = spacedTimesteps(config, spacing, 1000);
    assert.ok(all.every((timestep) => timestep >= 0 && timestep <= 999));
    assert.throws(() => spacedTimesteps(config, spacing, 1001), /1001 steps/);
  }
});

test('rounds halves to even, and reads schedules between timesteps', () => {
  assert.deepEqual([0.5, 1.5, 2.5, -0.5, 2.4, 2.6].map(roundToEven).map(Math.abs), [0, 2, 2, 0, 2, 3]);
  const values = Float64Array.of(1, 3, 7);
  assert.deepEqual(
    [0, 0.5, 1.25, 2, 5].map((at) => interpolate(values, at)),
    [1, 2, 4, 7, 7],
  );
});

test('as many steps as mostSteps says are possible, and for LCM no more', () => {
  const config = configOf({ steps_offset: 1 });
  for (const name of ['ddim', 'euler', 'lcm'] as const) {
    const most = mostSteps(config, name);
    const { timesteps } = createSampler(name, config, most);
    assert.equal(new Set(timesteps).size, most);
    assert.ok(timesteps.every((timestep) => timestep >= 0 && timestep < 1000));
  }
  assert.throws(() => createSampler('lcm', config, 51), /at most 50 steps/);
});

/** A unet that knows the answer: `clean` latents, whatever noise is added to them. */
const CLEAN = Float32Array.of(0.5, -0.25, 1, 0);

for (const name of ['ddim', 'euler', 'lcm'] as const)
  for (const prediction of ['epsilon', 'v_prediction', 'sample'] as const)
    test(`${name} with ${prediction} ends at the clean latents when the unet always knows them`, () => {
      const config = configOf({ prediction_type: prediction, clip_sample: false, set_alpha_to_one: true });
      const alphas = cumulativeAlphas(config);
      const sampler = createSampler(name, config, 10);
      const start = Float32Array.of(1.5, -0.3, 0.2, -2);
      let latents: Float32Array = start.map((value) => value * sampler.startScale);
      for (const [index, timestep] of sampler.timesteps.entries()) {
        const alpha = interpolate(alphas, timestep);
        const scaled = latents.map((value) => value * sampler.inputScale(index));
        // Euler keeps clean + sigma * noise; scaled, it is what the others keep. Between timesteps it interpolates sigma, so ask it.
        const signal = name === 'euler' ? sampler.inputScale(index) : Math.sqrt(alpha);
        const spread = Math.sqrt(1 - signal ** 2);
        const output = scaled.map((value, at) => {
          const clean = CLEAN[at] ?? 0;
          const noise = (value - signal * clean) / spread;
          return { epsilon: noise, sample: clean, v_prediction: signal * noise - spread * clean }[prediction];
        });
        latents = sampler.step({ index, latents, output, nextNoise: () => Float32Array.of(0.3, -1, 0.7, 0.1) });
      }
      for (const [at, value] of latents.entries()) assert.ok(Math.abs(value - (CLEAN[at] ?? 0)) < 2e-3, `${value}`);
    });

test('clean latents are clipped where the config says so', () => {
  const step = (clip: boolean): number => {
    const config = configOf({
      prediction_type: 'sample',
      clip_sample: clip,
      clip_sample_range: 0.5,
      set_alpha_to_one: true,
    });
    const sampler = createSampler('ddim', config, 1);
    const at = {
      index: 0,
      latents: Float32Array.of(2),
      output: Float32Array.of(3),
      nextNoise: () => Float32Array.of(0),
    };
    return sampler.step(at)[0] ?? NaN;
  };
  assert.deepEqual([step(true), step(false)], [0.5, 3]);
});
