import assert from 'node:assert/strict';
import test from 'node:test';
import { ask, post, startTestServer } from './in-process.ts';

test('a refused management request is logged and counted once, under its own id and dialect', async () => {
  await using server = await startTestServer({ MODELS: 'square' });
  const answer = await ask(`${server.url}/v2/models/nobody`, { headers: { 'X-Request-Id': 'once' } });
  assert.equal(answer.status, 404);
  assert.equal(answer.headers.get('x-request-id'), 'once');
  const text = Buffer.from((await ask(`${server.url}/metrics`)).bytes).toString();
  assert.deepEqual(
    text.split('\n').filter((line) => line.startsWith('carpool_requests_total') && line.includes('code="404"')),
    ['carpool_requests_total{model="",dialect="oip",code="404"} 1'],
  );
  const logged = server.logLines
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ requestId }) => requestId === 'once');
  assert.deepEqual(
    logged.map(({ dialect, status, code }) => ({ dialect, status, code })),
    [{ dialect: 'oip', status: 404, code: 'MODEL_NOT_FOUND' }],
  );
});

test('a load request whose config stands elsewhere, or under another name, is refused: it would load without', async () => {
  await using server = await startTestServer({ MODELS: 'square', MODEL_CONTROL: 'explicit' });
  const load = (body: unknown) => post(`${server.url}/v2/repository/models/square/load`, JSON.stringify(body));
  for (const body of [{ config: '{}' }, { parameters: { configuration: '{}' } }]) {
    const { status, json } = await load(body);
    assert.equal(status, 400);
    assert.match((json as { error: string }).error, /^There is no "config(uration)?" here: .*"parameters"/);
  }
  assert.equal((await load({ parameters: { config: '{"batching":{"maxItems":2}}' } })).status, 200);
});

test('asking for the statistics of a model that sleeps does not load it', async () => {
  await using server = await startTestServer({ MODELS: 'square', MODEL_LOADING: 'lazy' });
  const { status, json } = await ask(`${server.url}/v2/models/square/stats`);
  assert.equal(status, 200);
  const [told] = (json as { model_stats: { name: string; version: string; inference_count: number }[] }).model_stats;
  assert.deepEqual([told?.name, told?.inference_count], ['square', 0]);
  assert.deepEqual((await ask(`${server.url}/v2/models/stats`)).json, { model_stats: [] });
  const index = (await post(`${server.url}/v2/repository/index`, '{}')).json as Record<string, string>[];
  const row = index.find(({ name }) => name === 'square');
  assert.deepEqual([row?.['state'], row?.['reason']], ['UNAVAILABLE', 'loaded when a request comes']);
  assert.equal((await ask(`${server.url}/v2/models/nobody/stats`)).status, 404);
});
