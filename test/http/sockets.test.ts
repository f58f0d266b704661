import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { startTestServer, type TestServer } from './in-process.ts';
import { postText, RawClient, type RawAnswer } from './raw-client.ts';

const BODY_LIMIT_BYTES = 1_048_576;

const options = {
  MODELS: 'square',
  BODY_LIMIT_BYTES: String(BODY_LIMIT_BYTES),
  BODY_BUDGET_BYTES: String(2 * BODY_LIMIT_BYTES),
};

let server: TestServer;
before(async () => {
  server = await startTestServer(options);
});
after(() => server[Symbol.asyncDispose]());

function open(t: TestContext, { port } = server): RawClient {
  const client = new RawClient(port);
  t.after(() => client.socket.destroy());
  return client;
}

/** The error of an answer that must be a JSON refusal with this status and code. */
function assertRefused(answer: RawAnswer | undefined, status: number, code: string): void {
  assert.ok(answer !== undefined, 'the connection ended without an answer');
  assert.equal(answer.status, status);
  assert.match(answer.headers['content-type'] ?? '', /^application\/json/);
  const { error, code: given } = JSON.parse(answer.body) as { error: string; code: string };
  assert.equal(given, code);
  assert.ok(error.length > 10);
}

async function assertServes({ port } = server): Promise<void> {
  const client = new RawClient(port);
  client.send(postText('/predict', '{"data":3}'));
  assert.equal((await client.answer())?.body, '{"result":9}');
  client.socket.destroy();
}

/** Waits until nothing is admitted any more; the test's own limit ends it. */
async function permitsBack(): Promise<void> {
  const used = async (): Promise<number> => {
    const { models } = (await (await fetch(`${server.url}/info`)).json()) as {
      models: { queue: { permits: number } }[];
    };
    return models.reduce((sum, { queue }) => sum + queue.permits, 0);
  };
  while ((await used()) > 0) await new Promise((resolve) => setTimeout(resolve, 10));
}

test('headers above the limit: 431 in JSON', async (t) => {
  const client = open(t);
  client.send(`GET /health HTTP/1.1\r\nHost: test\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`);
  assertRefused(await client.answer(), 431, 'HEADERS_TOO_LARGE');
  await client.closed;
});

for (const [what, text] of [
  ['no HTTP at all', 'hello there\r\n\r\n'],
  ['a TLS greeting', Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00])],
  ['a version that is none', 'GET / HTTP/9.9\r\n\r\n'],
  ['a length that is no number', 'POST /predict HTTP/1.1\r\nHost: test\r\nContent-Length: many\r\n\r\n'],
  [
    'a length and chunks',
    'POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  ['no host', 'GET /health HTTP/1.1\r\nConnection: close\r\n\r\n'],
  ['two lengths', 'POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd'],
] as const)
  test(`malformed (${what}): 400 in JSON`, async (t) => {
    const client = open(t);
    client.send(text);
    assertRefused(await client.answer(), 400, 'BAD_REQUEST');
    await client.closed;
    await assertServes();
  });

test('an invalid chunk ends the request with 400', async (t) => {
  const client = open(t);
  client.send('POST /predict HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n');
  assertRefused(await client.answer(), 400, 'BAD_REQUEST');
  await client.closed;
});

test('slow headers and slow bodies: 408, and the budget is free again', { timeout: 30_000 }, async (t) => {
  await using impatient = await startTestServer({ ...options, HEADERS_TIMEOUT_MS: '600', BODY_TIMEOUT_MS: '900' });
  const slow = [
    'GET /health HTTP/1.1\r\nHost:',
    ...Array.from({ length: 3 }, () =>
      postText('/predict', '{"data":', { 'Content-Length': String(BODY_LIMIT_BYTES / 2 + 1) }),
    ),
  ];
  await Promise.all(
    slow.map(async (text) => {
      const client = open(t, impatient);
      client.send(text);
      assertRefused(await client.answer(), 408, 'REQUEST_TIMEOUT');
      await client.closed;
    }),
  );
  await assertServes(impatient);
  const body = `{"data":3${' '.repeat(BODY_LIMIT_BYTES - 100)}}`;
  const headers = { 'Content-Type': 'application/json' };
  assert.equal((await fetch(`${impatient.url}/predict`, { method: 'POST', headers, body })).status, 200);
});

test('a body that is still arriving when the time of its request is up: 408, however long the server would wait', async (t) => {
  for (const path of ['/predict', '/v2/models/square/infer']) {
    const client = open(t);
    client.send(postText(path, '{"data":', { 'Content-Length': '100000', 'X-Request-Timeout-Ms': '60' }));
    const trickle = setInterval(() => client.send(' '), 10);
    const answer = await client.answer();
    clearInterval(trickle);
    assertRefused(answer, 408, 'REQUEST_TIMEOUT');
    assert.equal(answer?.headers['connection'], 'close');
    await client.closed;
  }
  await assertServes();
});

test('a client that leaves once it has read why its body is refused counts as refused', async (t) => {
  const client = open(t);
  const headers = { 'Content-Length': String(BODY_LIMIT_BYTES + 1), 'X-Request-Id': 'refused' };
  client.send(postText('/predict', '{"data":', headers));
  assertRefused(await client.answer(), 413, 'TOO_LARGE');
  client.socket.destroy();
  const line = (): string | undefined => server.logLines.find((text) => text.includes('"requestId":"refused"'));
  while (line() === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal((JSON.parse(line() ?? '') as { status: number }).status, 413);
});

test('Expect: 100-continue is granted for a body within the limit', async (t) => {
  const client = open(t);
  client.send(postText('/predict', '', { 'Content-Length': '10', Expect: '100-continue' }));
  assert.equal((await client.answer())?.status, 100);
  client.send('{"data":4}');
  assert.equal((await client.answer())?.body, '{"result":16}');
});

test('an unknown expectation is ignored', async (t) => {
  const client = open(t);
  client.send(postText('/predict', '{"data":6}', { Expect: 'a-miracle' }));
  assert.equal((await client.answer())?.body, '{"result":36}');
});

test('a body that is too large is refused before it is sent', async (t) => {
  const client = open(t);
  const length = String(BODY_LIMIT_BYTES + 1);
  client.send(postText('/predict', '', { 'Content-Length': length, Expect: '100-continue' }));
  assertRefused(await client.answer(), 413, 'TOO_LARGE');
  await client.closed;
});

test('a client that sends a body far too large all the same can read why', { timeout: 20_000 }, async () => {
  for (let round = 0; round < 5; round += 1) {
    const response = await fetch(`${server.url}/predict`, {
      method: 'POST',
      body: Buffer.alloc(24 * BODY_LIMIT_BYTES),
    });
    assert.equal(response.status, 413);
    assert.equal(((await response.json()) as { code: string }).code, 'TOO_LARGE');
  }
  await assertServes();
});

test('a client that writes all of a body far too large before it reads can read why', { timeout: 20_000 }, async () => {
  const socket = connect({ port: server.port, host: '127.0.0.1' });
  socket.pause();
  const length = 24 * BODY_LIMIT_BYTES;
  socket.write(postText('/predict', '', { 'Content-Length': String(length) }));
  await new Promise<void>((resolve, reject) => {
    socket.write(Buffer.alloc(length), (error) => (error === null || error === undefined ? resolve() : reject(error)));
  });
  const reply = (await socket.setEncoding('utf8').toArray()).join('');
  assert.match(reply, /^HTTP\/1\.1 413 .*TOO_LARGE/s);
});

test('pipelined requests are answered in their order', async (t) => {
  const client = open(t);
  const numbers = Array.from({ length: 20 }, (_, index) => index);
  client.send(numbers.map((data) => postText('/predict', JSON.stringify({ data }))).join(''));
  client.send('GET /health_check HTTP/1.1\r\nHost: test\r\n\r\n');
  for (const data of numbers) assert.equal((await client.answer())?.body, JSON.stringify({ result: data * data }));
  assert.equal((await client.answer())?.body, '{"status":"ready"}');
});

test('a refused request does not spoil the next one on its connection', async (t) => {
  const client = open(t);
  client.send(
    postText('/predict', '{"data":"x"}') + postText('/nowhere', 'x'.repeat(5000)) + postText('/predict', '{"data":2}'),
  );
  assertRefused(await client.answer(), 422, 'INVALID_INPUT');
  assertRefused(await client.answer(), 404, 'NOT_FOUND');
  assert.equal((await client.answer())?.body, '{"result":4}');
});

test('a client that closes its half of the connection has left: its permits come back', async (t) => {
  const client = open(t);
  client.socket.end(postText('/predict', '{"data":5}'));
  await client.closed;
  await permitsBack();
  await assertServes();
});

test('a client that leaves while its body is unpacked gives its share of the budget back', async () => {
  const packed = gzipSync(Buffer.alloc(BODY_LIMIT_BYTES - 100, 0x20));
  for (let round = 0; round < 10; round += 1) {
    const client = new RawClient(server.port);
    const head = postText('/predict', '', { 'Content-Encoding': 'gzip', 'Content-Length': String(packed.length) });
    await new Promise((resolve) => client.socket.once('connect', resolve));
    client.send(head);
    await new Promise((resolve) => client.socket.write(packed, resolve));
    client.socket.resetAndDestroy();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await assertServes();
  // A client may hold three quarters of the budget: these fit only when nothing of those above is still held.
  const send = async (bytes: number): Promise<number> => {
    const body = `{"data":2${' '.repeat(bytes)}}`;
    const headers = { 'Content-Type': 'application/json' };
    return (await fetch(`${server.url}/predict`, { method: 'POST', body, headers })).status;
  };
  let answers: number[] = [];
  // A busy machine may still be unpacking the last one.
  for (let tries = 0; tries < 50; tries += 1) {
    answers = await Promise.all([send(BODY_LIMIT_BYTES - 200), send(0.4 * BODY_LIMIT_BYTES)]);
    if (!answers.includes(429)) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.deepEqual(answers, [200, 200]);
});
