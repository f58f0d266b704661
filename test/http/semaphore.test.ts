import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Semaphore, type Waiter } from '../../src/http/semaphore.ts';
import { Cancellation } from '../../src/serving/cancellation.ts';
import { refusal } from '../tasks/support.ts';

/** Work that is under way until it is told to end. */
function setUp(options: { places: number; mostWaiting?: number }) {
  const semaphore = new Semaphore(options);
  const running = new Map<string, () => void>();
  const enter = (name: string, keys: readonly string[] = [], more: Partial<Waiter> = {}): Promise<string> => {
    const shares = keys.map((key) => ({ key, places: 2 }));
    return semaphore.run(
      { shares, limitMs: 60_000, ...more },
      () => new Promise<string>((resolve) => running.set(name, () => resolve(name))),
    );
  };
  const end = async (name: string): Promise<void> => {
    running.get(name)?.();
    running.delete(name);
    await setImmediate();
  };
  const names = async (): Promise<string[]> => {
    await setImmediate();
    return [...running.keys()].sort();
  };
  return { semaphore, enter, end, names };
}

test('a few at a time and fewer of one key; the others wait in order, and no key is kept', async () => {
  const { semaphore, enter, end, names } = setUp({ places: 3 });
  const all = ['a1', 'a2', 'a3', 'b1', 'b2'].map((name) => enter(name, [name.slice(0, 1)]));
  assert.deepEqual(await names(), ['a1', 'a2', 'b1']);
  assert.equal(semaphore.waiting, 2);
  await end('b1');
  assert.deepEqual(await names(), ['a1', 'a2', 'b2']);
  await end('a1');
  assert.deepEqual(await names(), ['a2', 'a3', 'b2']);
  for (const name of await names()) await end(name);
  assert.deepEqual(await Promise.all(all), ['a1', 'a2', 'a3', 'b1', 'b2']);
  assert.deepEqual([semaphore.waiting, semaphore.keys], [0, 0]);
});

test('the limits of both keys count', async () => {
  const { enter, end, names } = setUp({ places: 10 });
  const all = ['x', 'y', 'z'].flatMap((host) => [1, 2].map((n) => enter(`${host}${n}`, [host, 'client'])));
  all.push(enter('x3', ['x', 'other']));
  assert.deepEqual(await names(), ['x1', 'x2']);
  await end('x1');
  assert.deepEqual(await names(), ['x2', 'x3', 'y1']);
  for (const name of ['x2', 'x3', 'y1', 'y2', 'z1', 'z2']) {
    await setImmediate();
    await end(name);
  }
  assert.equal((await Promise.all(all)).length, 7);
});

test('a waiter leaves with its request or when its time is up, and frees its places', async () => {
  const { semaphore, enter, end, names } = setUp({ places: 1 });
  const first = enter('first');
  const cancellation = new Cancellation();
  // Both have their places of the key and wait for the one of all.
  const gone = assert.rejects(enter('gone', ['k'], { cancellation }), refusal('CANCELLED'));
  const late = assert.rejects(enter('late', ['k'], { limitMs: 1 }), refusal('DEADLINE_EXCEEDED'));
  await names();
  cancellation.cancel();
  await Promise.all([gone, late]);
  assert.deepEqual([semaphore.waiting, semaphore.keys, cancellation.size], [0, 0, 0]);
  const next = enter('next', ['k']);
  await end('first');
  assert.deepEqual(await names(), ['next']);
  await end('next');
  assert.deepEqual(await Promise.all([first, next]), ['first', 'next']);
});

test('the limit of a wait does not end work that has begun, and an error of the work is passed on', async () => {
  const { semaphore } = setUp({ places: 1 });
  const cancellation = new Cancellation();
  const slow = semaphore.run({ shares: [], limitMs: 5, cancellation }, async () => {
    assert.equal(cancellation.size, 0);
    await new Promise((resolve) => setTimeout(resolve, 20));
    return 'done';
  });
  assert.equal(await slow, 'done');
  const failing = semaphore.run({ shares: [], limitMs: 5 }, () => Promise.reject(new Error('no')));
  await assert.rejects(failing, /no/);
  assert.equal(await semaphore.run({ shares: [], limitMs: 5 }, () => Promise.resolve(1)), 1);
});

test('a request that has left or whose time is up does not wait, nor one beyond the limit of waiters', async () => {
  const { enter, end } = setUp({ places: 1, mostWaiting: 1 });
  const gone = new Cancellation();
  gone.cancel();
  await assert.rejects(enter('gone', [], { cancellation: gone }), refusal('CANCELLED'));
  await assert.rejects(enter('late', [], { limitMs: 0 }), refusal('DEADLINE_EXCEEDED'));
  const first = enter('first');
  await setImmediate();
  const second = enter('second');
  await assert.rejects(enter('third'), refusal('QUEUE_FULL'));
  await end('first');
  await setImmediate();
  await end('second');
  assert.deepEqual(await Promise.all([first, second]), ['first', 'second']);
});
