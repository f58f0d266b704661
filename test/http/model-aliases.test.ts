import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestServer } from './in-process.ts';

test('requests of every dialect may call a model by its alias, and the list of models has it', async () => {
  await using server = await startTestServer({ MODELS: 'square', MODEL_ALIASES: 'gpt=square, other=nothing' });
  const ask = async (path: string, body?: unknown) => {
    const init =
      body === undefined
        ? {}
        : { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
    const response = await fetch(`${server.url}${path}`, init);
    return { status: response.status, json: (await response.json()) as Record<string, unknown> };
  };
  assert.deepEqual((await ask('/predict/gpt', { data: 3 })).json, { result: 9 });
  const inputs = [{ name: 'x', shape: [1], datatype: 'FP64', data: [3] }];
  assert.equal((await ask('/v2/models/gpt/infer', { inputs })).status, 200);
  assert.equal((await ask('/v2/models/gpt')).json['name'], 'square');
  const { data } = (await ask('/v1/models')).json as { data: { id: string; root?: string }[] };
  assert.deepEqual(
    data.map(({ id, root }) => [id, root]),
    [
      ['square', undefined],
      ['gpt', 'square'],
    ],
  );
  assert.equal((await ask('/v1/models/gpt')).json['id'], 'gpt');
  assert.equal((await ask('/predict/other', { data: 3 })).status, 404);
});
