import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNetworkError, retrying } from '../../src/transfer/retry.ts';

const RETRY = { attempts: 3, firstDelayMs: 0, isPassing: isNetworkError };
const broken = (): Error => Object.assign(new Error('as the system says it'), { code: 'ECONNRESET' });

test('tries are counted from the last progress', async () => {
  const outcomes = ['fail', 'fail', 'progress', 'fail', 'done'];
  let at = 0;
  const result = await retrying(RETRY, (noteProgress) => {
    const outcome = outcomes[at];
    at += 1;
    if (outcome === 'done') return Promise.resolve('done');
    if (outcome === 'progress') noteProgress();
    return Promise.reject(broken());
  });
  assert.equal(result, 'done');
  let tries = 0;
  const giveUp = retrying(RETRY, () => {
    tries += 1;
    return Promise.reject(broken());
  });
  await assert.rejects(giveUp, { code: 'ECONNRESET' });
  assert.equal(tries, 3);
});

test('a wait is as long as the other side asks, and ends with the signal', async () => {
  const stop = new AbortController();
  const waits: number[] = [];
  const work = retrying(
    {
      ...RETRY,
      askedDelayMs: () => 20_000,
      signal: stop.signal,
      onRetry(_error, waitMs) {
        waits.push(waitMs);
        setImmediate(() => stop.abort(new Error('enough')));
      },
    },
    () => Promise.reject(broken()),
  );
  await assert.rejects(work, { name: 'AbortError' });
  assert.deepEqual(waits, [20_000]);
});

test('what will not pass is not retried', async () => {
  let tries = 0;
  const work = retrying(RETRY, () => {
    tries += 1;
    return Promise.reject(new Error('no'));
  });
  await assert.rejects(work, { message: 'no' });
  assert.equal(tries, 1);
});
