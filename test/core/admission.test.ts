import assert from 'node:assert/strict';
import test from 'node:test';
import { ServerError } from '../../src/errors.ts';
import { fails, setUp } from './core-set-up.ts';

test('permits count waiting, running and preparing items; beyond them the queue is full', async () => {
  const { clock, core, lane, send, log } = setUp();
  for (let index = 0; index < 5; index += 1) send(index);
  await clock.turn();
  const admission = core.admit({ modelKey: 'm', items: 3, deadlineMs: Infinity });
  assert.deepEqual(core.depth('m'), { waiting: 1, running: 4, permits: 8, queueItems: 8 });
  assert.equal(core.isFull('m'), true);
  assert.throws(() => send('one too many'), fails('QUEUE_FULL'));
  assert.deepEqual(log, [['refused', 'QUEUE_FULL', 1]]);
  admission.release(1);
  assert.equal(core.isFull('m'), false);
  admission.close();
  admission.close();
  admission.release(5);
  assert.equal(core.depth('m').permits, 5);
  lane.current?.finish();
  await clock.turn();
  assert.deepEqual(core.depth('m'), { waiting: 0, running: 1, permits: 1, queueItems: 8 });
});

test('a full queue says when a newcomer would be served', async () => {
  const seenRuns = [2, 4].map((items) => ({ items, cost: items, runMs: 20, wallMs: 20, shapeKey: '' }));
  const { clock, core, send } = setUp({ seenRuns });
  for (let index = 0; index < 8; index += 1) send(index);
  await clock.advance(5);
  assert.throws(
    () => send('late'),
    (error: unknown) => fails('QUEUE_FULL')(error) && (error as ServerError).retryAfterMs === 15 + 20,
  );
  assert.equal(core.predictedWaitMs('m'), 35);
});

test('refuses what could never be admitted', () => {
  const { core } = setUp();
  const admit = (items: number, priority?: number, modelKey = 'm') =>
    core.admit({ modelKey, items, deadlineMs: Infinity, ...(priority === undefined ? {} : { priority }) });
  assert.throws(() => admit(9), fails('TOO_LARGE'));
  assert.throws(() => admit(1, 2, 'unknown'), fails('MODEL_UNAVAILABLE'));
  for (const items of [0, -1, 1.5, NaN]) assert.throws(() => admit(items), fails('BAD_REQUEST'));
  for (const priority of [0, 4, 1.5]) assert.throws(() => admit(1, priority), fails('BAD_REQUEST'));
  assert.equal(core.depth('m').permits, 0);
});

test('an item that its permits or its cost do not cover is not enqueued', () => {
  const { core } = setUp();
  const admission = core.admit({ modelKey: 'm', items: 2, deadlineMs: Infinity });
  const item = { payload: 0, items: 1, cost: 1, shapeKey: '' };
  assert.throws(() => admission.enqueue({ ...item, items: 3 }), fails('INTERNAL'));
  assert.throws(() => admission.enqueue({ ...item, items: 0 }), fails('INTERNAL'));
  assert.throws(() => admission.enqueue({ ...item, cost: NaN }), fails('INTERNAL'));
  assert.throws(() => admission.enqueue({ ...item, cost: -1 }), fails('INTERNAL'));
  assert.equal(core.depth('m').permits, 2);
  admission.close();
  assert.throws(() => admission.enqueue(item), fails('INTERNAL'));
  assert.equal(core.depth('m').permits, 0);
});

test('a request that could not be done in time is refused at once, unless nothing is ahead of it', async () => {
  const { clock, core, lane, send } = setUp();
  send('first');
  await clock.advance(100);
  lane.current?.finish();
  await clock.turn();
  send('second', { deadlineMs: 110 });
  await clock.turn();
  assert.throws(
    () => send('hasty', { deadlineMs: 290 }),
    (error: unknown) => fails('WAIT_TOO_LONG')(error) && (error as ServerError).retryAfterMs === 100,
  );
  assert.throws(() => send('late', { deadlineMs: 100 }), fails('DEADLINE_EXCEEDED'));
  send('patient', { deadlineMs: 310 });
  assert.equal(core.depth('m').permits, 2);
});

test('some requests that come to a slow model together are no crowd', async () => {
  const seenRuns = [1, 8].map((items) => ({
    shapeKey: '',
    items,
    cost: items,
    runMs: 1000 * items,
    wallMs: 1000 * items,
  }));
  const limits = { maxItems: 32, maxCost: Infinity, maxDelayMs: 0 };
  const { clock, core, send } = setUp({ seenRuns, limits, queueItems: 64 });
  send('first', { deadlineMs: 30_000 });
  await clock.turn();
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) send(name, { deadlineMs: 30_000 });
  assert.equal(core.depth('m').permits, 9);
});
