import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StoredIds } from '../../../src/jobs/sqs/stored.ts';

/** Storing that ends when it is told to. */
function pending() {
  let end: { readonly resolve: () => void; readonly reject: (error: Error) => void } | undefined;
  const promise = new Promise<void>((resolve, reject) => (end = { resolve, reject }));
  return { store: () => promise, resolve: () => end?.resolve(), fail: () => end?.reject(new Error('down')) };
}

test('what is stored is not stored again; what is being stored is not stored yet', async () => {
  const ids = new StoredIds(10);
  const first = pending();
  const storing = ids.once('a', first.store);
  const second = ids.once('a', () => Promise.reject(new Error('stored twice')));
  assert.equal(ids.has('a'), false);
  first.resolve();
  await Promise.all([storing, second]);
  assert.equal(ids.has('a'), true);
});

test('if storing fails, whoever waits for it tries itself', async () => {
  const ids = new StoredIds(10);
  const first = pending();
  const storing = assert.rejects(ids.once('a', first.store), /down/);
  let tries = 0;
  const others = [1, 2].map(() =>
    ids.once('a', () => {
      tries += 1;
      return Promise.resolve();
    }),
  );
  first.fail();
  await Promise.all([storing, ...others]);
  assert.equal(tries, 1);
});

test('the oldest are forgotten', async () => {
  const ids = new StoredIds(2);
  for (const id of ['a', 'b', 'c']) await ids.once(id, () => Promise.resolve());
  assert.deepEqual(
    ['a', 'b', 'c'].map((id) => ids.has(id)),
    [false, true, true],
  );
});
