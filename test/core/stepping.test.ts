import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settled } from './core-set-up.ts';
import { setUp } from './stepping-set-up.ts';

/** Tickets that take several runs: they stay on their lane, others join and leave between two runs. */

test('a newcomer joins between two runs, and a finished ticket leaves at once', async () => {
  const { clock, core, lane, progress, send, step } = setUp();
  const a = send('a', 3);
  await clock.turn();
  const b = send('b', 1);
  await step();
  await step();
  assert.deepEqual([await settled(a), await settled(b)], ['pending', 'b done']);
  await step();
  assert.equal(await settled(a), 'a done');
  assert.deepEqual(lane.batches, [['a'], ['a', 'b'], ['a']]);
  assert.deepEqual(progress, ['a1', 'a2']);
  assert.deepEqual(core.depth('m'), { waiting: 0, running: 0, permits: 0, queueItems: 8 });
  assert.equal(lane.busy, false);
});

test('the times of a ticket are those of all its runs', async () => {
  const { clock, send, step } = setUp();
  const a = send('a', 3);
  await clock.turn();
  send('b', 1);
  await step();
  await step();
  await step();
  const { timing } = await a.done;
  assert.deepEqual(timing, {
    queueMs: 0,
    stackMs: 0,
    runMs: 30,
    splitMs: 0,
    batchItems: 2,
    lane: 0,
    run: 1,
    startedMs: 0,
  });
});

test('no more tickets run together than the limits allow: rows, and the cost of those that stay', async () => {
  const { clock, lane, send, step } = setUp({ limits: { maxItems: 3, maxCost: 10, maxDelayMs: 0 } });
  send('a', 2, { cost: 6 });
  send('b', 4, { cost: 3 });
  send('c', 1, { cost: 5 });
  send('d', 1);
  await clock.turn();
  await step();
  await step();
  await step();
  await step();
  assert.deepEqual(lane.batches, [['a', 'b'], ['a', 'b', 'd'], ['b', 'c'], ['b']]);
});

test('a ticket for whose cost there is no room is passed by smaller ones for a while, then it is its turn', async () => {
  const { clock, lane, send, step } = setUp({ limits: { maxItems: 3, maxCost: 10, maxDelayMs: 0 } });
  send('a', 9, { cost: 6 });
  await clock.turn();
  send('big', 1, { cost: 6 });
  send('b', 1, { cost: 2 });
  await step();
  assert.deepEqual(lane.batches.at(-1), ['a', 'b']);
  await step(11_000);
  send('c', 1, { cost: 2 });
  await step();
  await step();
  assert.deepEqual(lane.batches.slice(2), [['a'], ['a'], ['a']], 'nobody passes any more');
  for (let left = 0; left < 6; left += 1) await step();
  assert.deepEqual(
    lane.batches.find((batch) => batch.includes('big')),
    ['big', 'c'],
  );
});

test('the forecast counts the cost in use, not only the rows', async () => {
  const { clock, core, send, step } = setUp({ limits: { maxItems: 8, maxCost: 10, maxDelayMs: 0 } });
  const first = send('first', 2, { cost: 5 });
  await clock.turn();
  await step(50);
  await step(50);
  await first.done;
  send('a', 9, { cost: 5 });
  send('b', 9, { cost: 5 });
  await clock.turn();
  // A third of 5 needs half of the room to be freed: half a service of 100 ms, and what is left of the step.
  const waitMs = core.predictedWaitMs('m');
  assert.ok(waitMs >= 50 && waitMs <= 150, String(waitMs));
});

test('a ticket beyond the cost limit waits until it is alone', async () => {
  const { clock, lane, send, step } = setUp({ limits: { maxItems: 3, maxCost: 10, maxDelayMs: 0 } });
  send('a', 2);
  await clock.turn();
  send('huge', 2, { cost: 99 });
  await step();
  await step();
  await step();
  await step();
  assert.deepEqual(lane.batches, [['a'], ['a'], ['huge'], ['huge']]);
});

test('two models take turns on a lane, although the tickets of one stay', async () => {
  const { clock, core, lane, send, step } = setUp();
  core.addModel('other', { limits: { maxItems: 1, maxCost: Infinity, maxDelayMs: 0 }, queueItems: 8 });
  send('a', 4);
  for (const name of ['x', 'y', 'z']) send(name, 1, { modelKey: 'other' });
  await clock.turn();
  for (let run = 0; run < 7; run += 1) await step();
  const names = lane.batches.map(([name]) => name);
  assert.deepEqual(names.filter((name) => name === 'a').length, 4);
  assert.deepEqual(
    names.slice(0, 6).filter((name) => name !== 'a'),
    ['x', 'y', 'z'],
  );
});

test('progress comes in order and before the result, however many run together', async () => {
  const { clock, progress, send, step } = setUp({
    limits: { maxItems: 64, maxCost: Infinity, maxDelayMs: 0 },
    queueItems: 64,
  });
  const handles = Array.from({ length: 40 }, (_, index) => send(`${index}:`, 2 + (index % 3)));
  const done: string[] = [];
  for (const { done: promise } of handles) void promise.then(({ result }) => done.push(result as string));
  await clock.turn();
  for (let run = 0; run < 4; run += 1) await step();
  assert.equal(done.length, 40);
  for (let index = 0; index < 40; index += 1)
    assert.deepEqual(
      progress.filter((line) => line.startsWith(`${index}:`)),
      Array.from({ length: 1 + (index % 3) }, (_, at) => `${index}:${at + 1}`),
    );
});

test('once no row is free, the forecast for a newcomer is the time that earlier tickets took', async () => {
  const { clock, core, send, step } = setUp({ limits: { maxItems: 2, maxCost: Infinity, maxDelayMs: 0 } });
  assert.equal(core.predictedWaitMs('m'), 0);
  const a = send('a', 4);
  await clock.turn();
  for (let run = 0; run < 4; run += 1) await step(25);
  await a.done;
  assert.equal(core.predictedWaitMs('m'), 0);
  send('b', 4);
  await clock.turn();
  assert.ok(core.predictedWaitMs('m') <= 25, 'a row is free: no longer than to the end of this step');
  send('c', 4);
  send('d', 4);
  await clock.turn();
  // Two places taken, one waits: two turns of 100 ms, on two rows.
  const waitMs = core.predictedWaitMs('m');
  assert.ok(waitMs >= 100 && waitMs <= 125, String(waitMs));
});
