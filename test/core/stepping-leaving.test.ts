import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Timed } from '../../src/core/deadlines.ts';
import { ServerError } from '../../src/errors.ts';
import { settled } from './core-set-up.ts';
import { setUp } from './stepping-set-up.ts';

/** How tickets that take several runs leave before they are done: cancelled, late, or with their lane. */

test('a ticket cancelled during a run is in no further one, and its lane drops its state', async () => {
  const { clock, core, lane, send, step } = setUp();
  const a = send('a', 5);
  const b = send('b', 5);
  await clock.turn();
  a.cancel();
  assert.equal(await settled(a), 'CANCELLED');
  assert.equal(core.depth('m').running, 2, 'its run has not ended');
  await step();
  assert.equal(core.depth('m').permits, 1);
  assert.deepEqual(lane.held, ['b']);
  b.cancel();
  await step();
  // No ticket is left: a run without tickets tells the lane.
  assert.deepEqual(lane.batches.at(-1), []);
  assert.deepEqual(lane.held, []);
  await step();
  assert.equal(lane.busy, false);
  assert.equal(core.depth('m').permits, 0);
});

test('a ticket cancelled between two runs, while its lane serves another model, gives its permit back at once', async () => {
  const { clock, core, lane, send, step } = setUp();
  const limits = { maxItems: 3, maxCost: Infinity, maxDelayMs: 0 };
  core.addModel('other', { limits, queueItems: 8 });
  const a = send('a', 5);
  await clock.turn();
  send('x', 1, { modelKey: 'other' });
  await step();
  assert.deepEqual(lane.batches, [['a'], ['x']], 'the other model has had no lane time yet');
  assert.equal(core.depth('m').running, 1);
  a.cancel();
  assert.equal(core.depth('m').permits, 0);
  await step();
  await step();
  assert.deepEqual(lane.batches, [['a'], ['x'], []]);
});

test('the deadline of a ticket may pass between or during runs', async () => {
  const { clock, core, lane, send, step } = setUp();
  const a = send('a', 9, { deadlineMs: 15 });
  await clock.turn();
  await step();
  await clock.advance(10);
  assert.equal(await settled(a), 'DEADLINE_EXCEEDED');
  await step();
  await step();
  assert.deepEqual(lane.held, []);
  assert.equal(core.depth('m').permits, 0);
});

test('all tickets that rest on a lane are lost with it, also if it was running another model', async () => {
  const { clock, core, lane, send, step } = setUp();
  core.addModel('other', { limits: { maxItems: 1, maxCost: Infinity, maxDelayMs: 0 }, queueItems: 8 });
  const a = send('a', 5);
  await clock.turn();
  const x = send('x', 1, { modelKey: 'other' });
  await step();
  lane.lose(new ServerError('LANE_LOST'));
  await clock.turn();
  assert.deepEqual([await settled(a), await settled(x)], ['LANE_LOST', 'LANE_LOST']);
  assert.deepEqual([core.depth('m').permits, core.depth('other').permits], [0, 0]);
});

test('a lane removed during a run takes with it the tickets that would go on', async () => {
  const { clock, core, lane, send } = setUp();
  const a = send('a', 5);
  const b = send('b', 1);
  await clock.turn();
  core.removeLane(0);
  lane.step();
  await clock.turn();
  assert.deepEqual([await settled(a), await settled(b)], ['LANE_LOST', 'b done']);
  assert.equal(core.depth('m').permits, 0);
});

test('the deadline of a ticket lost with its lane is not watched, whether it rests or would go on', async () => {
  for (const when of ['between two runs', 'during a run'] as const) {
    const { clock, core, lane, send, step } = setUp();
    const a = send('a', 3, { deadlineMs: 60_000 });
    await clock.turn();
    if (when === 'between two runs') {
      core.addModel('other', { limits: { maxItems: 1, maxCost: Infinity, maxDelayMs: 0 }, queueItems: 8 });
      send('x', 1, { modelKey: 'other' });
      await step();
    }
    core.removeLane(0);
    lane.step();
    await clock.turn();
    assert.equal(await settled(a), 'LANE_LOST');
    assert.deepEqual([when, (a as unknown as Timed).heapIndex], [when, -1]);
  }
});

test('a failure settles what runs and what rests; removal and idleness wait for all steps', async () => {
  const { clock, core, send, step } = setUp();
  const a = send('a', 2);
  await clock.turn();
  let removed = false;
  void core.removeModel('m').then(() => {
    removed = true;
  });
  await step();
  assert.equal(removed, false);
  await step();
  assert.deepEqual([await settled(a), removed], ['a done', true]);
  await core.idle();

  const other = setUp();
  const c = other.send('c', 9);
  await other.clock.turn();
  other.core.failAll(new ServerError('FAILED'), { running: true });
  assert.equal(await settled(c), 'FAILED');
  await other.step();
  await other.core.idle();
});

test('a late ticket on a lent permit does not remove a new model of the same key', async () => {
  const { clock, core, lane, send } = setUp();
  const admission = core.admit({ modelKey: 'm', items: 1, deadlineMs: Infinity });
  const lent = admission.lend({ payload: { name: 'lent', runs: 1 }, items: 1, cost: 1, shapeKey: '' });
  await clock.turn();
  lent.cancel();
  admission.close();
  await core.removeModel('m');
  core.addModel('m', { limits: { maxItems: 3, maxCost: Infinity, maxDelayMs: 0 }, queueItems: 8, stepping: true });
  lane.step();
  await clock.turn();
  const next = send('next', 1);
  await clock.turn();
  lane.step();
  await clock.turn();
  assert.equal(await settled(next), 'next done');
});

test('lent permits stay with the request until it is done', async () => {
  const { clock, core, step } = setUp({ queueItems: 2 });
  const admission = core.admit({ modelKey: 'm', items: 1, deadlineMs: Infinity });
  const lend = (name: string) => admission.lend({ payload: { name, runs: 1 }, items: 1, cost: 1, shapeKey: '' });
  assert.equal(admission.tryTake(), true);
  assert.equal(admission.tryTake(), false, 'there are but two');
  const [a, b] = [lend('a'), lend('b')];
  await clock.turn();
  assert.deepEqual(core.depth('m'), { waiting: 0, running: 2, permits: 2, queueItems: 2 });
  await step();
  assert.deepEqual([await settled(a), await settled(b)], ['a done', 'b done']);
  assert.deepEqual(core.depth('m'), { waiting: 0, running: 0, permits: 2, queueItems: 2 });
  admission.close();
  assert.equal(core.depth('m').permits, 0);
  await core.idle();
});
