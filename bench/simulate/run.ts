import { mostMet } from './bound.ts';
import { coreServer } from './core-server.ts';
import { peerServer, type Policy } from './peer-server.ts';
import { bentoml, clockwork, fixedDelay, symphony } from './policies.ts';
import { SimClock } from './sim-clock.ts';
import { Tally } from './tally.ts';
import { capacityOf, type SimRequest, type World } from './workload.ts';

export const POLICIES = [
  'ours',
  'ours held',
  'delay 0',
  'delay 5',
  'delay 10',
  'bentoml',
  'clockwork',
  'symphony',
] as const;
export type PolicyName = (typeof POLICIES)[number];
/** What no policy can pass. */
export const BOUND = 'bound';

/** What became of a load under a policy. */
export interface Outcome {
  readonly offered: number;
  readonly met: number;
  readonly refused: number;
  /** Admitted, and refused later, when no run could serve them in time any more. */
  readonly givenUp: number;
  readonly meanBatch: number;
  /** Part of the lanes' time until the last arrival that was spent in runs. */
  readonly busy: number;
}

/** One load under one policy, to its end. */
export async function simulate(policy: PolicyName, requests: readonly SimRequest[], world: World): Promise<Outcome> {
  const clock = new SimClock();
  const tally = new Tally(world);
  const other = peerPolicy(policy, world);
  const server =
    other === undefined
      ? coreServer(world, { clock, tally, isHeld: policy === 'ours held' })
      : peerServer(world, clock, tally, other);
  for (const request of requests) {
    await clock.runTo(request.arrivedMs);
    server.arrive(request);
  }
  await clock.runTo(Infinity);
  const { met, refused, givenUp, meanBatch, busyMs } = tally;
  const lengthMs = requests.at(-1)?.arrivedMs ?? 0;
  return { offered: requests.length, met, refused, givenUp, meanBatch, busy: busyMs / (lengthMs * world.lanes) };
}

function peerPolicy(name: PolicyName, { lanes }: World): Policy | undefined {
  switch (name) {
    case 'ours':
    case 'ours held':
      return undefined;
    case 'delay 0':
      return fixedDelay(0);
    case 'delay 5':
      return fixedDelay(5);
    case 'delay 10':
      return fixedDelay(10);
    case 'bentoml':
      return bentoml();
    case 'clockwork':
      return clockwork;
    case 'symphony':
      return symphony(lanes);
  }
}

export const GOAL = 0.99;
/** The search starts above what the lanes can do at all, and goes down by this factor to the first rate that reaches the goal. */
const COARSE = 0.8;
const FIRST = 1.1;
const LEAST = 0.0005;
/** Then it halves the gap so often: to within half a percent. */
const HALVINGS = 5;

/** The highest rate (requests a second) at which the goal is met; 0 where there is none. Load of a rate, and the part of it that is met, are the caller's. */
export async function highestRate(world: World, metAt: (perSecond: number) => Promise<number>): Promise<number> {
  const capacity = capacityOf(world);
  let high = FIRST * capacity;
  let low = high;
  // From above: a policy that waits for company may fail at low rates and do well at higher ones.
  while ((await metAt(low)) < GOAL) {
    high = low;
    low *= COARSE;
    if (low < LEAST * capacity) return 0;
  }
  if (low === high) return low;
  for (let step = 0; step < HALVINGS; step += 1) {
    const middle = Math.sqrt(low * high);
    if ((await metAt(middle)) >= GOAL) low = middle;
    else high = middle;
  }
  return low;
}

/** The highest rate of a policy, or the one that no policy can pass. */
export function highestRateOf(
  policy: PolicyName | typeof BOUND,
  world: World,
  load: (perSecond: number) => SimRequest[],
): Promise<number> {
  return highestRate(world, async (perSecond) => {
    const requests = load(perSecond);
    const met = policy === BOUND ? mostMet(requests, world) : (await simulate(policy, requests, world)).met;
    return met / requests.length;
  });
}
