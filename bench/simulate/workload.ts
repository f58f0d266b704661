import { uniform } from './random.ts';
import { unitArrivals, type ArrivalKind } from './arrivals.ts';

/** Run time of a batch in ms = a * items + b. */
export interface Curve {
  readonly a: number;
  readonly b: number;
}

export interface SimModel extends Curve {
  readonly key: string;
  readonly maxItems: number;
  /** From arrival to answer. */
  readonly deadlineMs: number;
  /** Its part of all requests. */
  readonly share: number;
}

export interface SimRequest {
  /** Index of its model. */
  readonly model: number;
  readonly arrivedMs: number;
  readonly deadlineMs: number;
}

export interface Scenario {
  readonly name: string;
  readonly arrivals: ArrivalKind;
  readonly curve: CurveName;
  readonly models: number;
  readonly lanes: number;
  /** Deadline in single runs of the model. */
  readonly factor: number;
  /** Run times are off by up to this share, evenly. */
  readonly jitter: number;
}

/** What a simulated server is made of. */
export interface World {
  readonly models: readonly SimModel[];
  readonly lanes: number;
  /** Most items waiting and running of one model. */
  readonly queueItems: number;
  readonly jitter: number;
  readonly seed: number;
}

export const CURVES = {
  /** ResNet-50, mixed precision, Tesla V100: Inoue's line through NVIDIA's figures (arXiv 1912.06322, section 4). */
  'resnet50-v100': { a: 0.1438, b: 1.8874, maxItems: 64 },
  /** ResNet-50 on the GTX 1080 Ti as Symphony has it (arXiv 2308.07470). */
  'resnet50-1080ti': { a: 1.053, b: 5.072, maxItems: 32 },
  /** The MLP of 18 million parameters of `bench/limit` on one CPU thread: 4.1 ms for one row, 31.8 ms for 64 in its bare loop. */
  'mlp-cpu': { a: 0.44, b: 3.6, maxItems: 32 },
} as const;
export type CurveName = keyof typeof CURVES;

/** Models in turn have the curve's times, half, twice and four times those: a repository is never all alike. */
const PACES = [1, 0.5, 2, 4];

export function worldOf({ curve, models, lanes, factor, jitter }: Scenario, seed: number): World {
  const { a, b, maxItems } = CURVES[curve];
  const total = Array.from({ length: models }, (_, rank) => 1 / (rank + 1)).reduce((sum, part) => sum + part, 0);
  const list = Array.from({ length: models }, (_, rank) => {
    const pace = models === 1 ? 1 : (PACES[rank % PACES.length] ?? 1);
    return {
      key: `m${rank}`,
      a: a * pace,
      b: b * pace,
      maxItems,
      deadlineMs: factor * (a + b) * pace,
      // The k-th model has a k-th of the first one's requests (Zipf).
      share: 1 / (rank + 1) / total,
    };
  });
  // Room for four full batches of each lane: no policy is to fail for want of permits.
  return { models: list, lanes, queueItems: 4 * maxItems * lanes, jitter, seed };
}

/** Requests a second that full batches on all lanes would give, whatever the deadlines. */
export function capacityOf({ models, lanes }: World): number {
  const msPerRequest = models.reduce((sum, { a, b, maxItems, share }) => sum + share * (a + b / maxItems), 0);
  return (1000 * lanes) / msPerRequest;
}

/** A load at any rate (requests a second), always of the same arrivals; undefined where a trace is absent. */
export function loadOf(
  { arrivals }: Scenario,
  world: World,
  options: { count: number; tracesDir: string },
): ((perSecond: number) => SimRequest[]) | undefined {
  const times = unitArrivals(arrivals, { ...options, seed: world.seed });
  if (times === undefined) return undefined;
  const random = uniform(world.seed + 1);
  const chosen = Array.from(times, () => chooseModel(world.models, random()));
  return (perSecond) =>
    Array.from(times, (time, index) => {
      const model = chosen[index] ?? 0;
      const arrivedMs = (time * 1000) / perSecond;
      return { model, arrivedMs, deadlineMs: arrivedMs + (world.models[model]?.deadlineMs ?? 0) };
    });
}

function chooseModel(models: readonly SimModel[], random: number): number {
  let sum = 0;
  for (const [index, { share }] of models.entries()) {
    sum += share;
    if (random < sum) return index;
  }
  return models.length - 1;
}

export function runMsOf({ a, b }: Curve, items: number): number {
  return a * items + b;
}

/** Most items whose run ends within this time, up to the model's limit; 0 where not even one does. */
export function itemsWithin({ a, b, maxItems }: SimModel, ms: number): number {
  // Rounding must not make a batch of the very time that was asked for one smaller.
  return Math.max(0, Math.min(maxItems, Math.floor((ms - b) / a + 1e-9)));
}
