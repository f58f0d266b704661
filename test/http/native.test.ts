import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync, brotliCompressSync, deflateSync } from 'node:zlib';
import { ask, post, startTestServer, type RequestBody, type TestServer } from './in-process.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer({ MODELS: 'square,language-id', DEFAULT_MODEL: 'square', BODY_LIMIT_BYTES: '4096' });
});
after(() => server[Symbol.asyncDispose]());

const predict = (body: RequestBody, headers: Record<string, string> = {}) =>
  post(`${server.url}/predict`, body, headers);

test('one item: {"data": n} gives {"result": n * n}, with timing headers', async () => {
  const { status, json, headers } = await predict('{"data":7}');
  assert.deepEqual([status, json], [200, { result: 49 }]);
  assert.match(headers.get('server-timing') ?? '', /queue;dur=[\d.]+.*run;dur=[\d.]+.*total;dur=[\d.]+/);
  assert.deepEqual(
    ['x-batch-size', 'x-lane', 'x-model-version', 'x-powered-by'].map((name) => headers.get(name)),
    ['1', '0', '1', null],
  );
});

test('many items: each has its own result or error, in order', async () => {
  const { status, json } = await predict('{"items":[1,"x",3]}');
  assert.equal(status, 200);
  const { results } = json as { results: Record<string, unknown>[] };
  assert.deepEqual(results[0], { result: 1 });
  assert.equal(results[1]?.['code'], 'INVALID_INPUT');
  assert.deepEqual(results[2], { result: 9 });
});

test('text in, labels out, by JSON and as a raw body', async () => {
  const text = 'Der schnelle braune Fuchs springt über den faulen Hund.';
  const url = `${server.url}/predict/language-id`;
  const json = await post(url, JSON.stringify({ data: text }));
  const raw = await post(url, text, { 'Content-Type': 'text/plain; charset=utf-8' });
  const [best] = (json.json as { result: { label: string; score: number }[] }).result;
  assert.equal(best?.label, 'deu');
  assert.deepEqual(raw.json, json.json);
});

test('an unknown parameter is refused, and the known ones are named', async () => {
  const { status, json } = await post(
    `${server.url}/predict/language-id`,
    '{"data":"Guten Tag","parameters":{"topk":2}}',
  );
  const { error } = json as { error: string };
  assert.equal(status, 422);
  assert.match(error, /^There is no parameter "topk"; there are top_k, raw_scores/);
});

/** Each a way to be wrong: body, headers, the status and code it must get. */
const refusals: [string, RequestBody, Record<string, string>, number, string][] = [
  ['not JSON', '{"data":', {}, 400, 'BAD_REQUEST'],
  ['not an object', '[1]', {}, 400, 'BAD_REQUEST'],
  ['neither data nor items', '{}', {}, 400, 'BAD_REQUEST'],
  ['no items', '{"items":[]}', {}, 400, 'BAD_REQUEST'],
  ['an unknown field', '{"data":1,"dta":2}', {}, 400, 'BAD_REQUEST'],
  ['a parameter where the task has none', '{"data":1,"parameters":{"top_k":2}}', {}, 422, 'INVALID_INPUT'],
  ['empty body', '', {}, 400, 'BAD_REQUEST'],
  ['a text for a number', '{"data":"seven"}', {}, 422, 'INVALID_INPUT'],
  ['a raw type the model does not take', 'x', { 'Content-Type': 'image/png' }, 415, 'UNSUPPORTED_MEDIA_TYPE'],
  ['an unknown content encoding', '{"data":1}', { 'Content-Encoding': 'rot13' }, 415, 'UNSUPPORTED_MEDIA_TYPE'],
  ['a body that is not gzip', '{"data":1}', { 'Content-Encoding': 'gzip' }, 400, 'BAD_REQUEST'],
  ['too large', `{"data":"${'x'.repeat(5000)}"}`, {}, 413, 'TOO_LARGE'],
  ['a gzip bomb', gzipSync(Buffer.alloc(100_000)), { 'Content-Encoding': 'gzip' }, 413, 'TOO_LARGE'],
  ['a time limit that is no number', '{"data":1}', { 'X-Request-Timeout-Ms': 'soon' }, 400, 'BAD_REQUEST'],
  ['a priority there is not', '{"data":1}', { 'X-Request-Priority': '9' }, 400, 'BAD_REQUEST'],
];
for (const [what, body, headers, status, code] of refusals)
  test(`refuses ${what} with ${status} ${code}`, async () => {
    const answer = await predict(body, headers);
    assert.equal(answer.status, status);
    assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
    const error = answer.json as { error: string; code: string };
    assert.equal(error.code, code);
    assert.ok(error.error.length > 10 && !/\/(src|dist|home|work)\b|node:internal/.test(error.error), error.error);
  });

test('takes the content type that curl sends by default', async () => {
  const { json } = await predict('{"data":4}', { 'Content-Type': 'application/x-www-form-urlencoded' });
  assert.deepEqual(json, { result: 16 });
});

test('takes compressed bodies', async () => {
  for (const [encoding, compress] of [
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
    ['deflate', deflateSync],
  ] as const) {
    const { status, json } = await predict(compress(Buffer.from('{"data":5}')), { 'Content-Encoding': encoding });
    assert.deepEqual([status, json], [200, { result: 25 }], encoding);
  }
});

test('takes a body without length', async () => {
  const body = new ReadableStream({
    start(controller) {
      for (const part of ['{"da', 'ta":', '6}']) controller.enqueue(Buffer.from(part));
      controller.close();
    },
  });
  const init: RequestInit & { duplex: 'half' } = {
    method: 'POST',
    body,
    duplex: 'half',
    headers: { 'Content-Type': 'application/json' },
  };
  assert.deepEqual((await ask(`${server.url}/predict`, init)).json, { result: 36 });
});

test('an unknown model, path or method is refused in JSON', async () => {
  const unknown = await post(`${server.url}/predict/nope`, '{"data":1}');
  assert.deepEqual([unknown.status, (unknown.json as { code: string }).code], [404, 'MODEL_NOT_FOUND']);
  const nowhere = await ask(`${server.url}/nowhere`);
  assert.deepEqual([nowhere.status, (nowhere.json as { code: string }).code], [404, 'NOT_FOUND']);
  for (const [path, method] of [
    ['/predict', 'GET'],
    ['/health', 'POST'],
    ['/info', 'DELETE'],
    ['/v2', 'PUT'],
  ] as const) {
    const wrong = await ask(server.url + path, { method });
    assert.deepEqual([wrong.status, (wrong.json as { code: string }).code], [405, 'METHOD_NOT_ALLOWED'], path);
    assert.ok(wrong.headers.get('allow'));
  }
  assert.equal((await ask(`${server.url}/%ff`)).status, 404);
});

test('a time limit that has passed is 504', async () => {
  await using slow = await startTestServer({
    MODELS: 'square',
    MODEL_OPTIONS: '{"square":{"simulate":{"runMs":400}}}',
  });
  const { status, json } = await post(`${slow.url}/predict`, '{"data":1}', { 'X-Request-Timeout-Ms': '100' });
  assert.deepEqual([status, (json as { code: string }).code], [504, 'DEADLINE_EXCEEDED']);
});

test('the request id and the trace context of the client are kept', async () => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const { headers } = await predict('{"data":2}', {
    'X-Request-Id': 'order-66',
    traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
    'Salad-Job-Id': 'job-1',
  });
  assert.equal(headers.get('x-request-id'), 'order-66');
  await ask(`${server.url}/health`);
  const line = server.logLines
    .map((text) => JSON.parse(text) as Record<string, unknown>)
    .find((entry) => entry['requestId'] === 'order-66');
  assert.deepEqual(
    [line?.['severity'], line?.['trace_id'], line?.['jobId'], line?.['model'], line?.['status']],
    ['INFO', traceId, 'job-1', 'square', 200],
  );
  assert.ok(!server.logLines.some((text) => text.includes('"method":"GET","path":"/health"')));
  const own = await predict('{"data":2}', { 'X-Request-Id': 'bad id with spaces' });
  assert.match(own.headers.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/);
});

test('a request that names no model is refused if none is loaded', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'carpool-native-'));
  t.after(() => rm(folder, { recursive: true }));
  await using empty = await startTestServer({ MODELS_DIR: folder });
  const { status, json } = await post(`${empty.url}/predict`, '{"data":1}');
  assert.deepEqual(
    [status, json],
    [404, { error: 'There is no model here: none is loaded.', code: 'MODEL_NOT_FOUND' }],
  );
});
