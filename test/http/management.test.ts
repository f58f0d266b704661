import assert from 'node:assert/strict';
import test from 'node:test';
import { ask, startTestServer } from './in-process.ts';

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
