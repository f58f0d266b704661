import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeIdleConnections, mostConnections } from '../../src/http/connections.ts';
import { postText, RawClient } from './raw-client.ts';
import { startStubServer, type StubModel, type StubServer } from './stub-services.ts';

const PROBE = 'GET /health HTTP/1.1\r\nHost: test\r\n\r\n';

function open(t: TestContext, { port }: StubServer): RawClient {
  const client = new RawClient(port);
  t.after(() => client.socket.destroy());
  return client;
}

/** The status of a probe. */
async function probed(client: RawClient | undefined): Promise<number | undefined> {
  client?.send(PROBE);
  return (await client?.answer())?.status;
}

async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await sleep(5);
}

const metric = async (server: StubServer, sample: string): Promise<number> =>
  Number(
    new RegExp(`^${sample.replaceAll(/[{}]/g, String.raw`\$&`)} (.*)$`, 'm').exec(await server.metricsText())?.[1],
  );

const echo: StubModel = {
  name: 'echo',
  task: 'tensors',
  serve: (item) => Promise.resolve({ json: item.kind === 'json' ? item.value : null }),
};

/** A model whose items never end of themselves. */
const held: StubModel = {
  name: 'held',
  task: 'tensors',
  serve: (_, { cancelled }) => cancelled.then(() => ({ json: 'left' })),
};

test('at CONNECTION_LIMIT the connection that has been idle for longest gives way', async (t) => {
  await using server = await startStubServer([echo], { CONNECTION_LIMIT: '3' });
  const clients = [open(t, server), open(t, server), open(t, server)];
  await until(async () => (await metric(server, 'carpool_connections')) === 3);
  const [first, second, third] = clients;
  assert.equal(await probed(third), 200);
  // The one that has asked last is now the last to give way.
  assert.equal(await probed(first), 200);
  second?.send(postText('/predict/echo', '{"data":1}'));
  assert.equal((await second?.answer())?.status, 200);
  const late = open(t, server);
  late.send(postText('/predict/echo', '{"data":2}'));
  assert.equal((await late.answer())?.status, 200);
  await third?.closed;
  const later = open(t, server);
  later.send(PROBE);
  assert.equal((await later.answer())?.status, 200);
  await first?.closed;
  second?.send(postText('/predict/echo', '{"data":3}'));
  assert.equal((await second?.answer())?.status, 200);
  assert.equal(await metric(server, 'carpool_connections'), 3);
  assert.equal(await metric(server, 'carpool_connections_full_total{outcome="idle_closed"}'), 2);
  const told = server.logLines.filter((line) => line.includes('CONNECTION_LIMIT'));
  assert.equal(told.length, 1);
  assert.match(told[0] ?? '', /"severity":"WARNING".*"limit":3,"idleClosed":1/);
});

test('when all connections are busy, probes are answered and other requests refused with a reason', async (t) => {
  await using server = await startStubServer([held], { CONNECTION_LIMIT: '2' });
  const busy = [open(t, server), open(t, server)];
  for (const client of busy) client.send(postText('/predict/held', '{"data":1}'));
  await until(() => server.items.length === 2);
  for (let round = 0; round < 200; round += 1) {
    const probe = open(t, server);
    probe.send(PROBE);
    const answer = await probe.answer();
    assert.equal(answer?.status, 200);
    assert.equal(answer.headers['connection'], 'close');
  }
  const refused = open(t, server);
  refused.send(postText('/predict/held', '{"data":1}'));
  const answer = await refused.answer();
  assert.deepEqual([answer?.status, answer?.headers['retry-after']], [429, '1']);
  assert.match(answer?.body ?? '', /no room for further connections/);
  await refused.closed;
  assert.equal(server.items.length, 2);
  assert.equal(await metric(server, 'carpool_connections_full_total{outcome="refused"}'), 1);
  // Once a place is free, it is as ever.
  busy[0]?.socket.destroy();
  await until(async () => (await metric(server, 'carpool_connections')) < 2);
  const late = open(t, server);
  late.send(postText('/predict/held', '{"data":1}'));
  await until(() => server.items.length === 3);
});

test('a crowd of new clients at the limit is refused with a reason, each of them, and its probes are answered', async (t) => {
  await using server = await startStubServer([held], { CONNECTION_LIMIT: '3' });
  // One place is free: a client that takes it must not lose it to the next one before its request is read.
  for (let count = 0; count < 2; count += 1) open(t, server).send(postText('/predict/held', '{"data":1}'));
  await until(() => server.items.length === 2);
  const statuses = await Promise.all(
    Array.from({ length: 200 }, async (_, index) => {
      const client = open(t, server);
      client.send(index % 10 === 0 ? PROBE : postText('/nowhere', '{"data":1}'));
      const status = (await client.answer())?.status;
      client.socket.destroy();
      return status;
    }),
  );
  const expected = statuses.map((_, index) => (index % 10 === 0 ? [200] : [404, 429]));
  assert.deepEqual(
    statuses.filter((status, index) => status === undefined || expected[index]?.includes(status) !== true),
    [],
  );
});

test('a connection on which nothing comes gives way after a while', { timeout: 30_000 }, async (t) => {
  await using server = await startStubServer([echo], { CONNECTION_LIMIT: '1' });
  const silent = open(t, server);
  await until(async () => {
    const probe = open(t, server);
    probe.send(PROBE);
    assert.equal((await probe.answer())?.status, 200);
    return silent.socket.closed;
  });
  assert.equal(await metric(server, 'carpool_connections_full_total{outcome="idle_closed"}'), 1);
});

test('connections that send half a header cannot keep probes out', async (t) => {
  await using server = await startStubServer([echo], { CONNECTION_LIMIT: '10' });
  const slow = Array.from({ length: 200 }, () => open(t, server));
  for (const client of slow) client.send('GET /he');
  const probe = open(t, server);
  probe.send(PROBE);
  assert.equal((await probe.answer())?.status, 200);
});

test('a connection opened ahead of its request is idle: the time for headers begins with their first byte', async (t) => {
  await using server = await startStubServer([echo], { HEADERS_TIMEOUT_MS: '200' });
  const ahead = open(t, server);
  await until(async () => (await metric(server, 'carpool_connections')) === 1);
  const slow = open(t, server);
  slow.send('GET /health HTTP/1.1\r\nHo');
  assert.equal((await slow.answer())?.status, 408);
  ahead.send('POST /predict/echo HT');
  await sleep(20);
  ahead.send(postText('/predict/echo', '{"data":4}').slice('POST /predict/echo HT'.length));
  assert.deepEqual(await ahead.answer().then((answer) => [answer?.status, answer?.body]), [200, '{"result":4}']);
  const late = open(t, server);
  await until(async () => (await metric(server, 'carpool_connections')) >= 2);
  const another = open(t, server);
  another.send('GET');
  assert.equal((await another.answer())?.status, 408);
  // Its own headers have a limit all the same.
  late.send('GET');
  assert.equal((await late.answer())?.status, 408);
});

test(
  'a connection without a request is closed after KEEP_ALIVE_MS without an answer',
  { timeout: 30_000 },
  async (t) => {
    await using server = await startStubServer([echo], { HEADERS_TIMEOUT_MS: '100', KEEP_ALIVE_MS: '100' });
    const client = open(t, server);
    assert.equal(await client.answer(), undefined);
    await client.closed;
  },
);

test('an exchange ends with its connection, also one whose answer waits behind another', async (t) => {
  await using server = await startStubServer([held, echo], {
    BODY_LIMIT_BYTES: '1048576',
    BODY_BUDGET_BYTES: '2097152',
  });
  const body = `{"data":1${' '.repeat(60_000)}}`;
  for (let round = 0; round < 2; round += 1) {
    const client = open(t, server);
    client.send(postText('/predict/held', body).repeat(8) + postText('/predict/echo', body).repeat(8));
    await until(() => server.items.length === (round + 1) * 16);
    client.socket.resetAndDestroy();
    const counted = async (model: string): Promise<number> =>
      metric(server, `carpool_requests_total{model="${model}",dialect="native",code="499"}`);
    const ended = (round + 1) * 8;
    await until(async () => (await counted('held')) === ended && (await counted('echo')) === ended);
  }
  // The budget is whole again: a body as large as one may be is taken.
  const client = open(t, server);
  client.send(postText('/predict/echo', 'x'.repeat(1_000_000), { 'Content-Type': 'text/plain' }));
  assert.equal((await client.answer())?.status, 200);
});

test('no more connections than the limit of open files has room for', (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'carpool-limits-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const limits = (files: string): string => {
    const file = path.join(folder, 'limits');
    writeFileSync(file, `Limit  Soft Limit  Hard Limit  Units\nMax open files            ${files}        files\n`);
    return file;
  };
  assert.equal(mostConnections(limits('1024                 4096')), 760);
  assert.equal(mostConnections(limits('100                  100')), 16);
  assert.equal(mostConnections(limits('unlimited            unlimited')), Infinity);
  assert.equal(mostConnections(path.join(folder, 'none')), Infinity);
});

test(
  'a server that closes does not wait for connections opened ahead of their first request',
  { timeout: 20_000 },
  async (t) => {
    await using server = await startStubServer([echo]);
    const [unused, begun, idle] = [open(t, server), open(t, server), open(t, server)];
    begun.send(PROBE.slice(0, 20));
    await until(async () => (await metric(server, 'carpool_connections')) >= 3);
    idle.send(PROBE);
    assert.equal((await idle.answer())?.status, 200);
    closeIdleConnections(server.server);
    await Promise.all([unused.closed, idle.closed]);
    begun.send(PROBE.slice(20));
    assert.equal((await begun.answer())?.status, 200);
  },
);
