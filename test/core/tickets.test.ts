import assert from 'node:assert/strict';
import test from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ServerError } from '../../src/errors.ts';
import { setUp, settled } from './core-set-up.ts';

test('a ticket cancelled while waiting is never run, and frees its permit at once', async () => {
  const { clock, core, lane, send, log } = setUp();
  send('a');
  await clock.turn();
  const gone = send('gone');
  send('b');
  gone.cancel();
  gone.cancel();
  assert.equal(core.depth('m').permits, 2);
  lane.current?.finish();
  await clock.turn();
  assert.deepEqual(lane.batches, [['a'], ['b']]);
  assert.equal(await settled(gone), 'CANCELLED');
  assert.deepEqual(log, [
    ['left', 'cancelled', 'waiting', 1],
    ['finished', 1, 1, true],
  ]);
});

test('a ticket cancelled while running settles at once, and frees its permit when the run ends', async () => {
  const { clock, core, lane, send, log } = setUp();
  const [gone, stays] = [send('gone'), send('stays')];
  await clock.turn();
  gone.cancel();
  assert.equal(await settled(gone), 'CANCELLED');
  assert.equal(core.depth('m').permits, 2);
  lane.current?.finish();
  await clock.turn();
  assert.equal(await settled(stays), 'stays');
  assert.equal(core.depth('m').permits, 0);
  assert.deepEqual(log, [
    ['left', 'cancelled', 'running', 1],
    ['finished', 2, 2, true],
  ]);
});

test('a deadline settles what waits and what runs; what waited is never run', async () => {
  const { clock, core, lane, send, log } = setUp();
  const runs = send('runs', { deadlineMs: 50 });
  await clock.turn();
  const waits = send('waits', { deadlineMs: 60 });
  await clock.advance(49);
  assert.equal(await settled(runs), 'pending');
  await clock.advance(20);
  assert.equal(await settled(runs), 'DEADLINE_EXCEEDED');
  assert.equal(await settled(waits), 'DEADLINE_EXCEEDED');
  assert.equal(core.depth('m').permits, 1);
  lane.current?.finish();
  await clock.turn();
  assert.deepEqual(lane.batches, [['runs']]);
  assert.equal(core.depth('m').permits, 0);
  assert.deepEqual(log.slice(0, 2), [
    ['left', 'expired', 'running', 1],
    ['left', 'expired', 'waiting', 1],
  ]);
});

test('an expired ticket is not run, even if its timer is late', async () => {
  const { clock, lane, send } = setUp();
  const late = send('late', { deadlineMs: 50 });
  send('in time');
  clock.stall(60);
  await clock.turn();
  assert.deepEqual(lane.batches, [['in time']]);
  assert.equal(await settled(late), 'DEADLINE_EXCEEDED');
});

test('an item whose preparation took longer than its deadline is not run', async () => {
  const { clock, core, lane } = setUp();
  const admission = core.admit({ modelKey: 'm', items: 1, deadlineMs: 10 });
  await clock.advance(10);
  const handle = admission.enqueue({ payload: 'late', items: 1, cost: 1, shapeKey: '' });
  await clock.turn();
  assert.equal(await settled(handle), 'DEADLINE_EXCEEDED');
  assert.deepEqual(lane.batches, []);
  assert.equal(core.depth('m').permits, 0);
});

test('one bad item fails alone', async () => {
  const { clock, lane, send } = setUp();
  const [bad, good] = [send('bad'), send('good')];
  await clock.turn();
  const error = new ServerError('INFERENCE_FAILED');
  lane.current?.finish({
    outcomes: [
      { ok: false, error },
      { ok: true, result: 'fine' },
    ],
  });
  await assert.rejects(bad.done, error);
  await clock.turn();
  assert.equal(await settled(good), 'fine');
});

test('any other error of a lane is internal, and the lane goes on', async () => {
  const { clock, lane, send } = setUp();
  const broken = send('a');
  await clock.turn();
  const next = send('b');
  lane.current?.fail(new TypeError('detail'));
  await clock.turn();
  assert.equal(await settled(broken), 'INTERNAL');
  lane.current?.finish();
  assert.equal((await next.done).result, 'b');
});

test('a lane that throws instead of rejecting does no further harm', async () => {
  const { clock, core, lane, send } = setUp();
  core.removeLane(lane.id);
  core.addLane({
    id: 1,
    run: () => {
      throw new Error('detail');
    },
  });
  const handle = send('a');
  await clock.turn();
  assert.equal(await settled(handle), 'INTERNAL');
  assert.equal(core.depth('m').permits, 0);
});

test('a report without an outcome for a ticket fails that ticket, and no ticket hangs', async () => {
  const { clock, core, lane, send } = setUp();
  const handles = [send('a'), send('b')];
  await clock.turn();
  lane.current?.finish({ outcomes: [{ ok: true, result: 'a' }] });
  await clock.turn();
  assert.deepEqual(await Promise.all(handles.map((handle) => settled(handle))), ['a', 'INTERNAL']);
  assert.equal(core.depth('m').permits, 0);
});

test('a rejection that is not awaited is not reported as unhandled', async () => {
  const unhandled: unknown[] = [];
  const listener = (reason: unknown) => unhandled.push(reason);
  process.on('unhandledRejection', listener);
  try {
    const { clock, lane, send } = setUp();
    send('cancelled while waiting').cancel();
    const running = send('cancelled while running');
    send('lost with its lane');
    send('expired', { deadlineMs: 5 });
    await clock.turn();
    running.cancel();
    await clock.advance(10);
    lane.current?.fail(new ServerError('LANE_LOST'));
    await clock.turn();
    await clock.turn();
    assert.deepEqual(unhandled, []);
  } finally {
    process.off('unhandledRejection', listener);
  }
});

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

test('a settled ticket is freed long before its deadline', async () => {
  const { clock, lane, send } = setUp();
  const ticket = new WeakRef(send('a', { deadlineMs: 90_000 }));
  await clock.turn();
  lane.current?.finish();
  await clock.turn();
  collect();
  assert.equal(ticket.deref(), undefined);
});

test('the payload of a cancelled ticket is freed, although its handle is kept', async () => {
  const { clock, send } = setUp();
  send('keeps the lane busy');
  await clock.turn();
  const enqueue = () => {
    const payload = { bytes: new Uint8Array(1000) };
    return { weak: new WeakRef(payload), handle: send(payload) };
  };
  const { weak, handle } = enqueue();
  handle.cancel();
  await clock.turn();
  collect();
  assert.equal(weak.deref(), undefined);
  assert.equal(await settled(handle), 'CANCELLED');
});
