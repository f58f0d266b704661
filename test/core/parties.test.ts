import assert from 'node:assert/strict';
import test from 'node:test';
import { Core } from '../../src/core/core.ts';
import type { Party } from '../../src/core/ticket.ts';
import { FakeClock } from './fake-clock.ts';
import { timedLane } from './fake-lane.ts';
import { repeat } from './load-set-up.ts';

const MAX_ITEMS = 8;
const RUN_MS = { both: 20, clients: 20, jobs: 35 } as const;

type Model = keyof typeof RUN_MS;

/** A core with a fixed run time for each model, which counts the lane time of each party by its part of the items. */
function setUp(lanes: number, weights: Readonly<Record<Party, number>>) {
  const clock = new FakeClock();
  const spentMs = { clients: 0, jobs: 0 };
  const core = new Core<Party, Party>({ clock, defer: clock.defer, weights });
  for (let id = 0; id < lanes; id += 1) {
    const lane = timedLane<Party>(id, clock, (key, payloads) => {
      const runMs = RUN_MS[key as Model];
      for (const party of payloads) spentMs[party] += runMs / payloads.length;
      return runMs;
    });
    core.addLane(lane);
  }
  for (const key of Object.keys(RUN_MS))
    core.addModel(key, {
      limits: { maxItems: MAX_ITEMS, maxCost: Infinity, maxDelayMs: 0 },
      queueItems: 10 * MAX_ITEMS,
    });
  const send = (modelKey: Model, party: Party, priority = 2) =>
    core
      .admit({ modelKey, items: 1, party, priority, deadlineMs: Infinity })
      .enqueue({ payload: party, items: 1, cost: 1, shapeKey: '' });
  /** As many as a job loop holds, or a crowd of clients. */
  const fill = (modelKey: Model, party: Party): void => {
    const most = party === 'jobs' ? 2 * MAX_ITEMS * lanes : 10 * MAX_ITEMS;
    for (let room = core.room(modelKey, party) - 10 * MAX_ITEMS + most; room > 0; room -= 1) send(modelKey, party);
  };
  const partOfJobs = (): number => spentMs.jobs / (spentMs.jobs + spentMs.clients);
  return { clock, core, send, fill, spentMs, partOfJobs };
}

const near = (part: number, wanted: number): void =>
  assert.ok(Math.abs(part / wanted - 1) < 0.05, `jobs have ${part} of the lane time, ${wanted} is theirs`);

for (const lanes of [1, 4])
  for (const jobs of [20, 75]) {
    const weights = { clients: 100 - jobs, jobs };
    const title = `${jobs} % for jobs, ${lanes} lanes`;

    test(`jobs and clients of one model share the lanes by their weights, within 5 % (${title})`, async () => {
      const { clock, fill, partOfJobs } = setUp(lanes, weights);
      await repeat(clock, { everyMs: 5, forMs: 6000 }, () => {
        fill('both', 'clients');
        fill('both', 'jobs');
      });
      near(partOfJobs(), jobs / 100);
    });

    test(`so do jobs of one model and clients of another (${title})`, async () => {
      const { clock, fill, partOfJobs } = setUp(lanes, weights);
      await repeat(clock, { everyMs: 5, forMs: 6000 }, () => {
        fill('clients', 'clients');
        fill('jobs', 'jobs');
      });
      near(partOfJobs(), jobs / 100);
    });

    test(`and jobs of one model that clients use beside another (${title})`, async () => {
      const { clock, fill, partOfJobs } = setUp(lanes, weights);
      await repeat(clock, { everyMs: 5, forMs: 6000 }, () => {
        fill('clients', 'clients');
        fill('both', 'clients');
        fill('both', 'jobs');
      });
      near(partOfJobs(), jobs / 100);
    });
  }

test('either gets what the other leaves, and no credit for it', async () => {
  const { clock, fill, spentMs } = setUp(1, { clients: 50, jobs: 50 });
  await repeat(clock, { everyMs: 5, forMs: 10_000 }, () => fill('both', 'jobs'));
  assert.ok(spentMs.jobs > 9900, `${spentMs.jobs} ms`);
  await clock.advance(1000);
  const before = { ...spentMs };
  await repeat(clock, { everyMs: 5, forMs: 10_000 }, () => {
    fill('both', 'clients');
    fill('both', 'jobs');
  });
  const clients = spentMs.clients - before.clients;
  near((spentMs.jobs - before.jobs) / (spentMs.jobs - before.jobs + clients), 0.5);
});

test('where there is room for both, they share a run', async () => {
  const { clock, core, send } = setUp(1, { clients: 50, jobs: 50 });
  const batches: number[] = [];
  const served = [send('both', 'jobs'), send('both', 'clients'), send('both', 'jobs')].map(({ done }) =>
    done.then(({ timing }) => batches.push(timing.batchItems)),
  );
  await clock.advance(100);
  await Promise.all(served);
  assert.deepEqual(batches, [3, 3, 3]);
  assert.equal(core.depth('both').permits, 0);
});

test('each party has permits of its own: a full queue of one refuses none of the other', () => {
  const { core, fill } = setUp(1, { clients: 50, jobs: 50 });
  fill('both', 'clients');
  assert.deepEqual([core.isFull('both'), core.isFull('both', 'jobs')], [true, false]);
  assert.equal(core.room('both', 'jobs'), 10 * MAX_ITEMS);
});

test('a part of the queues is in use at most, but never less than a batch', async () => {
  const { clock, core, fill } = setUp(1, { clients: 50, jobs: 50 });
  core.limitQueues(0.25);
  assert.equal(core.depth('both').queueItems, 20);
  core.limitQueues(0.01);
  assert.equal(core.depth('both').queueItems, MAX_ITEMS);
  core.limitQueues(1);
  fill('both', 'clients');
  core.limitQueues(0.5);
  assert.equal(core.isFull('both'), true);
  await clock.advance(6 * RUN_MS.both);
  assert.equal(core.isFull('both'), false);
});
