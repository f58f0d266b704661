import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Imds, ImdsError } from '../../src/salad/imds.ts';
import { startImdsStub } from './imds-stub.ts';

test('each call is as the service wants it', async (t) => {
  await using stub = await startImdsStub();
  const imds = new Imds({ uri: `${stub.uri}/` });
  t.after(() => imds.close());
  assert.deepEqual(await imds.status(), { ready: true, started: true });
  await imds.setDeletionCost(7);
  assert.equal(await imds.deletionCost(), 7);
  await imds.reallocate('no GPU'.padEnd(2000, '.'));
  await imds.restart();
  await imds.recreate();
  assert.deepEqual(
    stub.calls.map(({ method, path }) => `${method} ${path}`),
    [
      'GET /v1/status',
      'PUT /v1/deletion-cost',
      'GET /v1/deletion-cost',
      'POST /v1/reallocate',
      'POST /v1/restart',
      'POST /v1/recreate',
    ],
  );
  assert.equal((stub.calls[3]?.body as { reason: string }).reason.length, 1000);
});

test('the deletion cost is held within the range of the platform', async (t) => {
  await using stub = await startImdsStub();
  const imds = new Imds({ uri: stub.uri });
  t.after(() => imds.close());
  const costs: number[] = [];
  for (const cost of [-1, 1_000_000, 2.4]) {
    await imds.setDeletionCost(cost);
    costs.push(await imds.deletionCost());
  }
  assert.deepEqual(costs, [0, 100_000, 2]);
});

test('a token is kept for two minutes, and asked for once by many', async (t) => {
  await using stub = await startImdsStub();
  let nowMs = 0;
  const imds = new Imds({ uri: stub.uri, now: () => nowMs });
  t.after(() => imds.close());
  const [first, second] = await Promise.all([imds.token(), imds.token()]);
  nowMs = 119_999;
  assert.deepEqual([second, await imds.token(), stub.calls.length], [first, first, 1]);
  nowMs = 120_000;
  assert.notEqual(await imds.token(), first);
});

test('a passing fault is tried again, a refusal is not; a token that failed is not kept', async (t) => {
  await using stub = await startImdsStub();
  const imds = new Imds({ uri: stub.uri, retryMs: 1 });
  t.after(() => imds.close());
  stub.faults.push(500, 0);
  assert.match(await imds.token(), /^token-/);
  assert.equal(stub.calls.length, 3);
  stub.faults.push(404);
  await assert.rejects(imds.status(), ImdsError);
  assert.equal(stub.calls.length, 4);
  const other = new Imds({ uri: stub.uri, retryMs: 1 });
  t.after(() => other.close());
  stub.faults.push(503, 503, 503);
  await assert.rejects(other.token(), /IMDS \/v1\/token: status 503/);
  assert.match(await other.token(), /^token-/);
});

test('a service that does not answer is given up', async (t) => {
  const imds = new Imds({ uri: 'http://127.0.0.1:1', retryMs: 1, timeoutMs: 100 });
  t.after(() => imds.close());
  await assert.rejects(imds.status(), ImdsError);
});
