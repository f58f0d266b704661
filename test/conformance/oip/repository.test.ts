import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { post, startTestServer, type TestServer } from '../../http/in-process.ts';
import { get, infer, outputsOf, send, square } from './client.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer({ MODELS: 'square', MODEL_CONTROL: 'explicit' });
});
after(() => server[Symbol.asyncDispose]());

test('the repository: index without a body, unload, refuse, load with an override, serve again', async () => {
  const index = async () =>
    (await send(server, '/v2/repository/index', { body: '' })).json as { name: string; state: string }[];
  const stateOf = async () => (await index()).find(({ name }) => name === 'square')?.state;
  assert.equal(await stateOf(), 'READY');
  const unloaded = await send(server, '/v2/repository/models/square/unload', {
    body: '{"parameters":{"unload_dependents":false}}',
  });
  assert.deepEqual([unloaded.status, unloaded.bytes.length], [200, 0]);
  assert.equal(await stateOf(), 'UNAVAILABLE');
  assert.equal((await infer(server, 'square', square([2]))).status, 503);
  const bad = await send(server, '/v2/repository/models/square/load', {
    body: '{"parameters":{"config":"{\\"batching\\":{\\"maxItems\\":0}}"}}',
  });
  assert.equal(bad.status, 400);
  const loaded = await send(server, '/v2/repository/models/square/load', {
    body: '{"parameters":{"config":"{\\"batching\\":{\\"maxItems\\":5}}"}}',
  });
  assert.deepEqual([loaded.status, loaded.bytes.length], [200, 0]);
  assert.equal(((await get(server, '/v2/models/square/config')).json as { max_batch_size: number }).max_batch_size, 5);
  assert.deepEqual(outputsOf(await infer(server, 'square', square([3])))[0]?.data, [9]);
  assert.equal((await send(server, '/v2/repository/models/nope/load', { body: '{}' })).status, 404);
});

test('load and unload are refused with 503 unless control is explicit', async () => {
  await using fixed = await startTestServer({ MODELS: 'square' });
  const { status, json } = await post(`${fixed.url}/v2/repository/models/square/unload`, '{}');
  assert.deepEqual([status, (json as { code: string }).code], [503, 'LOAD_NOT_ALLOWED']);
});
