import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { unitArrivals } from '../../bench/simulate/arrivals.ts';
import { mostMet } from '../../bench/simulate/bound.ts';
import { highestRate, highestRateOf, simulate, type PolicyName } from '../../bench/simulate/run.ts';
import { SimClock } from '../../bench/simulate/sim-clock.ts';
import { capacityOf, loadOf, runMsOf, worldOf, type Scenario } from '../../bench/simulate/workload.ts';

const SEED = 1;
const options = { count: 1500, tracesDir: '/nowhere' };

function scenario(part: Partial<Scenario>): Scenario {
  const base = {
    name: '',
    arrivals: 'poisson',
    curve: 'resnet50-v100',
    models: 1,
    lanes: 4,
    factor: 5,
    jitter: 0,
  } as const;
  return { ...base, ...part };
}

function setUp(part: Partial<Scenario>) {
  const world = worldOf(scenario(part), SEED);
  const load = loadOf(scenario(part), world, options);
  assert.ok(load !== undefined);
  /** Requests met under a policy, at this part of what full batches would give. */
  const metAt = async (policy: PolicyName, ofCapacity: number) => {
    const requests = load(ofCapacity * capacityOf(world));
    return (await simulate(policy, requests, world)).met / requests.length;
  };
  return { world, load, metAt };
}

describe('the simulated clock', () => {
  it('rings timers in order, ends the turn after each, and forgets those that were taken back', async () => {
    const clock = new SimClock();
    const heard: string[] = [];
    const note = (what: string) => () => void heard.push(`${what} at ${clock.now()}`);
    clock.after(20, note('third'));
    clock.after(10, () => {
      note('first')();
      clock.defer(note('deferred'));
      void Promise.resolve().then(note('promised'));
    });
    clock.after(10, note('second'));
    clock.after(15, note('never'))();
    await clock.runTo(12);
    assert.equal(clock.now(), 12);
    await clock.runTo(Infinity);
    assert.deepEqual(heard, ['first at 10', 'promised at 10', 'deferred at 10', 'second at 10', 'third at 20']);
  });
});

describe('arrivals', () => {
  for (const kind of ['poisson', 'gamma-4', 'diurnal'] as const) {
    it(`of kind ${kind} come in order at mean rate 1, the same for equal seeds`, () => {
      const of = (seed: number) => unitArrivals(kind, { ...options, count: 20_000, seed }) ?? new Float64Array();
      const times = of(SEED);
      assert.ok(times.every((time, index) => time >= (times[index - 1] ?? 0)));
      assert.ok(Math.abs((times.at(-1) ?? 0) / 20_000 - 1) < 1e-6);
      assert.deepEqual(times, of(SEED));
      assert.notDeepEqual(times, of(SEED + 1));
    });
  }
  it('vary as much as their name says', () => {
    for (const variation of [1, 2, 4]) {
      const times = unitArrivals(`gamma-${variation}`, { ...options, count: 50_000, seed: SEED }) ?? new Float64Array();
      const gaps = Array.from(times, (time, index) => time - (times[index - 1] ?? 0));
      const square = gaps.reduce((sum, gap) => sum + (gap - 1) ** 2, 0) / gaps.length;
      assert.ok(Math.abs(Math.sqrt(square) / variation - 1) < 0.1, `${Math.sqrt(square)} for ${variation}`);
    }
  });
  it('of a trace that is absent are none', () => {
    assert.equal(unitArrivals('azure-conv', { ...options, seed: SEED }), undefined);
  });
});

describe('the bound', () => {
  const { world } = setUp({ lanes: 1, factor: 1.5 });
  const [model] = world.models;
  assert.ok(model !== undefined);
  it('serves a lone request, and of many at once one full batch and what fits behind it', () => {
    const at = (count: number) =>
      Array.from({ length: count }, () => ({ model: 0, arrivedMs: 0, deadlineMs: model.deadlineMs }));
    assert.equal(mostMet(at(1), world), 1);
    const room = Math.floor((model.deadlineMs - model.b) / model.a);
    assert.ok(runMsOf(model, room) <= model.deadlineMs);
    assert.equal(mostMet(at(room), world), room);
    assert.ok(mostMet(at(10 * room), world) <= room);
  });
});

describe('the search for the highest rate', () => {
  it('finds it from above, to within half a percent', async () => {
    const { world } = setUp({});
    const limit = 0.3 * capacityOf(world);
    const found = await highestRate(world, (rate) => Promise.resolve(rate <= limit && rate > 0.1 * limit ? 1 : 0.5));
    assert.ok(found <= limit && found > 0.99 * limit, `${found} of ${limit}`);
    assert.equal(await highestRate(world, () => Promise.resolve(0)), 0);
  });
});

describe('simulated policies', () => {
  it('give the same figures for equal seeds', async () => {
    const { world, load } = setUp({ models: 3, jitter: 0.1 });
    const requests = load(0.8 * capacityOf(world));
    assert.deepEqual(await simulate('ours', requests, world), await simulate('ours', requests, world));
  });
  it('answer everything in time where there is plenty of it', async () => {
    const { metAt } = setUp({ factor: 10 });
    for (const policy of ['ours', 'delay 0', 'bentoml', 'clockwork', 'symphony'] as const)
      assert.equal(await metAt(policy, 0.3), 1, policy);
  });
  it('never pass the bound', async () => {
    const { world, load } = setUp({ factor: 3 });
    for (const rate of [0.5, 1, 3]) {
      const requests = load(rate * capacityOf(world));
      const most = mostMet(requests, world);
      for (const policy of ['ours', 'bentoml', 'clockwork', 'symphony'] as const) {
        const { met } = await simulate(policy, requests, world);
        assert.ok(met <= most, `${policy}: ${met} of at most ${most}`);
      }
    }
  });
});

describe('our scheduler', () => {
  const others = ['delay 0', 'delay 5', 'bentoml', 'clockwork'] as const;
  for (const part of [{ lanes: 1 }, { lanes: 4 }, { lanes: 4, arrivals: 'gamma-4', factor: 10 }] as const)
    it(`holds the rate of the others that start a batch when a lane is free (${JSON.stringify(part)})`, async () => {
      const { world, load } = setUp(part);
      const ours = await highestRateOf('ours', world, load);
      for (const policy of others) {
        const theirs = await highestRateOf(policy, world, load);
        assert.ok(ours >= 0.97 * theirs, `${ours} against ${theirs} of ${policy}`);
      }
    });
  it('holds nine tenths of the rate of one that holds batches back', async () => {
    const { world, load } = setUp({ lanes: 8, factor: 3 });
    const [ours, theirs] = [await highestRateOf('ours', world, load), await highestRateOf('symphony', world, load)];
    assert.ok(ours >= 0.9 * theirs, `${ours} against ${theirs}`);
  });
  it('holds the rate of every other policy with twenty models', async () => {
    const { world, load } = setUp({ models: 20, lanes: 8, factor: 10 });
    const ours = await highestRateOf('ours', world, load);
    for (const policy of ['delay 0', 'clockwork', 'symphony'] as const) {
      const theirs = await highestRateOf(policy, world, load);
      assert.ok(ours >= theirs, `${ours} against ${theirs} of ${policy}`);
    }
  });
  it('meets as many deadlines at twice and ten times the load that it can take as at that load', async () => {
    for (const part of [{ lanes: 1, factor: 3 }, { lanes: 8, factor: 3 }, { lanes: 4 }]) {
      const { world, load } = setUp(part);
      const rate = await highestRateOf('ours', world, load);
      for (const times of [2, 10]) {
        const requests = load(times * rate);
        const { met } = await simulate('ours', requests, world);
        const part = (times * met) / requests.length;
        assert.ok(part >= 0.95, `${part} of the rate at ${times} times it`);
      }
    }
  });
});
