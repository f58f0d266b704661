import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FairQueue, type WaitingCall } from '../../src/cpu/fair-queue.ts';

const call = (model: string, request: unknown = {}): WaitingCall => ({ model, request, start: () => undefined });
const ONE = { free: 1, threads: 1 };

/** Runs what waits on one thread, each call for as long as its model takes; the models in the order served. */
function drain(queue: FairQueue, tookMs: Readonly<Record<string, number>>, calls = Infinity): string[] {
  const order: string[] = [];
  for (let next = queue.next(ONE); next !== undefined; next = order.length < calls ? queue.next(ONE) : undefined) {
    order.push(next.model);
    queue.ended(next, tookMs[next.model] ?? 1);
  }
  return order;
}

test('a model whose calls are short is served between the long ones of another', () => {
  const queue = new FairQueue();
  for (let index = 0; index < 12; index += 1) queue.add(call('texts'));
  assert.deepEqual(drain(queue, { texts: 14_000 }, 1), ['texts']);
  for (let index = 0; index < 3; index += 1) queue.add(call('images'));
  assert.deepEqual(drain(queue, { texts: 14_000, images: 20 }, 4), ['images', 'images', 'images', 'texts']);
});

test('equal models take turns, whichever came first', () => {
  const queue = new FairQueue();
  for (const model of ['a', 'a', 'a', 'b', 'b', 'b']) queue.add(call(model));
  assert.deepEqual(drain(queue, { a: 10, b: 10 }), ['a', 'b', 'a', 'b', 'a', 'b']);
});

test('a model that rested has saved nothing up', () => {
  const queue = new FairQueue();
  queue.add(call('rested'));
  drain(queue, { rested: 1 });
  for (let index = 0; index < 20; index += 1) queue.add(call('busy'));
  drain(queue, { busy: 100 }, 10);
  for (let index = 0; index < 4; index += 1) queue.add(call('rested'));
  assert.ok(drain(queue, { rested: 100, busy: 100 }, 4).includes('busy'));
});

test('requests of one model take turns, however many calls they have', () => {
  const queue = new FairQueue();
  const [large, small] = [{}, {}];
  const calls = [large, large, large, small].map((request) => call('m', request));
  for (const one of calls) queue.add(one);
  const order = [];
  for (let next = queue.next(ONE); next !== undefined; next = queue.next(ONE)) order.push(calls.indexOf(next));
  assert.deepEqual(order, [0, 3, 1, 2]);
});

test('the last free thread is not for a second long call of a model', () => {
  const queue = new FairQueue();
  const threads = 2;
  for (let index = 0; index < 8; index += 1) queue.add(call('slow'));
  for (let round = 0; round < 4; round += 1) {
    const next = queue.next({ free: 1, threads });
    assert.ok(next !== undefined);
    queue.ended(next, 5000);
  }
  assert.equal(queue.next({ free: 2, threads })?.model, 'slow');
  assert.equal(queue.next({ free: 1, threads }), undefined);
  queue.add(call('quick'));
  assert.equal(queue.next({ free: 1, threads })?.model, 'quick');
  assert.equal(queue.next({ free: 0, threads }), undefined);
});

test('a call that leaves does not run; a model is idle when nothing of it waits or runs', () => {
  const queue = new FairQueue();
  const [leaving, staying] = [call('m'), call('m')];
  queue.add(leaving);
  queue.add(staying);
  assert.deepEqual([queue.delete(leaving), queue.delete(leaving)], [true, false]);
  const next = queue.next(ONE);
  assert.equal(next, staying);
  assert.deepEqual([queue.next(ONE), queue.isIdle('m'), queue.isIdle('other')], [undefined, false, true]);
  queue.ended(staying, 1);
  assert.equal(queue.isIdle('m'), true);
});
