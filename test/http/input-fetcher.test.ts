import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerError } from '../../src/errors.ts';
import { BodyBudget } from '../../src/http/body.ts';
import { InputFetcher } from '../../src/http/input-fetcher.ts';
import type { FetchLimits } from '../../src/http/input-url.ts';
import { Cancellation } from '../../src/serving/cancellation.ts';
import type { ServedModel } from '../../src/serving/served-model.ts';
import type { Item } from '../../src/tasks/task.ts';
import { refusal } from '../tasks/support.ts';

function setUp({ mode = 'public', task = 'image-classification', budgetBytes = 100 } = {}) {
  const asked: [string, FetchLimits][] = [];
  let running = 0;
  let most = 0;
  const budget = new BodyBudget(budgetBytes);
  const fetcher = new InputFetcher({
    mode,
    limitBytes: 50,
    budget,
    async fetch(url, limits) {
      asked.push([url, limits]);
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 1));
      running -= 1;
      if (url.endsWith('bad')) throw new ServerError('INVALID_INPUT', 'The URL was answered with status 404.');
      return { bytes: Uint8Array.of(1, 2, 3), contentType: 'image/png' };
    },
  });
  const releases: (() => void)[] = [];
  const cancellation = new Cancellation();
  const requester = { cancellation, releaseLater: (release: () => void) => void releases.push(release) };
  const model = { description: { task }, timeoutMs: 90_000 } as unknown as ServedModel;
  const items = (values: unknown[]): readonly Item[] => values.map((value) => ({ kind: 'json', value }));
  return {
    asked,
    budget,
    cancellation,
    releases,
    most: () => most,
    fetch: (values: unknown[]) => fetcher.items(requester, model, items(values)),
  };
}

test('a URL becomes the image it names; what is none stays as it is; one that fails is refused alone', async () => {
  const { fetch, asked, budget, releases } = setUp();
  const fetched = await fetch(['https://a/good', 'aGVsbG8=', { image: 'http://b/bad' }]);
  assert.deepEqual(fetched, [
    { kind: 'raw', contentType: 'image/png', bytes: Uint8Array.of(1, 2, 3) },
    { kind: 'json', value: 'aGVsbG8=' },
    { kind: 'refused', code: 'INVALID_INPUT', message: 'The URL was answered with status 404.' },
  ]);
  assert.deepEqual(
    asked.map(([, { limitBytes, timeoutMs, allowPrivate }]) => [limitBytes, timeoutMs, allowPrivate]),
    [
      [50, 10_000, false],
      [50, 10_000, false],
    ],
  );
  // Its bytes count as a body's until the request is over.
  assert.throws(() => budget.take(98), refusal('QUEUE_FULL'));
  for (const release of releases) release();
  budget.take(100);
});

test('nothing is fetched when switched off, nor for tasks that take texts', async () => {
  for (const options of [{ mode: 'off' }, { task: 'embeddings' }]) {
    const { fetch, asked } = setUp(options);
    assert.deepEqual(await fetch(['https://a/good']), [{ kind: 'json', value: 'https://a/good' }]);
    assert.deepEqual(asked, []);
  }
});

test('only so many are fetched at a time, and a client that left waits for none', async () => {
  const { fetch, most, asked } = setUp({ budgetBytes: 1000 });
  assert.equal((await fetch(new Array(100).fill('https://a/good'))).length, 100);
  assert.equal(most(), 32);
  assert.equal(asked.length, 100);
  const other = setUp();
  other.cancellation.cancel();
  await assert.rejects(other.fetch(['https://a/good']), refusal('CANCELLED'));
  assert.deepEqual(other.asked, []);
});

test('more than the server holds in bodies refuses the request', async () => {
  const { fetch } = setUp({ budgetBytes: 5 });
  await assert.rejects(fetch(['https://a/good', 'https://a/good']), refusal('QUEUE_FULL'));
});
