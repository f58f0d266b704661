import assert from 'node:assert/strict';
import { test } from 'node:test';
import { within } from '../../src/transfer/limit.ts';

const late = (): Error => new Error('too late');

/** Work that ends by its signal alone. */
function forever(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('ended by the signal')), { once: true });
  });
}

test('work beyond its limit is ended, and rejects with the error for it', async () => {
  await assert.rejects(within({ signal: undefined, limitMs: 1, late }, forever), { message: 'too late' });
});

test('the outer signal ends the work', async () => {
  const outer = new AbortController();
  const work = within({ signal: outer.signal, limitMs: 60_000, late }, forever);
  outer.abort();
  await assert.rejects(work, { message: 'ended by the signal' });
});

test('nothing of the work goes on when it has ended', async () => {
  for (const end of [() => Promise.resolve('done'), () => Promise.reject(new Error('failed'))]) {
    let seen: AbortSignal | undefined;
    const work = within({ signal: undefined, limitMs: 60_000, late }, (signal) => {
      seen = signal;
      return end();
    });
    await work.catch(() => undefined);
    assert.equal(seen?.aborted, true);
  }
});
