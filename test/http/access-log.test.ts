import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, post } from './in-process.ts';
import { until } from '../lanes/threads.ts';
import { RawClient } from './raw-client.ts';
import { startStubServer, type StubModel, type StubServer } from './stub-services.ts';

const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const IDS = { 'X-Request-Id': 'r-1', 'Salad-Job-Id': 'job-5', traceparent: TRACEPARENT };

const vectors: StubModel = {
  name: 'vectors',
  task: 'embeddings',
  serve: () => Promise.resolve({ json: { embedding: 'AAAAAA==', tokens: 1 } }),
};

type Line = Readonly<Record<string, unknown>>;

const linesOf = (server: StubServer): Line[] =>
  server.logLines.map((line) => JSON.parse(line) as Line).filter(({ path }) => path !== undefined);

/** All lines of requests, when there are as many as expected and the server, being closed, can write no more. */
async function requestLines(server: StubServer, count: number): Promise<Line[]> {
  while (linesOf(server).length < count) await new Promise(setImmediate);
  await server[Symbol.asyncDispose]();
  return linesOf(server);
}

test('a hot route and a route of Express have one line each, with the same fields', async () => {
  await using server = await startStubServer([vectors]);
  await post(`${server.url}/v1/embeddings?key=secret`, '{"input":"a","encoding_format":"x"}', IDS);
  await ask(`${server.url}/v1/models/nope?key=secret`, { headers: IDS });
  const [hot = {}, express = {}, ...more] = await requestLines(server, 2);
  assert.deepEqual(more, []);
  for (const [line, method, path, status, code] of [
    [hot, 'POST', '/v1/embeddings', 400, 'BAD_REQUEST'],
    [express, 'GET', '/v1/models/nope', 404, 'MODEL_NOT_FOUND'],
  ] as const) {
    const { severity, msg, requestId, jobId, trace_id: trace } = line;
    assert.deepEqual([severity, msg, requestId, jobId], ['INFO', 'request', 'r-1', 'job-5']);
    assert.deepEqual([trace, line['dialect']], [TRACEPARENT.slice(3, 35), 'openai']);
    assert.deepEqual([line['method'], line['path'], line['status'], line['code']], [method, path, status, code]);
    assert.equal(typeof line['durationMs'], 'number');
  }
  const common = (line: Line) => Object.keys(line).filter((name) => !['model', 'version', 'items'].includes(name));
  assert.deepEqual(common(hot), common(express));
});

test('an id is given to a request that brings none, the same in its line and its reply', async () => {
  await using server = await startStubServer([vectors]);
  const { headers } = await ask(server.url);
  const [line] = await requestLines(server, 1);
  assert.equal(line?.['requestId'], headers.get('x-request-id'));
});

test('metrics and probes are logged at debug, probes without their query', async () => {
  await using server = await startStubServer([vectors], { LOG_LEVEL: 'debug' });
  await ask(`${server.url}/metrics`);
  await ask(`${server.url}/ready?verbose=1`);
  await ask(`${server.url}/nothing`);
  const lines = await requestLines(server, 3);
  assert.deepEqual(
    lines.map(({ severity, msg, method, path, status }) => [severity, msg, method, path, status]),
    [
      ['DEBUG', 'request', 'GET', '/metrics', 200],
      ['DEBUG', 'probe', 'GET', '/ready', 200],
      ['INFO', 'request', 'GET', '/nothing', 404],
    ],
  );
});

test('a reply of 5xx is a warning, on hot routes and others', async () => {
  await using server = await startStubServer([vectors]);
  server.state.enter('draining', 'test');
  await post(`${server.url}/v1/embeddings`, '{"input":"a"}');
  await post(server.url, '{"inputs":"a"}');
  const lines = await requestLines(server, 2);
  assert.deepEqual(
    lines.map(({ severity, status, code, path }) => [severity, status, code, path]),
    [
      ['WARNING', 503, 'DRAINING', '/v1/embeddings'],
      ['WARNING', 503, 'DRAINING', '/'],
    ],
  );
});

test('a client that leaves a route of Express has one line, and so has each request that waits behind it', async () => {
  await using server = await startStubServer([vectors]);
  const client = new RawClient(server.port);
  client.send('POST /v2/repository/models/vectors/load HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}');
  client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /nothing HTTP/1.1\r\nHost: a\r\n\r\n');
  await until(() => server.loads.length === 1);
  client.socket.destroy();
  const lines = await requestLines(server, 3);
  assert.deepEqual(lines.map(({ path, status, msg }) => `${String(status)} ${String(msg)} ${String(path)}`).sort(), [
    '499 client left /',
    '499 client left /nothing',
    '499 client left /v2/repository/models/vectors/load',
  ]);
});
