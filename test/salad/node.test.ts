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

const HEADERS = ['x-salad-machine-id', 'x-salad-container-group-id', 'x-model-id'] as const;

test('replies to inference and log lines name the node, on SaladCloud alone', async () => {
  await using stub = await startImdsStub();
  const ids = { SALAD_MACHINE_ID: 'machine-1', SALAD_CONTAINER_GROUP_ID: 'group-1' };
  await using server = await startTestServer({ MODELS: 'square', SALAD_METADATA_URI: stub.uri, ...ids });
  const { headers } = await post(`${server.url}/predict/square`, '{"data":2}');
  assert.deepEqual(
    HEADERS.map((name) => headers.get(name)),
    ['machine-1', 'group-1', 'square'],
  );
  assert.match(headers.get('x-processing-time') ?? '', /^\d+\.\d{3}$/);
  assert.equal(headers.get('x-realtime-factor'), null);
  const wrong = await post(`${server.url}/predict/square`, '{"data":"x"}');
  assert.deepEqual([wrong.status, wrong.headers.get('x-salad-machine-id')], [422, 'machine-1']);
  await using elsewhere = await startTestServer({ MODELS: 'square' });
  const other = await post(`${elsewhere.url}/predict/square`, '{"data":2}');
  assert.ok(HEADERS.every((name) => other.headers.get(name) === null));
});
