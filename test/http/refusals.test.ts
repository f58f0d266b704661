import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerError } from '../../src/errors.ts';
import { ask, post } from './in-process.ts';
import { RawClient } from './raw-client.ts';
import { startStubServer, type StubModel } from './stub-services.ts';

const full: StubModel = {
  name: 'full',
  task: 'embeddings',
  isFull: true,
  serve: () => Promise.reject(new Error('not to be reached')),
};
/** A job's refusal is waited for, unless it says that it comes through a proxy. */
const IDS = { 'X-Request-Id': 'r-1', 'Salad-Job-Id': 'job-5', 'X-Forwarded-For': '192.0.2.1' };

test('a full queue refuses in the shape of the dialect, with its headers, before the body has come', async () => {
  await using server = await startStubServer([full]);
  for (const [path, error] of [
    ['/predict/full', 'Queue is full. Please try again later.'],
    [
      '/v1/embeddings',
      { message: 'Queue is full. Please try again later.', type: 'requests', param: null, code: 'rate_limit_exceeded' },
    ],
  ] as const) {
    const client = new RawClient(server.port);
    client.send(`POST ${path} HTTP/1.1\r\nHost: a\r\nX-Request-Id: r-2\r\nContent-Length: 9\r\n\r\n{`);
    const answer = await client.answer();
    assert.equal(answer?.status, 429);
    const { headers } = answer;
    assert.deepEqual(
      [headers['retry-after'], headers['retry-after-ms'], headers['x-request-id'], headers['content-type']],
      ['2', '1500', 'r-2', 'application/json'],
    );
    assert.deepEqual((JSON.parse(answer.body) as { error: unknown }).error, error);
    client.socket.destroy();
  }
});

test('refusals leave the connection of use: the rest of the body is read over', async () => {
  await using server = await startStubServer([full]);
  const client = new RawClient(server.port);
  client.send('POST /predict/full HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n{"da');
  assert.equal((await client.answer())?.status, 429);
  client.send('ta":GET /health HTTP/1.1\r\nHost: a\r\n\r\n');
  client.send(
    'POST /predict/full HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}GET /health HTTP/1.1\r\nHost: a\r\n\r\n',
  );
  const statuses: (number | undefined)[] = [];
  for (let count = 0; count < 3; count += 1) statuses.push((await client.answer())?.status);
  assert.deepEqual(statuses, [200, 429, 200]);
  client.socket.destroy();
});

test('refusals are counted and logged like other requests, and gathered when there are many', async () => {
  const server = await startStubServer([full]);
  const answers = await Promise.all(
    Array.from({ length: 25 }, () => post(`${server.url}/predict/full`, '{"data":1}', IDS)),
  );
  assert.ok(answers.every(({ status }) => status === 429));
  const text = await server.metricsText();
  assert.match(text, /^carpool_requests_total\{model="",dialect="native",code="429"\} 25$/m);
  assert.match(text, /^carpool_rejects_total\{model="full",reason="QUEUE_FULL"\} 25$/m);
  assert.match(text, /^carpool_request_seconds_count\{model="",dialect="native"\} 25$/m);
  await server[Symbol.asyncDispose]();
  const lines = server.logLines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  const single = lines.filter(({ msg }) => msg === 'request');
  assert.equal(single.length, 10);
  for (const { severity, requestId, jobId, method, path, status, dialect, code } of single)
    assert.deepEqual(
      [severity, requestId, jobId, method, path, status, dialect, code],
      ['INFO', 'r-1', 'job-5', 'POST', '/predict/full', 429, 'native', 'QUEUE_FULL'],
    );
  const counted = lines.filter(({ msg }) => msg === 'requests refused').map(({ count }) => Number(count));
  assert.equal(
    counted.reduce((sum, count) => sum + count, 0),
    15,
  );
});

test('what is refused after its body is logged and gathered like what is refused before it', async () => {
  const server = await startStubServer([
    { name: 'late', task: 'embeddings', serve: () => Promise.reject(new ServerError('WAIT_TOO_LONG')) },
  ]);
  const refused = (): Promise<{ status: number }> =>
    post(`${server.url}/predict/late`, '{"data":1}', { ...IDS, 'X-Request-Timeout-Ms': '5000' });
  const answers = await Promise.all(Array.from({ length: 25 }, refused));
  assert.ok(answers.every(({ status }) => status === 429));
  assert.match(await server.metricsText(), /^carpool_requests_total\{model="late",dialect="native",code="429"\} 25$/m);
  await server[Symbol.asyncDispose]();
  const lines = server.logLines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
  const single = lines.filter(({ msg }) => msg === 'request');
  assert.deepEqual(
    single.map(({ requestId, jobId, model, code }) => [requestId, jobId, model, code]),
    Array.from({ length: 10 }, () => ['r-1', 'job-5', 'late', 'WAIT_TOO_LONG']),
  );
  const gathered = lines.filter(({ msg }) => msg === 'requests refused');
  assert.deepEqual(
    gathered.map(({ status, code, dialect }) => [status, code, dialect]),
    gathered.map(() => [429, 'WAIT_TOO_LONG', 'native']),
  );
  assert.equal(
    gathered.reduce((sum, { count }) => sum + Number(count), 0),
    15,
  );
});

test('pages of allowed origins may read refusals', async () => {
  await using server = await startStubServer([full], { CORS_ORIGINS: 'https://a.example' });
  const { status, headers } = await ask(`${server.url}/predict/full`, {
    method: 'POST',
    body: '{"data":1}',
    headers: { Origin: 'https://a.example' },
  });
  assert.deepEqual(
    [status, headers.get('access-control-allow-origin'), headers.get('vary')],
    [429, 'https://a.example', 'Origin'],
  );
});
