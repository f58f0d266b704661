import assert from 'node:assert/strict';
import test from 'node:test';
import { ArrivalRate } from '../../src/core/arrival-rate.ts';
import { Estimator } from '../../src/core/estimator.ts';
import { forecast, type LaneLoad, type ModelLoad } from '../../src/core/forecast.ts';

interface Load {
  /** The same of jobs; the newcomer is a client's. */
  readonly jobs?: readonly number[];
  /** By priority: tickets of `items` items and as much cost each. */
  readonly tickets?: readonly number[];
  readonly items?: number;
  readonly preparing?: number;
  readonly shapes?: number;
  readonly maxCost?: number;
  readonly lanes?: readonly number[];
  readonly known?: boolean;
}

const MAX_ITEMS = 8;

/** A model whose runs take 10 ms and 1 ms per unit of cost; batches of 8. */
function model({
  tickets = [],
  jobs = [],
  items = 1,
  preparing = 0,
  shapes = 1,
  maxCost = Infinity,
  lanes,
  known,
}: Load): ModelLoad {
  const estimator = new Estimator();
  if (known !== false) {
    for (const count of [1, 8])
      estimator.record('', { items: count, cost: count, runMs: 10 + count, wallMs: 10 + count });
  }
  const sums = (count = 0) => ({ tickets: count, items: count * items, cost: count * items });
  const levels = [0, 1, 2].map((index) => ({
    priority: index + 1,
    ...sums((tickets[index] ?? 0) + (jobs[index] ?? 0)),
    lines: { clients: sums(tickets[index]), jobs: sums(jobs[index]) },
  }));
  const waiting = [...tickets, ...jobs].reduce((sum, count) => sum + count, 0);
  return {
    limits: { maxItems: MAX_ITEMS, maxCost, maxDelayMs: 0 },
    estimator,
    arrivals: new ArrivalRate(estimator),
    permits: waiting * items + preparing,
    preparingItems: preparing,
    runningItems: 0,
    runningCost: 0,
    stepping: false,
    costOfRun: () => maxCost,
    service: undefined,
    queue: { levels, shapes: waiting > 0 ? shapes : 0 },
    runsOn: (laneId) => lanes?.includes(laneId) ?? true,
  };
}

const newcomer = { priority: 2, party: 'clients', otherShare: 1, nowMs: 100, leftMs: Infinity } as const;

const free = (id: number): LaneLoad => ({ id, run: undefined });
const busy = (id: number, leftMs: number): LaneLoad => ({ id, run: { startedMs: 90, predictedMs: 10 + leftMs } });

function wait(own: ModelLoad, lanes: LaneLoad[], others: ModelLoad[] = [], priority = 2): number {
  const { waitMs } = forecast(own, [own, ...others], lanes, { ...newcomer, priority });
  return Math.round(waitMs * 1000) / 1000;
}

test('with nothing ahead, the wait is for the first lane to be free', () => {
  assert.equal(wait(model({}), [busy(0, 30), free(1)]), 0);
  assert.equal(wait(model({}), [busy(0, 30), busy(1, 20)]), 20);
  assert.equal(wait(model({}), [busy(0, -5)]), 0, 'a run that takes longer than predicted');
});

test('a newcomer waits only for full runs ahead, and shares the last', () => {
  assert.equal(wait(model({ tickets: [0, 7] }), [busy(0, 5)]), 5);
  assert.equal(wait(model({ tickets: [0, 8] }), [busy(0, 5)]), 5 + 18);
  assert.equal(wait(model({ tickets: [0, 20] }), [busy(0, 5)]), 5 + 2 * 18);
});

test('of jobs that wait, no more count than their share lets run before a request', () => {
  const waits = (otherShare: number, load: Load) =>
    forecast(model(load), [], [busy(0, 5)], { ...newcomer, otherShare }).waitMs;
  assert.equal(waits(1, { jobs: [0, 800] }), 5, 'its turn is next');
  assert.equal(waits(1, { tickets: [0, 16], jobs: [0, 800] }), 5 + 4 * 18, 'as many jobs as requests');
  assert.equal(waits(3, { tickets: [0, 16], jobs: [0, 800] }), 5 + 8 * 18, 'jobs have three quarters of the lane');
  assert.equal(waits(1, { tickets: [0, 16], jobs: [0, 8] }), 5 + 3 * 18, 'all of the few that wait');
  assert.equal(waits(1, { jobs: [80, 0] }), 5 + 10 * 18, 'jobs of a higher priority come first');
  assert.equal(waits(1, { jobs: [0, 0, 80] }), 5, 'and those of a lower one later');
});

test('the lanes of the model share the work', () => {
  const lanes = [busy(0, 4), busy(1, 6), busy(2, 1000)];
  assert.equal(wait(model({ tickets: [0, 16], lanes: [0, 1] }), lanes), (4 + 6 + 2 * 18) / 2);
});

test('items in preparation are ahead too', () => {
  assert.equal(wait(model({ preparing: 16 }), [busy(0, 5)]), 5 + 2 * 18);
  assert.equal(wait(model({ tickets: [0, 2], items: 4, preparing: 8 }), [busy(0, 5)]), 5 + 2 * 18);
});

test('tickets are not split, and cost limits runs as items do', () => {
  // Two tickets of 5 items are two runs.
  assert.equal(wait(model({ tickets: [0, 2], items: 5 }), [busy(0, 5)]), 5 + 2 * 15);
  assert.equal(wait(model({ tickets: [0, 8], maxCost: 4 }), [busy(0, 5)]), 5 + 2 * 14);
});

test('each shape is a run of its own', () => {
  assert.equal(wait(model({ tickets: [0, 4], shapes: 5 }), [busy(0, 5)]), 5 + 4 * 10 + 4);
});

test('lower priorities are not ahead', () => {
  const own = model({ tickets: [8, 8, 8] });
  assert.deepEqual(
    [1, 2, 3].map((priority) => wait(own, [busy(0, 5)], [], priority)),
    [5 + 18, 5 + 36, 5 + 54],
  );
});

test('of another model on the same lanes, at most as much work counts as of its own', () => {
  const [long, short] = [model({ tickets: [0, 800] }), model({ tickets: [0, 1] })];
  assert.equal(wait(model({}), [busy(0, 5)], [long]), 5);
  assert.equal(wait(model({ tickets: [0, 8] }), [busy(0, 5)], [long]), 5 + 18 + 18);
  assert.equal(wait(model({ tickets: [0, 8] }), [busy(0, 5)], [short]), 5 + 18 + 11);
  const elsewhere = model({ tickets: [0, 800], lanes: [1] });
  assert.equal(wait(model({ tickets: [0, 8], lanes: [0] }), [busy(0, 5), busy(1, 5)], [elsewhere]), 5 + 18);
});

test('without a lane the wait is the work itself, and without known runs there is none', () => {
  assert.equal(wait(model({ tickets: [0, 8] }), []), 18);
  assert.equal(wait(model({ tickets: [0, 80], known: false }), [busy(0, -10)]), 0);
});

test('its own run is that of the batch it would join', () => {
  const runMs = (own: ModelLoad) => forecast(own, [own], [], { ...newcomer, nowMs: 0 }).runMs;
  assert.deepEqual(
    [model({}), model({ tickets: [0, 3] }), model({ tickets: [0, 80] }), model({ known: false })].map((own) =>
      Math.round(runMs(own)),
    ),
    [11, 14, 18, 0],
  );
});

test('runs ahead take the lanes that are free next, and one of its own after them may end sooner than a shared one', () => {
  const lanes = [busy(0, 10), busy(1, 12), busy(2, 30)];
  // A full run takes the first lane, what is left of the queue the second.
  assert.equal(wait(model({ tickets: [0, 8] }), lanes), 12);
  const ending = (leftMs: number): number => {
    const own = model({ tickets: [0, 4] });
    const { waitMs, runMs } = forecast(own, [own], lanes, { ...newcomer, leftMs });
    return Math.round(waitMs + runMs);
  };
  assert.equal(ending(Infinity), 10 + 15);
  assert.equal(ending(24), 12 + 11, 'alone on the second lane');
});

test('runs ahead are cut for deadlines like its own', () => {
  const own = model({ tickets: [0, 8] });
  const waitMs = (leftMs: number) => forecast(own, [own], [busy(0, 5)], { ...newcomer, leftMs }).waitMs;
  assert.equal(Math.round(waitMs(Infinity)), 5 + 18);
  // Four in what is left of 19 ms when the lane is free.
  assert.equal(Math.round(waitMs(19)), 5 + 2 * 14);
});

test('under overload it shares its run with those that come until a lane is free, and not with those ahead', () => {
  const ending = (perMs: number, freeMs: number, priority = 2): number => {
    const own = model({});
    // What a constant rate comes to.
    for (let atMs = -900; atMs <= 100; atMs += 1) own.arrivals.add(perMs, 2, atMs);
    const { waitMs, runMs } = forecast(own, [own], [busy(0, freeMs)], { ...newcomer, priority, leftMs: 24 });
    return Math.round(waitMs + runMs);
  };
  assert.equal(ending(0.1, 10), 10 + 11, 'no overload');
  assert.ok(ending(1, 10) > 24, 'ten behind it fill the run');
  assert.equal(ending(1, 2), 2 + 11, 'only two come before the lane is free');
  assert.equal(ending(1, 10, 1), 10 + 11, 'lower priorities do not count');
});
