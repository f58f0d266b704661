import type { ArrivalKind } from './arrivals.ts';
import type { CurveName, Scenario } from './workload.ts';

const FACTORS = [1.5, 3, 10];

function scenario(part: Partial<Omit<Scenario, 'name'>>): Scenario {
  const base = { arrivals: 'poisson', curve: 'resnet50-v100', models: 1, lanes: 4, factor: 3, jitter: 0 } as const;
  const all = { ...base, ...part };
  const { arrivals, curve, models, lanes, factor, jitter } = all;
  const many = models === 1 ? '' : ` x${models}`;
  const noise = jitter === 0 ? '' : ` +-${100 * jitter}%`;
  return {
    ...all,
    name: `${curve}${many}, ${lanes} lane${lanes === 1 ? '' : 's'}, ${arrivals}, ${factor} runs${noise}`,
  };
}

/** The whole table: one thing varied at a time, and what makes deadlines hard with each other. */
export function allScenarios(): Scenario[] {
  const curves: CurveName[] = ['resnet50-v100', 'resnet50-1080ti', 'mlp-cpu'];
  const arrivals: ArrivalKind[] = ['gamma-2', 'gamma-4', 'gamma-8', 'diurnal', 'azure-conv', 'azure-code'];
  return [
    ...curves.flatMap((curve) => [1.5, 2, 3, 5, 10].map((factor) => scenario({ curve, factor, lanes: 1 }))),
    ...[4, 16, 64].flatMap((lanes) => FACTORS.map((factor) => scenario({ lanes, factor }))),
    ...curves.slice(1).flatMap((curve) => FACTORS.map((factor) => scenario({ curve, factor, lanes: 8 }))),
    ...arrivals.flatMap((kind) => [1, 8].map((lanes) => scenario({ arrivals: kind, lanes, factor: 5 }))),
    ...[1, 8, 64].flatMap((lanes) => FACTORS.map((factor) => scenario({ models: 20, lanes, factor }))),
    scenario({ models: 20, lanes: 8, factor: 5, arrivals: 'gamma-4' }),
    ...[1, 8].flatMap((lanes) => FACTORS.map((factor) => scenario({ lanes, factor, jitter: 0.1 }))),
    scenario({ models: 20, lanes: 8, factor: 3, jitter: 0.1 }),
  ];
}

/** A minute's worth of them. */
export function fewScenarios(): Scenario[] {
  return [
    ...FACTORS.map((factor) => scenario({ lanes: 1, factor })),
    ...FACTORS.map((factor) => scenario({ lanes: 8, factor })),
    scenario({ lanes: 8, arrivals: 'gamma-4', factor: 5 }),
    ...FACTORS.map((factor) => scenario({ models: 20, lanes: 8, factor })),
    scenario({ lanes: 8, jitter: 0.1 }),
  ];
}
