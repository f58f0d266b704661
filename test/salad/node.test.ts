import assert from 'node:assert/strict';
import { request, type IncomingHttpHeaders } from 'node:http';
import { test } from 'node:test';
import { ask, post, startTestServer } from '../http/in-process.ts';
import { startStubServer, type Serve } from '../http/stub-services.ts';
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

const IDS = { SALAD_MACHINE_ID: 'machine-1', SALAD_CONTAINER_GROUP_ID: 'group-1' };

test('whatever is refused, and whatever is no inference, names the node', async () => {
  const serve: Serve = () => Promise.resolve({ json: {} });
  const full = { name: 'stub', task: 'embeddings', isFull: true, serve };
  await using server = await startStubServer([full], IDS);
  const named = [
    await post(`${server.url}/predict/stub`, '{"data":"x"}'),
    await post(`${server.url}/predict/none`, '{"data":"x"}'),
    await ask(`${server.url}/health`),
    await ask(`${server.url}/metrics`),
    await ask(`${server.url}/nothing`),
  ];
  assert.deepEqual(
    named.map(({ status, headers }) => [status, headers.get('x-salad-machine-id'), headers.get('x-model-id')]),
    [
      [429, 'machine-1', 'stub'],
      [404, 'machine-1', null],
      [200, 'machine-1', null],
      [200, 'machine-1', null],
      [404, 'machine-1', null],
    ],
  );
  assert.match(named[0]?.headers.get('x-processing-time') ?? '', /^\d+\.\d{3}$/);
});

test('a stream names the node in its head, and tells its time in trailers', async () => {
  const words: Serve = (_, { emit }) => {
    emit({ text: 'a', token_ids: [1] });
    return Promise.resolve({ json: SAID });
  };
  await using server = await startStubServer([{ name: 'stub', task: 'chat', serve: words }], IDS);
  const body = JSON.stringify({ model: 'stub', messages: [{ role: 'user', content: 'x' }], stream: true });
  const { head, trailers } = await streamOf(`${server.url}/v1/chat/completions`, body);
  assert.equal(head['x-salad-container-group-id'], 'group-1');
  assert.equal(head['x-model-id'], 'stub');
  assert.match(trailers['x-processing-time'] ?? '', /^\d+\.\d{3}$/);
});

const SAID = { text: 'a', finish_reason: 'stop', prompt_tokens: 1, completion_tokens: 1, token_ids: [1] };

/** The head and the trailers of a reply: `fetch` does not show the latter. */
function streamOf(url: string, body: string): Promise<{ head: IncomingHttpHeaders; trailers: NodeJS.Dict<string> }> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', headers: { 'Content-Type': 'application/json' } }, (response) => {
      response.resume();
      response.on('end', () => resolve({ head: response.headers, trailers: response.trailers }));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

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
