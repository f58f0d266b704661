import assert from 'node:assert/strict';
import { createServer, request as httpRequest, type RequestOptions } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import zlib, { gzipSync } from 'node:zlib';
import { ServerError } from '../../src/errors.ts';
import { readBody } from '../../src/http/body.ts';
import { BodyBudget, clientOf } from '../../src/http/body-budget.ts';
import { Deadline } from '../../src/serving/deadline.ts';
import { refusal } from '../tasks/support.ts';

const LIMIT_BYTES = 100_000;
const BUDGET_BYTES = 300_000;

/** What became of each body: its text, or the code of the refusal. */
type Outcome = string;

/** A server that only reads bodies. */
async function startReader(t: TestContext, limitMs = 60_000) {
  const budget = new BodyBudget(BUDGET_BYTES);
  const outcomes: Outcome[] = [];
  let wake = (): void => undefined;
  const server = createServer((request, response) => {
    void readBody(request, { limitBytes: LIMIT_BYTES, budget, deadline: new Deadline(limitMs) })
      .then(
        ({ bytes, release }) => {
          // A body owns its memory, because it may be handed to another thread.
          assert.equal(bytes.byteLength, bytes.buffer.byteLength);
          outcomes.push(Buffer.from(bytes).toString());
          release();
        },
        (error: unknown) => {
          outcomes.push(error instanceof ServerError ? error.code : String(error));
        },
      )
      .finally(() => {
        response.end();
        wake();
      });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    budget,
    outcomes,
    next: () => new Promise<void>((resolve) => (wake = resolve)),
    open: (options: RequestOptions = {}) => {
      const request = httpRequest({ port, host: '127.0.0.1', method: 'POST', ...options });
      request.on('error', () => undefined);
      request.on('response', (response) => response.resume());
      return request;
    },
  };
}

/** Throws unless all of the budget is free. */
function assertGivenBack(budget: BodyBudget): void {
  budget.take(BUDGET_BYTES);
  budget.give(BUDGET_BYTES);
}

const zstd = (zlib as { zstdCompressSync?: typeof gzipSync }).zstdCompressSync;
const long = 'x'.repeat(LIMIT_BYTES);

/** What is sent, and what comes of it. */
const cases: readonly [string, Buffer, Record<string, string>, Outcome][] = [
  ['a body with a length', Buffer.from('hello'), { 'Content-Length': '5' }, 'hello'],
  ['a body in chunks', Buffer.from('hello'), { 'Transfer-Encoding': 'chunked' }, 'hello'],
  ['no body', Buffer.alloc(0), { 'Content-Length': '0' }, ''],
  ['a body of just the limit', Buffer.from(long), { 'Content-Length': String(LIMIT_BYTES) }, long],
  ['a body above the limit', Buffer.from(`${long}x`), { 'Content-Length': String(LIMIT_BYTES + 1) }, 'TOO_LARGE'],
  ['chunks above the limit', Buffer.from(`${long}x`), { 'Transfer-Encoding': 'chunked' }, 'TOO_LARGE'],
  ['gzip', gzipSync('hello'), { 'Content-Encoding': 'gzip' }, 'hello'],
  ['gzip by its old name and in capitals', gzipSync('hello'), { 'Content-Encoding': ' X-GZIP ' }, 'hello'],
  ['identity', Buffer.from('hello'), { 'Content-Encoding': 'identity' }, 'hello'],
  ['gzip of just the limit', gzipSync(long), { 'Content-Encoding': 'gzip' }, long],
  ['gzip that grows above the limit', gzipSync(`${long}x`), { 'Content-Encoding': 'gzip' }, 'TOO_LARGE'],
  ['gzip that is none', Buffer.from('hello'), { 'Content-Encoding': 'gzip' }, 'BAD_REQUEST'],
  ['gzip that is cut off', gzipSync('hello').subarray(0, 12), { 'Content-Encoding': 'gzip' }, 'BAD_REQUEST'],
  ['two codings', gzipSync('hello'), { 'Content-Encoding': 'gzip, gzip' }, 'UNSUPPORTED_MEDIA_TYPE'],
  [
    'a coding that is a name of JavaScript',
    Buffer.from('a'),
    { 'Content-Encoding': 'constructor' },
    'UNSUPPORTED_MEDIA_TYPE',
  ],
  ...(zstd === undefined
    ? ([
        ['zstd where Node lacks it', Buffer.from('a'), { 'Content-Encoding': 'zstd' }, 'UNSUPPORTED_MEDIA_TYPE'],
      ] as const)
    : ([['zstd', zstd('hello'), { 'Content-Encoding': 'zstd' }, 'hello']] as const)
  ).map(([what, body, headers, outcome]): [string, Buffer, Record<string, string>, Outcome] => [
    what,
    body,
    headers,
    outcome,
  ]),
];
for (const [what, body, headers, outcome] of cases)
  test(`${what}: ${outcome.slice(0, 30)}, and the budget is given back`, async (t) => {
    const reader = await startReader(t);
    const done = reader.next();
    reader.open({ headers }).end(body);
    await done;
    assert.deepEqual(reader.outcomes, [outcome]);
    assertGivenBack(reader.budget);
  });

test('a body that has not arrived by the deadline: REQUEST_TIMEOUT, and the budget is given back', async (t) => {
  const reader = await startReader(t, 30);
  for (const part of ['', 'half']) {
    const done = reader.next();
    const request = reader.open({ headers: { 'Content-Length': '8' } });
    request.flushHeaders();
    if (part !== '') request.write(part);
    await done;
    request.destroy();
  }
  assert.deepEqual(reader.outcomes, ['REQUEST_TIMEOUT', 'REQUEST_TIMEOUT']);
  assertGivenBack(reader.budget);
});

test(
  'a body in very many chunks of a byte: TOO_LARGE; in fewer, or larger ones, it is read',
  { timeout: 30_000 },
  async (t) => {
    for (const [bytes, count, outcome] of [
      [1, 70_000, /^TOO_LARGE$/],
      [1, 60_000, /^x{60000}$/],
      [40, 2000, /^x{80000}$/],
    ] as const) {
      const reader = await startReader(t);
      const done = reader.next();
      const request = reader.open();
      for (let chunk = 0; chunk < count; chunk += 1) request.write('x'.repeat(bytes));
      request.end();
      await done;
      assert.match(reader.outcomes.join(), outcome);
      assertGivenBack(reader.budget);
    }
  },
);

for (const headers of [{ 'Content-Length': '1000' }, { 'Transfer-Encoding': 'chunked' }])
  test(`a client that leaves in the middle (${Object.keys(headers).join()}): CANCELLED`, async (t) => {
    const reader = await startReader(t);
    const done = reader.next();
    const request = reader.open({ headers });
    request.write('x'.repeat(500), () => setTimeout(() => request.destroy(), 20));
    await done;
    assert.deepEqual(reader.outcomes, ['CANCELLED']);
    assertGivenBack(reader.budget);
  });

/** Resolves once the budget holds that much: bytes on their way have arrived. */
async function holds(budget: BodyBudget, bytes: number): Promise<void> {
  while (budget.usedBytes !== bytes) await new Promise((resolve) => setTimeout(resolve, 2));
}

test(
  'an announced length takes nothing from the budget, so others are served meanwhile',
  { timeout: 20_000 },
  async (t) => {
    const reader = await startReader(t);
    const announced = Array.from({ length: 8 }, () =>
      reader.open({ headers: { 'Content-Length': String(LIMIT_BYTES) } }),
    );
    for (const request of announced) await new Promise((resolve) => request.write('x', resolve));
    // Room for as much again.
    await holds(reader.budget, 16);
    const served = reader.next();
    reader.open({ headers: { 'Content-Length': '5' } }).end('hello');
    await served;
    assert.deepEqual(reader.outcomes, ['hello']);
    for (const request of announced) {
      const done = reader.next();
      request.destroy();
      await done;
    }
    assertGivenBack(reader.budget);
  },
);

test('bodies that have arrived share one budget: beyond it one is refused for now', { timeout: 20_000 }, async (t) => {
  const reader = await startReader(t);
  const held = [1, 2, 3].map(() => reader.open({ headers: { 'Content-Length': String(LIMIT_BYTES) } }));
  for (const request of held) await new Promise((resolve) => request.write(long.slice(1), resolve));
  await holds(reader.budget, 3 * LIMIT_BYTES);
  for (const headers of [{ 'Content-Length': '4' }, { 'Transfer-Encoding': 'chunked' }]) {
    const refused = reader.next();
    reader.open({ headers }).end('four');
    await refused;
  }
  assert.deepEqual(reader.outcomes, ['QUEUE_FULL', 'QUEUE_FULL']);
  for (const request of held) {
    const done = reader.next();
    request.destroy();
    await done;
  }
  assertGivenBack(reader.budget);
  const taken = reader.next();
  reader.open({ headers: { 'Content-Length': '1' } }).end('y');
  await taken;
  assert.equal(reader.outcomes.at(-1), 'y');
});

test(
  'bodies that grow when unpacked are refused at the end of the budget, not after it',
  { timeout: 20_000 },
  async (t) => {
    const reader = await startReader(t);
    reader.budget.take(BUDGET_BYTES - 60_000, 'others');
    const refused = reader.next();
    reader.open({ headers: { 'Content-Encoding': 'gzip' } }).end(gzipSync(long));
    await refused;
    assert.deepEqual(reader.outcomes, ['QUEUE_FULL']);
    reader.budget.give(BUDGET_BYTES - 60_000, 'others');
    assertGivenBack(reader.budget);
  },
);

test(
  'bodies of one client are unpacked one by one, those of many in turn, and all arrive',
  { timeout: 20_000 },
  async (t) => {
    const reader = await startReader(t);
    const bodies = Array.from({ length: 10 }, (_, index) => String(index).repeat(1000));
    for (const body of bodies) {
      const done = reader.next();
      reader.open({ headers: { 'Content-Encoding': 'gzip' } }).end(gzipSync(body));
      await done;
    }
    assert.deepEqual(reader.outcomes, bodies);
    assertGivenBack(reader.budget);
  },
);

test('no client takes the whole budget: it must leave a quarter free, but may always have one body', () => {
  const budget = new BodyBudget(100, 20);
  budget.take(75, 'greedy');
  assert.throws(() => budget.take(1, 'greedy'), refusal('QUEUE_FULL'));
  budget.take(18, 'second');
  budget.take(7, 'third');
  assert.throws(() => budget.take(1, 'fourth'), refusal('QUEUE_FULL'));
  budget.give(75, 'greedy');
  budget.take(20, 'greedy');
  assert.equal(budget.usedBytes, 45);
});

test('clients are distinguished by address, with IPv6 by network', () => {
  assert.equal(clientOf('192.0.2.7'), '192.0.2.7');
  assert.equal(clientOf('::ffff:192.0.2.7'), '::ffff:192.0.2.7');
  assert.equal(clientOf('2001:db8:0:1::7'), clientOf('2001:db8:0:1:2:3:4:5'));
  assert.equal(clientOf('2001:db8::7'), '2001:db8:0:0');
  assert.equal(clientOf('::1'), '0:0:0:0');
  assert.equal(clientOf(undefined), '');
});

test('a refusal because of the budget says when to retry', () => {
  const budget = new BodyBudget(10);
  budget.take(10);
  assert.throws(
    () => budget.take(1),
    (error) => refusal('QUEUE_FULL')(error) && (error as ServerError).retryAfterMs === 1000,
  );
});
