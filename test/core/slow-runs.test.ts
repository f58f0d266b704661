import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerError } from '../../src/errors.ts';
import { fails, options, settled, setUp } from './core-set-up.ts';
import { FakeLane } from './fake-lane.ts';

/** Runs that are slow, or fail, or would take too long. */

test('a run of several tickets is predicted to take half of the limit at most, and the first run of a model has one ticket', async () => {
  const { clock, core, lane, log, starts } = setUp({ runLimitMs: 100, limits: { ...options.limits, maxItems: 8 } });
  const ids = Array.from({ length: 8 }, (_, id) => id);
  const admission = core.admit({ modelKey: 'm', items: 8, deadlineMs: Infinity });
  for (const payload of ids) admission.enqueue({ payload, items: 1, cost: 1, shapeKey: '' });
  await clock.turn();
  await clock.advance(20);
  lane.current?.finish({ runMs: 20 });
  await clock.turn();
  // Runs of one took 20 ms each, so two together are predicted to take 40 of 50 ms.
  assert.deepEqual(lane.batches, [[0], [1, 2]]);
  await clock.advance(20);
  lane.current?.finish({ runMs: 20 });
  await clock.turn();
  // Two took no longer than one, so the rest may go together, up to four times the two.
  assert.deepEqual(lane.batches.at(-1), [3, 4, 5, 6, 7]);
  assert.deepEqual(
    starts.map(({ cut }) => cut),
    ['items', 'time', 'empty'],
  );
  lane.current?.finish();
  await clock.turn();
  assert.equal(log.length, 3);
});

test('the tickets of a late run are failed at once, and their permits come back when it ends', async () => {
  const { clock, core, lane, send } = setUp();
  const first = send('a');
  await clock.turn();
  const second = send('b');
  core.failRun(0, new ServerError('RUN_TOO_LONG'));
  core.failRun(7, new ServerError('RUN_TOO_LONG'));
  assert.equal(await settled(first), 'RUN_TOO_LONG');
  assert.equal(await settled(second), 'pending');
  assert.deepEqual([core.depth('m').permits, core.depth('m').running], [2, 1]);
  lane.current?.finish();
  await clock.turn();
  assert.deepEqual([core.depth('m').permits, lane.batches], [1, [['a'], ['b']]]);
});

test('a lane whose run fails as a whole gets no work while another can do it', async () => {
  const { clock, core, lane: broken, send } = setUp({ limits: { ...options.limits, maxItems: 1 } });
  const sound = new FakeLane<unknown>(1);
  const first = send('a');
  await clock.turn();
  broken.current?.fail(new Error('detail'));
  await clock.turn();
  assert.equal(await settled(first), 'INTERNAL');
  // It is the only lane, so it is tried.
  send('b');
  await clock.turn();
  assert.deepEqual(broken.batches, [['a'], ['b']]);
  broken.current?.fail(new Error('detail'));
  core.addLane(sound);
  for (const payload of ['c', 'd']) send(payload);
  await clock.turn();
  assert.deepEqual([broken.batches.length, sound.batches], [2, [['c']]]);
  sound.current?.finish();
  await clock.turn();
  assert.deepEqual([broken.batches.length, sound.batches], [2, [['c'], ['d']]]);
  await clock.advance(2000);
  send('e');
  await clock.turn();
  assert.deepEqual(broken.batches.at(-1), ['e'], 'tried again after a while');
});

test('a ticket whose run alone would take too long is refused, unless such runs were seen to keep the time', async () => {
  const { clock, core, lane } = setUp({ runLimitMs: 1000 });
  const enqueue = (cost: number, deadlineMs = Infinity) => {
    const admission = core.admit({ modelKey: 'm', items: 1, deadlineMs });
    try {
      return admission.enqueue({ payload: cost, items: 1, cost, shapeKey: '' });
    } finally {
      admission.close();
    }
  };
  const finish = async (ms: number) => {
    await clock.turn();
    await clock.advance(ms);
    lane.current?.finish({ runMs: ms });
    await clock.turn();
  };
  enqueue(10);
  await finish(100);
  assert.throws(() => enqueue(101), fails('TOO_LARGE'));
  assert.throws(() => enqueue(60, clock.now() + 500), fails('TOO_LARGE'));
  assert.equal(core.depth('m').permits, 0);
  enqueue(90);
  await finish(900);
  // The machine is slow for a while, and so is the fit.
  for (let run = 0; run < 10; run += 1) {
    enqueue(10);
    await finish(300);
  }
  enqueue(90);
  await finish(900);
  // A tight deadline is the client's choice.
  enqueue(10, clock.now() + 50);
  await finish(100);
});
