import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { startTestServer, type TestServer } from '../http/in-process.ts';
import { postText, RawClient } from '../http/raw-client.ts';
import { pathOf } from '../tasks/support.ts';
import { fuzzBudgetMs } from './budget.ts';

/** Bytes over real sockets: whatever comes in, no answer is a 5xx, and the server goes on serving. */

let server: TestServer;
before(async () => {
  server = await startTestServer({ DEFAULT_MODEL: 'square', LOG_LEVEL: 'error', BODY_LIMIT_BYTES: '1048576' });
});
after(() => server[Symbol.asyncDispose]());

/** How long an answer is waited for: cut-off requests get none before the server's own limits. */
const PATIENCE_MS = 60;
/** Connections at one time. */
const WIDTH = 8;

const infer = (inputs: unknown): string => JSON.stringify({ id: 'a', inputs, outputs: [{ name: 'y' }] });
const x = { name: 'x', shape: [2], datatype: 'FP64' };
const binaryHead = infer([{ ...x, parameters: { binary_data_size: 16 } }]);
const seeds: readonly Buffer[] = [
  postText('/predict', '{"data":3}'),
  postText('/predict', '{"items":[1,"x",{"a":[]}]}', { 'X-Request-Priority': '1', 'X-Request-Id': 'a' }),
  postText('/predict/language-id', 'Wo ist der Bahnhof?', { 'Content-Type': 'text/plain; charset=utf-8' }),
  postText('/predict/voice-activity', '{"data":{}}', { 'Accept-Encoding': 'gzip, br;q=0.5' }),
  postText('/v2/models/square/infer', infer([{ ...x, data: [1, 2.5] }])),
  postText('/v2/models/square/versions/1/infer', `${binaryHead}${'\u0000'.repeat(16)}`, {
    'Inference-Header-Content-Length': String(binaryHead.length),
  }),
  'POST /predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\na\r\n{"data":4}\r\n0\r\n\r\n',
  'GET /v2/models/square HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET /metrics HTTP/1.0\r\n\r\n',
].map((text) => Buffer.from(text, 'latin1'));

const tokens = [
  '\r\n',
  '\r\n\r\n',
  ' ',
  '\u0000',
  ':',
  '/',
  '%',
  '%ff',
  '..',
  '"',
  '{',
  '[',
  '[[[[',
  ']',
  '-1',
  '1e999',
  'NaN',
  '99999999999999999999',
  'Content-Length: 3\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Content-Encoding: gzip\r\n',
  'Expect: 100-continue\r\n',
  'Upgrade: websocket\r\nConnection: upgrade\r\n',
  'BYTES',
  '"shape":[0]',
  '"__proto__":{}',
].map((text) => Buffer.from(text, 'latin1'));

interface Edit {
  readonly at: number;
  readonly remove: number;
  readonly insert: Uint8Array;
}
const edit: fc.Arbitrary<Edit> = fc.record({
  at: fc.nat(400),
  remove: fc.oneof(fc.constant(0), fc.nat(12), fc.nat(400)),
  insert: fc.oneof(fc.constantFrom(...tokens), fc.uint8Array({ maxLength: 6 }), fc.constant(new Uint8Array(0))),
});

function edited(seed: Buffer, edits: readonly Edit[]): Buffer {
  return edits.reduce((bytes, { at, remove, insert }) => {
    const from = at % (bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, from), insert, bytes.subarray(from + remove)]);
  }, seed);
}

const mutated = fc
  .record({ seed: fc.constantFrom(...seeds), edits: fc.array(edit, { maxLength: 4 }) })
  .map(({ seed, edits }) => edited(seed, edits));

const headerNames = [
  'X-Request-Id',
  'X-Request-Priority',
  'X-Request-Timeout-Ms',
  'Inference-Header-Content-Length',
  'Content-Encoding',
  'Content-Type',
  'Accept',
  'Accept-Encoding',
  'traceparent',
  'Salad-Job-Id',
  'Expect',
];
const headerValue = fc.oneof(
  fc.constantFrom(
    '',
    '0',
    '1',
    '3',
    '-1',
    '1e3',
    'gzip',
    'br, gzip',
    '*/*',
    'image/png',
    'application/json',
    ';q=',
    ',,',
  ),
  fc.array(fc.integer({ min: 0x20, max: 0xff }), { maxLength: 40 }).map((codes) => String.fromCharCode(...codes)),
);
/** Well-formed HTTP: any headers, and a body of the right length that may be anything. */
const wellFormed = fc
  .record({
    path: fc.constantFrom('/predict', '/predict/language-id', '/predict/voice-activity', '/v2/models/square/infer'),
    headers: fc.dictionary(fc.constantFrom(...headerNames), headerValue, { maxKeys: 5 }),
    body: fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      fc.json({ maxDepth: 4 }).map((text) => Buffer.from(text)),
      fc.jsonValue({ maxDepth: 3 }).map((data) => Buffer.from(JSON.stringify({ data }))),
      fc
        .array(fc.jsonValue({ maxDepth: 1 }), { maxLength: 5 })
        .map((data) => Buffer.from(JSON.stringify({ inputs: [{ ...x, data }] }))),
    ),
  })
  .map(({ path, headers, body }) =>
    Buffer.concat([
      Buffer.from(postText(path, '', { ...headers, 'Content-Length': String(body.length) }), 'latin1'),
      body,
    ]),
  );

/** Sends the bytes and checks every answer that comes in time. */
async function check(bytes: Uint8Array): Promise<void> {
  const client = new RawClient(server.port);
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), PATIENCE_MS);
  });
  try {
    client.send(bytes);
    for (;;) {
      const answer = await Promise.race([client.answer(), patience]);
      if (answer === undefined) return;
      const { status, headers, body } = answer;
      // Only a time limit that the client itself has named may run out here.
      const timedOut = status === 504 && /timeout/i.test(Buffer.from(bytes).toString('latin1'));
      assert.ok(status < 500 || timedOut, `${status} ${body}`);
      if (status < 400 || body === '' || headers['content-encoding'] !== undefined) continue;
      assert.match(headers['content-type'] ?? '', /^application\/json/);
      const { error, code } = JSON.parse(body) as { error: unknown; code: unknown };
      assert.deepEqual([typeof error, typeof code], ['string', 'string']);
      assert.doesNotMatch(String(error), /node_modules|\.ts:|\.js:|\/src\/|onnxruntime_src/);
    }
  } finally {
    clearTimeout(timer);
    client.socket.destroy();
  }
}

/** Whatever came before: nothing is held, and the next request is served. */
async function assertUnharmed(): Promise<void> {
  const used = async (): Promise<number> => {
    const info = (await (await fetch(`${server.url}/info`)).json()) as { models: { queue: { permits: number } }[] };
    return info.models.reduce((sum, { queue }) => sum + queue.permits, 0);
  };
  while ((await used()) > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  const client = new RawClient(server.port);
  client.send(postText('/predict', '{"data":3}'));
  assert.equal((await client.answer())?.body, '{"result":9}');
  client.socket.destroy();
  assert.equal(server.state.phase, 'ready');
}

async function fuzz(bytes: fc.Arbitrary<Uint8Array>): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(bytes, { minLength: WIDTH, maxLength: WIDTH }), async (requests) => {
      await Promise.all(requests.map(check));
    }),
    { numRuns: 1_000_000, interruptAfterTimeLimit: fuzzBudgetMs(), endOnFailure: true, includeErrorInReport: true },
  );
  await assertUnharmed();
}

test('random bytes', { timeout: 600_000 }, () => fuzz(fc.uint8Array({ minLength: 1, maxLength: 300 })));

test('requests with bytes changed, lost and added', { timeout: 600_000 }, () => fuzz(mutated));

test('well-formed requests with random headers and bodies', { timeout: 600_000 }, () => fuzz(wellFormed));

test('pictures with bytes changed', { timeout: 600_000 }, async () => {
  const picture = await readFile(pathOf('models/super-resolution/example.png'));
  const head = { 'Content-Type': 'image/png', Accept: 'image/png' };
  await fuzz(
    fc.array(edit, { maxLength: 3 }).map((edits) => {
      const body = edited(picture, edits);
      const text = postText('/predict/super-resolution', '', { ...head, 'Content-Length': String(body.length) });
      return Buffer.concat([Buffer.from(text, 'latin1'), body]);
    }),
  );
});
