import assert from 'node:assert/strict';
import test from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Core } from '../../src/core/core.ts';
import type { FinishedEvent, StartedEvent } from '../../src/core/events.ts';
import { ServerError } from '../../src/errors.ts';
import { fails, options, setUp, settled } from './core-set-up.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeLane } from './fake-lane.ts';

test('requests of one turn share the first run; those that come during it share the next', async () => {
  const { clock, lane, send, starts } = setUp();
  const first = [send('a'), send('b')];
  await clock.turn();
  const second = [send('c'), send('d')];
  await clock.advance(10);
  lane.current?.finish({ runMs: 7, stackMs: 2, splitMs: 1 });
  await clock.turn();
  assert.deepEqual(lane.batches, [
    ['a', 'b'],
    ['c', 'd'],
  ]);
  assert.deepEqual(await Promise.all(first.map((handle) => settled(handle))), ['a', 'b']);
  assert.deepEqual(
    starts.map(({ items, tickets, cost, cut, waitsMs }) => ({ items, tickets, cost, cut, waitsMs })),
    [
      { items: 2, tickets: 2, cost: 2, cut: 'empty', waitsMs: [0, 0] },
      { items: 2, tickets: 2, cost: 2, cut: 'empty', waitsMs: [10, 10] },
    ],
  );
  lane.current?.finish({ runMs: 3, stackMs: 2, splitMs: 1 });
  const timing = { queueMs: 10, stackMs: 2, runMs: 3, splitMs: 1, batchItems: 2, lane: 0, run: 2, startedMs: 10 };
  assert.deepEqual(await second[1]?.done, { result: 'd', timing });
});

test('a run tells whose requests ride in it, when it begins and when it has ended', async () => {
  const { clock, lane, send, starts, ends } = setUp();
  void send('a', { owner: 'one' }).done;
  await clock.turn();
  const waiting = [send('b', { owner: 'two' }), send('c', { owner: 'three' })];
  await clock.advance(10);
  lane.current?.finish();
  await clock.turn();
  await clock.advance(5);
  lane.current?.finish();
  await Promise.all(waiting.map(({ done }) => done));
  await clock.turn();
  const runs = [
    { run: 1, startedMs: 0, owners: ['one'] },
    { run: 2, startedMs: 10, owners: ['two', 'three'] },
  ];
  const told = (events: readonly (StartedEvent | FinishedEvent)[]): unknown[] =>
    events.map(({ run, startedMs, riders }) => ({ run, startedMs, owners: riders.map(({ owner }) => owner) }));
  assert.deepEqual(told(starts), runs);
  assert.deepEqual(told(ends), runs);
  assert.deepEqual(
    ends.map(({ cut, wallMs }) => [cut, wallMs]),
    [
      ['empty', 10],
      ['empty', 5],
    ],
  );
});

test('a large batch settles in slices, after the lane has its next one, and no deadline fails what has run in time', async () => {
  const limits = { maxItems: 20, maxCost: Infinity, maxDelayMs: 0 };
  const { clock, core, lane, send } = setUp({ limits, queueItems: 40 });
  const handles = Array.from({ length: 20 }, (_, index) => send(index, { deadlineMs: 50 }));
  await clock.turn();
  const next = send('next');
  const order: unknown[] = [];
  for (const { done } of handles)
    void done.then(
      async ({ result }) => {
        // A reply takes a while, and some steps.
        for (let step = 0; step < 20; step += 1) await Promise.resolve();
        clock.stall(0.3);
        order.push(result);
      },
      (error: unknown) => order.push(error),
    );
  await clock.advance(49);
  lane.current?.finish();
  await setImmediate();
  assert.deepEqual(lane.batches[1], ['next']);
  assert.deepEqual(order, [0, 1, 2, 3]);
  assert.equal(core.depth('m').permits, 1, 'permits are back when the lane is done');
  let removed = false;
  void core.removeModel('m').then(() => (removed = true));
  next.cancel();
  lane.current?.finish();
  await setImmediate();
  assert.deepEqual([core.depth('m').permits, removed], [0, false], 'a model leaves after its last reply');
  await clock.advance(5);
  await clock.turn();
  assert.deepEqual(order, [...Array(20).keys()]);
  assert.equal(removed, true);
  assert.equal(await settled(next), 'CANCELLED');
});

test('a lost lane fails its batch with a retryable error and gets no more', async () => {
  const { clock, core, lane, send, log } = setUp();
  const lost = [send('a'), send('b')];
  await clock.turn();
  const next = send('c');
  lane.current?.fail(new ServerError('LANE_LOST'));
  await clock.turn();
  assert.deepEqual(await Promise.all(lost.map((handle) => settled(handle))), ['LANE_LOST', 'LANE_LOST']);
  assert.equal(await settled(next), 'pending');
  assert.deepEqual(log, [['finished', 2, 2, 'LANE_LOST']]);
  const replacement = new FakeLane<unknown>(0);
  core.addLane(replacement);
  await clock.turn();
  assert.deepEqual(replacement.batches, [['c']]);
  assert.equal(lane.batches.length, 1);
});

test('an out-of-memory makes batches smaller, never smaller than one and never larger again', async () => {
  const { clock, lane, send } = setUp({ queueItems: 16 });
  for (let index = 0; index < 8; index += 1) send(index);
  await clock.turn();
  for (const maxItems of [2, 3, 0]) {
    send('more');
    lane.current?.finish({ maxItems });
    await clock.turn();
  }
  assert.deepEqual(
    lane.batches.map((batch) => batch.length),
    [4, 2, 2, 1],
  );
});

test('with a delay, the first of a batch waits for others that long at most', async () => {
  const limits = { ...options.limits, maxDelayMs: 10 };
  const { clock, lane, send, starts } = setUp({ limits });
  send('a');
  await clock.advance(6);
  send('b');
  await clock.advance(3);
  assert.deepEqual(lane.batches, []);
  await clock.advance(1);
  assert.deepEqual(lane.batches, [['a', 'b']]);
  lane.current?.finish();
  for (const payload of ['c', 'd', 'e', 'f']) send(payload);
  await clock.turn();
  assert.deepEqual(lane.batches[1], ['c', 'd', 'e', 'f'], 'a full batch does not wait');
  assert.deepEqual(
    starts.map(({ cut }) => cut),
    ['delay', 'items'],
  );
});

test('while one model waits for more tickets, the lane serves another', async () => {
  const { clock, core, lane, send } = setUp({ limits: { ...options.limits, maxDelayMs: 10 } });
  core.addModel('n', options);
  send('waits');
  core
    .admit({ modelKey: 'n', items: 1, deadlineMs: Infinity })
    .enqueue({ payload: 'goes', items: 1, cost: 1, shapeKey: '' });
  await clock.turn();
  assert.deepEqual(lane.batches, [['goes']]);
});

test('a ticket that no run can serve in time any more is given up when a lane is free, and delays nobody', async () => {
  const seenRuns = [1, 2].map((items) => ({ shapeKey: '', items, cost: items, runMs: 10, wallMs: 10 }));
  const { clock, lane, send, log } = setUp({ seenRuns });
  send('running');
  await clock.turn();
  const late = send('late', { deadlineMs: 25 });
  const other = send('other', { deadlineMs: 60, shapeKey: 'other' });
  await clock.advance(16);
  lane.current?.finish();
  await clock.turn();
  assert.equal(await settled(late), 'WAIT_TOO_LONG');
  assert.deepEqual(lane.batches, [['running'], ['other']]);
  assert.deepEqual(log[0], ['left', 'late', 'waiting', 1]);
  lane.current?.finish();
  await clock.turn();
  assert.equal(await settled(other), 'other');
});

test('a request that is alone is not given up: what makes it late is its own time', async () => {
  const seenRuns = [1, 2].map((items) => ({ shapeKey: '', items, cost: items, runMs: 10, wallMs: 10 }));
  const { core, clock, lane } = setUp({ seenRuns });
  const admission = core.admit({ modelKey: 'm', items: 2, deadlineMs: 25 });
  for (const payload of ['first', 'second']) admission.enqueue({ payload, items: 1, cost: 1, shapeKey: payload });
  await clock.advance(16);
  lane.current?.finish();
  await clock.turn();
  assert.deepEqual(lane.batches, [['first'], ['second']]);
});

test('different shapes never share a run', async () => {
  const { clock, lane, send } = setUp();
  for (const [payload, shapeKey] of ['a1', 'b1', 'a2', 'b2'].map((name) => [name, name[0]]))
    send(payload, { shapeKey: shapeKey ?? '' });
  await clock.turn();
  lane.current?.finish();
  await clock.turn();
  assert.deepEqual(lane.batches, [
    ['a1', 'a2'],
    ['b1', 'b2'],
  ]);
});

test('a model runs on its own lanes only', async () => {
  const { clock, core, lane } = setUp();
  core.addModel('n', { ...options, lanes: [7] });
  const handle = core
    .admit({ modelKey: 'n', items: 1, deadlineMs: Infinity })
    .enqueue({ payload: 'x', items: 1, cost: 1, shapeKey: '' });
  await clock.turn();
  assert.deepEqual(lane.batches, []);
  const own = new FakeLane<unknown>(7);
  core.addLane(own);
  await clock.turn();
  assert.deepEqual(own.batches, [['x']]);
  assert.equal(await settled(handle), 'pending');
});

test('a removed lane ends its run and gets no more', async () => {
  const { clock, core, lane, send } = setUp();
  const running = send('a');
  await clock.turn();
  core.removeLane(0);
  const waiting = send('b');
  lane.current?.finish();
  await clock.turn();
  assert.equal(await settled(running), 'a');
  assert.equal(await settled(waiting), 'pending');
  assert.equal(lane.batches.length, 1);
});

test('removing a model refuses newcomers and waits for all that was admitted', async () => {
  const { clock, core, lane, send } = setUp();
  const running = send('a');
  await clock.turn();
  const admission = core.admit({ modelKey: 'm', items: 1, deadlineMs: Infinity });
  let removed = false;
  const removal = core.removeModel('m').then(() => (removed = true));
  assert.throws(() => send('b'), fails('MODEL_UNAVAILABLE'));
  lane.current?.finish();
  await clock.turn();
  assert.equal(await settled(running), 'a');
  assert.equal(removed, false);
  const prepared = admission.enqueue({ payload: 'c', items: 1, cost: 1, shapeKey: '' });
  await clock.turn();
  lane.current?.finish();
  await clock.turn();
  assert.equal(await settled(prepared), 'c');
  await removal;
  await core.removeModel('m');
  assert.deepEqual(core.depth('m'), { waiting: 0, running: 0, permits: 0, queueItems: 0 });
  core.addModel('m', options);
  assert.throws(() => core.addModel('m', options), /in use/);
});

test('failAll settles what waits, and what runs when asked to; nothing is admitted or run after it', async () => {
  const { clock, core, lane, send } = setUp();
  const running = send('a');
  await clock.turn();
  const waiting = send('b');
  const admission = core.admit({ modelKey: 'm', items: 1, deadlineMs: Infinity });
  core.failAll(new ServerError('DRAINING'));
  assert.equal(await settled(waiting), 'DRAINING');
  assert.equal(await settled(running), 'pending');
  core.failAll(new ServerError('FAILED'), { running: true });
  assert.equal(await settled(running), 'FAILED');
  const late = admission.enqueue({ payload: 'late', items: 1, cost: 1, shapeKey: '' });
  assert.equal(await settled(late), 'FAILED');
  assert.throws(() => send('c'), fails('FAILED'));
  assert.equal(core.depth('m').permits, 1);
  lane.current?.finish();
  await clock.turn();
  assert.equal(core.depth('m').permits, 0);
  assert.equal(lane.batches.length, 1);
});

test('idle resolves when the last permit is back', async () => {
  const { clock, core, lane, send } = setUp();
  await core.idle();
  let idle = false;
  const admission = core.admit({ modelKey: 'm', items: 1, deadlineMs: Infinity });
  send('a');
  const whenIdle = core.idle().then(() => (idle = true));
  await clock.turn();
  lane.current?.finish();
  await clock.turn();
  assert.equal(idle, false);
  admission.close();
  await whenIdle;
});

test('the fit follows the runs, and warm-up runs count', async () => {
  const { clock, core, lane, send } = setUp();
  assert.equal(core.fit('m'), undefined);
  send('a');
  await clock.turn();
  lane.current?.finish({ runMs: 5 });
  await clock.turn();
  assert.deepEqual(core.fit('m'), { a: 5, b: 0 });
  const seenRuns = [1, 2].map((items) => ({ items, cost: items, runMs: 10 + items, wallMs: 12, shapeKey: 's' }));
  core.addModel('n', { ...options, seenRuns });
  assert.deepEqual(core.fit('n', 's'), { a: 1, b: 10 });
});

test('an invalid aging time is refused', () => {
  const clock = new FakeClock();
  for (const agingMs of [0, -1, NaN]) assert.throws(() => new Core({ clock, agingMs }), RangeError);
});
