import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { CarpoolClient, CarpoolError, type ClientOptions } from '../../src/client/client.ts';
import { errorOfReply } from '../../src/client/errors.ts';

type Handler = (request: IncomingMessage, response: ServerResponse, nth: number) => void;

/** A client of a server that answers as the test says, and what the server was asked. */
async function scripted(
  t: TestContext,
  handler: Handler,
  options: Partial<ClientOptions> = {},
): Promise<{ client: CarpoolClient; asked: IncomingMessage[] }> {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    request.resume();
    handler(request, response, asked.push(request));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { client: new CarpoolClient({ baseUrl, timeoutMs: 30_000, ...options }), asked };
}

function answer(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

const FULL = { error: 'Queue is full.', code: 'QUEUE_FULL' };

test('a passing refusal is tried again after the time that the server tells', async (t) => {
  const { client, asked } = await scripted(t, (_, response, nth) =>
    nth < 3
      ? answer(response, 429, FULL, { 'retry-after': '3600', 'retry-after-ms': '1' })
      : answer(response, 200, { result: 9 }),
  );
  assert.equal(await client.predict('square', 3), 9);
  assert.equal(asked.length, 3);
});

test('a time that is none or past counts as none told, so that tries have a pause', () => {
  const told = (headers: Record<string, string>): number | undefined =>
    errorOfReply(new Response(null, { status: 503, headers }), '').retryAfterMs;
  for (const text of ['0', '-5', 'soon', '', new Date(Date.now() - 60_000).toUTCString()])
    assert.equal(told({ 'retry-after': text }), undefined, text);
  assert.equal(told({ 'retry-after-ms': '0' }), undefined);
  assert.equal(told({ 'retry-after': '2' }), 2000);
  const ms = told({ 'retry-after': new Date(Date.now() + 60_000).toUTCString() }) ?? 0;
  assert.ok(ms > 0 && ms <= 60_000, String(ms));
});

test('a time longer than that of any timer is no limit', async (t) => {
  const { client, asked } = await scripted(t, (_, response) => answer(response, 200, { result: 9 }));
  for (const timeoutMs of [Infinity, 3e9]) assert.equal(await client.predict('square', 3, { timeoutMs }), 9);
  // The longest that the server takes.
  for (const { headers } of asked) assert.equal(headers['x-request-timeout-ms'], '86400000');
});

test('what would come too late, or is final, is told at once', async (t) => {
  const late = await scripted(t, (_, response) => answer(response, 429, FULL, { 'retry-after': '3600' }));
  await assert.rejects(late.client.predict('square', 3), { code: 'QUEUE_FULL', status: 429, retryAfterMs: 3_600_000 });
  assert.equal(late.asked.length, 1);
  const final = await scripted(t, (_, response) => answer(response, 504, { error: 'Too long.', code: 'RUN_TOO_LONG' }));
  await assert.rejects(final.client.predict('square', 3), { code: 'RUN_TOO_LONG', retryable: false });
  const told = await scripted(t, (_, response) =>
    answer(
      response,
      429,
      { error: { message: 'Used up.', code: 'insufficient_quota' } },
      { 'x-should-retry': 'false' },
    ),
  );
  await assert.rejects(told.client.post('/v1/embeddings', {}), { code: 'insufficient_quota', message: 'Used up.' });
  assert.deepEqual([final.asked.length, told.asked.length], [1, 1]);
});

test('tries are limited, for refusals and for broken connections', async (t) => {
  const refused = await scripted(t, (_, response) => answer(response, 503, FULL, { 'retry-after-ms': '1' }), {
    retries: 2,
  });
  await assert.rejects(refused.client.predict('square', 3), { status: 503 });
  assert.equal(refused.asked.length, 3);
  const broken = await scripted(t, (request) => request.socket.destroy(), { retries: 1 });
  await assert.rejects(broken.client.predict('square', 3), { code: 'NO_REPLY', status: 0, retryable: true });
  assert.equal(broken.asked.length, 2);
});

test('a request carries the key, the priority and the time that is left', async (t) => {
  const { client, asked } = await scripted(t, (_, response) => answer(response, 200, {}), {
    apiKey: 'sk-1',
    headers: { 'x-own': 'yes' },
  });
  await client.post('/v1/embeddings', {}, { priority: 1, timeoutMs: 5000 });
  const headers = asked[0]?.headers ?? {};
  assert.deepEqual(
    [headers.authorization, headers['x-request-priority'], headers['x-own'], headers['content-type']],
    ['Bearer sk-1', '1', 'yes', 'application/json'],
  );
  const left = Number(headers['x-request-timeout-ms']);
  assert.ok(left > 0 && left <= 5000, `${left}`);
});

test('a server that says nothing costs the time limit, and a caller that leaves gets its own reason', async (t) => {
  const { client } = await scripted(t, () => undefined);
  await assert.rejects(client.predict('square', 3, { timeoutMs: 20 }), { code: 'NO_REPLY', message: /time limit/ });
  const leaving = new AbortController();
  const work = client.predict('square', 3, { signal: leaving.signal });
  leaving.abort(new Error('closed the page'));
  await assert.rejects(work, { message: 'closed the page' });
});

test('a page of a gateway is a refusal with its status', async (t) => {
  const { client } = await scripted(t, (_, response) => response.writeHead(404).end('<html>Not found</html>'));
  await assert.rejects(client.get('/info'), { status: 404, code: 'BAD_REPLY' });
  const odd = await scripted(t, (_, response) => response.writeHead(200).end('<html>'));
  await assert.rejects(odd.client.get('/info'), { status: 200, code: 'BAD_REPLY' });
});

test('events come one by one, however they are cut, and an error among them is thrown', async (t) => {
  const events =
    'data: {"choices":[{"delta":{"content":"Grüße"}}]}\n\n: keep-alive\n\nevent: x\r\ndata: {"choices":[{"delta":{"content":"!"}}]}\r\n\r\ndata: [DONE]\n\n';
  const { client } = await scripted(t, (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    // Byte by byte: each write is a turn of its own.
    const bytes = Buffer.from(events);
    const send = (at: number): void => {
      if (at === bytes.length) return void response.end();
      response.write(bytes.subarray(at, at + 1), () => send(at + 1));
    };
    send(0);
  });
  const words: string[] = [];
  for await (const text of client.chat({ model: 'chat', messages: [] })) words.push(text);
  assert.deepEqual(words, ['Grüße', '!']);
  const failing = await scripted(t, (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.end('data: {"n":1}\n\ndata: {"error":{"message":"The lane is lost.","code":"lane_lost"}}\n\n');
  });
  const got: unknown[] = [];
  await assert.rejects(
    async () => {
      for await (const value of failing.client.stream('/v1/completions', {})) got.push(value);
    },
    { name: 'CarpoolError', code: 'lane_lost' },
  );
  assert.deepEqual(got, [{ n: 1 }]);
});

test('leaving a stream closes its connection, and a connection that breaks is an error', async (t) => {
  let closed: () => void = () => undefined;
  const left = new Promise<void>((resolve) => (closed = resolve));
  const { client } = await scripted(t, (_, response) => {
    response.on('close', closed);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: 1\n\n');
  });
  for await (const value of client.stream('/v1/completions', {})) {
    assert.equal(value, 1);
    break;
  }
  await left;
  const broken = await scripted(t, (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: 1\n\n', () => response.destroy());
  });
  await assert.rejects(async () => {
    for await (const value of broken.client.stream('/v1/completions', {})) assert.equal(value, 1);
  }, CarpoolError);
});

test('lines of JSON are events as well, and a reply that is no stream is told as such', async (t) => {
  const { client } = await scripted(t, (request, response) => {
    if (request.url === '/v1/rerank') {
      answer(response, 200, { results: [] });
      return;
    }
    response.writeHead(200, { 'content-type': 'application/x-ndjson; charset=utf-8' });
    response.write('{"done":fal');
    response.end(`se}\n\n{"done":true}\n${request.url === '/api/chat' ? '' : '{"error":"It broke."}\n'}`);
  });
  const read = async (path: string): Promise<unknown[]> => {
    const got = [];
    for await (const value of client.stream(path, {})) got.push(value);
    return got;
  };
  assert.deepEqual(await read('/api/chat'), [{ done: false }, { done: true }]);
  await assert.rejects(read('/api/generate'), { name: 'CarpoolError', message: 'It broke.' });
  await assert.rejects(read('/v1/rerank'), { code: 'BAD_REPLY', message: /application\/json/ });
});

test("a signal's reason is thrown as it is while a reply is read, too, whatever it is", async (t) => {
  let abort = (): void => undefined;
  const { client } = await scripted(t, (request, response) => {
    response.writeHead(200, { 'content-type': request.url === '/predict/image' ? 'image/png' : 'application/json' });
    response.write('{"res', () => setTimeout(() => abort(), 50));
  });
  for (const reason of [new TypeError('mine'), new DOMException('Late.', 'TimeoutError'), 'a text'])
    for (const model of ['square', 'image']) {
      const stop = new AbortController();
      abort = () => stop.abort(reason);
      const thrown = await client.predict(model, 3, { signal: stop.signal }).catch((error: unknown) => error);
      assert.equal(thrown, reason, model);
    }
});
