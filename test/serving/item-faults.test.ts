import assert from 'node:assert/strict';
import { test } from 'node:test';
import { post } from '../http/in-process.ts';
import { startStubServer } from '../http/stub-services.ts';

for (const [where, pad] of [
  ['on the main thread', ''],
  ['in a thread', ' '.repeat(140_000)],
] as const)
  test(`an item that fails for a fault of its task is told to the log, and fails alone: ${where}`, async () => {
    await using server = await startStubServer([
      {
        name: 'm',
        task: 'tensors',
        isPlain: true,
        serve: (item) =>
          item.kind === 'json' && item.value === 2
            ? Promise.reject(new TypeError('secret detail'))
            : Promise.resolve({ json: 'fine' }),
      },
    ]);
    const items = Array.from({ length: 70 }, (_, index) => index);
    const answer = await post(`${server.url}/predict`, JSON.stringify({ items }) + pad);
    const { results } = answer.json as { results: { result?: string; error?: string; code?: string }[] };
    assert.equal(results.length, 70);
    assert.deepEqual(
      [results[1], results[2], results[3]],
      [{ result: 'fine' }, { error: 'Internal error.', code: 'INTERNAL' }, { result: 'fine' }],
    );
    const [line] = server.logLines.filter((one) => one.includes('items failed'));
    assert.match(line ?? '', /"ERROR".*"requestId".*"model":"m".*secret detail/);
  });
