import assert from 'node:assert/strict';
import { test } from 'node:test';
import { uniformFloat32 } from 'pure-rand/distribution/uniformFloat32';
import { mersenne } from 'pure-rand/generator/mersenne';
import { frontier, measuredOf } from '../../src/tune/curve.ts';
import { noneText } from '../../src/commands/tune.ts';
import { search, type Measure, type Point } from '../../src/tune/search.ts';
import { blockOf, compareSimplicity, pairsFor, settingText, type Setting } from '../../src/tune/setting.ts';

/** A machine on which a run of n items takes `fixedMs + itemMs * n` on one thread, and more threads help as far as `parallel` of it goes. */
interface Shape {
  readonly cores: number;
  readonly fixedMs: number;
  readonly itemMs: number;
  readonly parallel: number;
}

/** A closed loop: each lane runs what waits, and all clients wait for their runs in turn. */
function modelled(
  { fixedMs, itemMs, parallel }: Shape,
  { lanes, threads, maxItems, delayMs }: Setting,
  clients: number,
): Point {
  const items = Math.max(1, Math.min(maxItems, clients / lanes));
  const runMs = (fixedMs + itemMs * items) * (1 - parallel + parallel / threads) + (items < maxItems ? delayMs : 0);
  const perSecond = (Math.min(lanes, clients) * items * 1000) / runMs;
  return { clients, perSecond, p99Ms: Math.max(runMs, (clients * 1000) / perSecond) * 1.2 };
}

const BATCHES = [1, 2, 4, 8, 16, 32, 64, 128];
const DELAYS_MS = [0, 1, 2, 5];
const CLIENTS = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/** Every setting with every number of clients, without noise. */
function fullSearch(shape: Shape, p99Ms: number): number {
  const speeds = pairsFor(shape.cores).flatMap((pair) =>
    BATCHES.flatMap((maxItems) =>
      DELAYS_MS.flatMap((delayMs) =>
        CLIENTS.map((clients) => modelled(shape, { ...pair, maxItems, delayMs }, clients)),
      ),
    ),
  );
  return Math.max(0, ...speeds.filter((point) => point.p99Ms <= p99Ms).map(({ perSecond }) => perSecond));
}

const SHAPES: readonly (readonly [string, Shape, number])[] = [
  ['a model for which batches pay', { cores: 2, fixedMs: 2, itemMs: 0.2, parallel: 0.8 }, 50],
  ['one for which they do not', { cores: 2, fixedMs: 0.1, itemMs: 5, parallel: 0.9 }, 100],
  ['one that threads serve better than lanes', { cores: 8, fixedMs: 20, itemMs: 1, parallel: 1 }, 60],
  ['one that lanes serve better than threads', { cores: 8, fixedMs: 1, itemMs: 1, parallel: 0.1 }, 60],
];

for (const [what, shape, p99Ms] of SHAPES)
  test(`the search finds a setting within 5 % of the best, with measurements that vary by 6 %: ${what}`, async () => {
    const generator = mersenne(7);
    let seconds = 0;
    const measure: Measure = (setting, clients, forSeconds) => {
      seconds += forSeconds;
      const point = modelled(shape, setting, clients);
      const noise = 0.97 + 0.06 * uniformFloat32(generator);
      return Promise.resolve({ ...point, perSecond: point.perSecond * noise });
    };
    const found = await search({
      ...{ measure, p99Ms, seconds: 1, pairs: pairsFor(shape.cores), batches: BATCHES, delaysMs: DELAYS_MS },
      tell: () => undefined,
    });
    const { chosen } = found;
    assert.ok(chosen?.best !== undefined);
    const speed = modelled(shape, chosen.setting, chosen.best.clients).perSecond;
    const best = fullSearch(shape, p99Ms);
    assert.ok(speed >= 0.95 * best, `${settingText(chosen.setting)}: ${speed} of ${best}`);
    const all = pairsFor(shape.cores).length * BATCHES.length * DELAYS_MS.length * CLIENTS.length;
    assert.ok(seconds < 0.25 * all, `${seconds} of ${all} s`);
    const measured = measuredOf(found);
    const latencies = frontier(measured).map((point) => point.p99Ms);
    assert.deepEqual(
      latencies,
      latencies.toSorted((a, b) => a - b),
    );
    // A setting with a number of clients has one speed, and the chosen one that which is told of it.
    const named = measured.map(({ setting, clients }) => `${settingText(setting)} ${clients}`);
    assert.equal(new Set(named).size, named.length);
    const same = measured.find(
      ({ setting, clients }) => setting === chosen.setting && clients === chosen.best?.clients,
    );
    assert.deepEqual([same?.perSecond, same?.isCompared], [chosen.best.perSecond, true]);
  });

test('of settings that cannot be told apart the simplest is taken, and the others are named', async () => {
  const { chosen, alike } = await search({
    measure: (_setting, clients) => Promise.resolve({ clients, perSecond: 100, p99Ms: 10 }),
    ...{ p99Ms: 50, seconds: 1, pairs: pairsFor(2), batches: BATCHES, delaysMs: DELAYS_MS, tell: () => undefined },
  });
  assert.deepEqual(chosen?.setting, { lanes: 1, threads: 1, maxItems: 1, delayMs: 0 });
  assert.ok(alike.length > 0);
});

test('where even one client waits too long there is no setting', async () => {
  const { chosen, tried } = await search({
    measure: (_setting, clients) => Promise.resolve({ clients, perSecond: 1, p99Ms: 1000 * clients }),
    ...{ p99Ms: 50, seconds: 1, pairs: pairsFor(2), batches: [1, 2], delaysMs: [0], tell: () => undefined },
  });
  assert.equal(chosen, undefined);
  assert.ok(tried.every(({ best }) => best === undefined));
});

test('a setting is fields of model.json; simpler is fewer cores, fewer lanes, no delay, smaller batches', () => {
  const setting = { lanes: 2, threads: 1, maxItems: 8, delayMs: 0 };
  assert.deepEqual(blockOf(setting), {
    lanes: 2,
    session: { intraOpNumThreads: 1 },
    batching: { maxItems: 8, maxDelayMs: 0 },
  });
  assert.deepEqual(blockOf({ ...setting, lanes: 0 }), { batching: { maxItems: 8, maxDelayMs: 0 } });
  const sorted = [
    { lanes: 1, threads: 1, maxItems: 8, delayMs: 0 },
    { lanes: 1, threads: 1, maxItems: 1, delayMs: 2 },
    { lanes: 1, threads: 2, maxItems: 1, delayMs: 0 },
    { lanes: 2, threads: 1, maxItems: 1, delayMs: 0 },
  ];
  assert.deepEqual(sorted.toReversed().sort(compareSimplicity), sorted);
  assert.deepEqual(pairsFor(2), [
    { lanes: 1, threads: 1 },
    { lanes: 1, threads: 2 },
    { lanes: 2, threads: 1 },
  ]);
});

test('where no setting is found, it is told whether a shorter measurement met the limit', () => {
  assert.equal(noneText({ compared: [] }, 50), 'No setting answers 99 of 100 requests within 50 ms: raise --p99.');
  const point = { clients: 1, perSecond: 80, p99Ms: 60 } as Point;
  const compared = [{ ...point, setting: { lanes: 1, threads: 2, maxItems: 4, delayMs: 0 } }];
  assert.match(noneText({ compared }, 50), /in 5 turns; shorter measurements met it: raise --p99 or --seconds/);
});
