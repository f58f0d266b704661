import assert from 'node:assert/strict';
import { test } from 'node:test';
import { post, startTestServer } from '../http/in-process.ts';
import { until } from '../lanes/threads.ts';
import { startImdsStub, type ImdsStub } from './imds-stub.ts';

const OPTIONS = { MODELS: 'square', MODEL_OPTIONS: '{"square":{"simulate":{"runMs":3000}}}' };

const costsOf = ({ calls }: ImdsStub): unknown[] =>
  calls.filter(({ method }) => method === 'PUT').map(({ body }) => (body as { deletion_cost: number }).deletion_cost);

test('on SaladCloud the deletion cost follows the work of the server', async () => {
  await using stub = await startImdsStub();
  await using server = await startTestServer({
    ...OPTIONS,
    SALAD_METADATA_URI: stub.uri,
    SALAD_MACHINE_ID: 'machine-1',
  });
  await until(() => costsOf(stub).length === 1);
  const served = post(`${server.url}/predict/square`, '{"data":2}');
  await until(() => costsOf(stub).length === 2);
  await served;
  await until(() => costsOf(stub).length === 3);
  assert.deepEqual(costsOf(stub), [0, 1, 0]);
});

test('elsewhere the metadata service is not asked', async () => {
  await using stub = await startImdsStub();
  await using server = await startTestServer({ ...OPTIONS, SALAD_METADATA_URI: stub.uri });
  assert.equal((await post(`${server.url}/predict/square`, '{"data":2}')).status, 200);
  assert.deepEqual(stub.calls, []);
});
