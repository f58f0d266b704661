import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerError } from '../../src/errors.ts';
import { options, settled, setUp as setUpCore } from './core-set-up.ts';
import { FakeLane } from './fake-lane.ts';

/** Full batches are sent to a lane while it runs another. */

const seenRuns = [1, 2].map((items) => ({ items, cost: items, runMs: 10, wallMs: 10, shapeKey: '' }));

/** A core with model `m`, whose runs of up to two items take 10 ms, and a lane that takes batches ahead. */
function setUp({ wallMs = 10, ...part }: Parameters<typeof setUpCore>[0] & { wallMs?: number } = {}) {
  const limits = { ...options.limits, maxItems: 2 };
  const runs = seenRuns.map((run) => ({ ...run, wallMs }));
  const world = setUpCore({ limits, seenRuns: runs, ...part });
  const lane = new FakeLane<unknown>(0, undefined, { takesAhead: true });
  world.core.addLane(lane);
  return { ...world, lane };
}

test('a full batch goes to a lane that runs another, and no further one; what is not full waits for the lane', async () => {
  const { clock, lane, send } = setUp();
  send('a');
  await clock.turn();
  send('b');
  await clock.turn();
  assert.deepEqual(lane.batches, [['a']]);
  send('c');
  await clock.turn();
  assert.deepEqual(lane.batches, [['a'], ['b', 'c']]);
  for (const payload of ['d', 'e', 'f']) send(payload);
  await clock.turn();
  assert.equal(lane.batches.length, 2);
  lane.current?.finish();
  await clock.turn();
  assert.deepEqual(lane.batches.slice(2), [['d', 'e']]);
  lane.current?.finish();
  await clock.turn();
  assert.equal(lane.batches.length, 3);
  lane.current?.finish();
  await clock.turn();
  assert.deepEqual(lane.batches.slice(3), [['f']]);
});

test('a run that was sent ahead begins when the one before it has ended: so say waits, run times and events', async () => {
  const { clock, core, lane, send, starts } = setUp();
  send('a');
  await clock.turn();
  const handles = ['b', 'c'].map((payload) => send(payload));
  await clock.advance(6);
  assert.equal(starts.length, 1);
  lane.current?.finish();
  await clock.advance(4);
  assert.deepEqual(starts.at(-1)?.waitsMs, [6, 6]);
  lane.current?.finish({ runMs: 3 });
  await clock.turn();
  const { timing } = await (handles[0]?.done ?? assert.fail());
  assert.deepEqual([timing.queueMs, timing.runMs], [6, 3]);
  assert.ok(core.predictedWaitMs('m') < 10);
});

test('a newcomer is told the time of the run that was sent ahead, too', async () => {
  const { clock, core, send } = setUp();
  for (const payload of ['a', 'b', 'c', 'd']) send(payload);
  await clock.turn();
  assert.equal(core.predictedWaitMs('m'), 20);
});

test('a ticket that was sent ahead settles at once when its client leaves; its permit comes back with its run', async () => {
  const { clock, core, lane, send, log } = setUp();
  const tickets = ['a', 'b', 'c', 'd'].map((payload) => send(payload));
  await clock.turn();
  tickets[2]?.cancel();
  assert.equal(await settled(tickets[2] ?? assert.fail()), 'CANCELLED');
  assert.deepEqual(log, [['left', 'cancelled', 'running', 1]]);
  assert.equal(core.depth('m').permits, 4);
  for (const permits of [2, 0]) {
    lane.current?.finish();
    await clock.turn();
    assert.equal(core.depth('m').permits, permits);
  }
  assert.equal(await settled(tickets[3] ?? assert.fail()), 'd');
});

test('a run sent ahead goes on after one that fails, and is lost with its lane', async () => {
  const { clock, lane, send } = setUp();
  const tickets = ['a', 'b', 'c', 'd', 'e', 'f'].map((payload) => send(payload));
  await clock.turn();
  lane.current?.fail(new Error('detail'));
  await clock.turn();
  assert.equal(await settled(tickets[0] ?? assert.fail()), 'INTERNAL');
  assert.equal(lane.batches.length, 3);
  for (const run of lane.runs) run.fail(new ServerError('LANE_LOST'));
  await clock.turn();
  for (const ticket of tickets.slice(2)) assert.equal(await settled(ticket), 'LANE_LOST');
});

test('long runs are not sent ahead: urgent tickets would wait for them', async () => {
  const { clock, lane, send } = setUp({ wallMs: 100 });
  for (const payload of ['a', 'b', 'c', 'd']) send(payload);
  await clock.turn();
  assert.deepEqual(lane.batches, [['a', 'b']]);
});

test('a full batch is sent ahead to the lane that will be free first', async () => {
  const { clock, core, lane: first, send } = setUp();
  const second = new FakeLane<unknown>(1, undefined, { takesAhead: true });
  for (const payload of ['a', 'b']) send(payload);
  await clock.advance(5);
  core.addLane(second);
  for (const payload of ['c', 'd', 'e', 'f']) send(payload);
  await clock.turn();
  assert.deepEqual(first.batches, [
    ['a', 'b'],
    ['e', 'f'],
  ]);
  assert.deepEqual(second.batches, [['c', 'd']]);
});
