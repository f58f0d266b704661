import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { RawClient, postText } from './raw-client.ts';
import { startStubServer } from './stub-services.ts';

/** Clients that ask for a large reply and hardly read it. */

/** More than the kernel's buffers hold. */
const REPLY_BYTES = 32 * 1024 * 1024;

async function askFor(t: TestContext, reply: string) {
  const server = await startStubServer([
    { name: 'm', task: 'tensors', isPlain: true, serve: () => Promise.resolve({ json: reply }) },
  ]);
  t.after(() => server[Symbol.asyncDispose]());
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const client = new RawClient(server.port);
  t.after(() => client.socket.destroy());
  client.socket.pause();
  client.send(postText('/predict', '{"data":1}'));
  await settled(() => server.items.length === 1);
  const isOver = (): boolean => server.logLines.some((line) => line.includes('/predict'));
  // The reply is on its way when its head has come.
  await new Promise((resolve) => void client.socket.once('readable', resolve));
  return { server, client, isOver };
}

test('a large reply that the client does not read within its time ends with its connection, and the log says why', async (t) => {
  const { server, isOver } = await askFor(t, 'x'.repeat(REPLY_BYTES));
  t.mock.timers.tick(30_000 + REPLY_BYTES / 64 - 1000);
  await new Promise(setImmediate);
  assert.equal(isOver(), false);
  t.mock.timers.tick(2000);
  await settled(isOver);
  const lines = server.logLines.map((line) => JSON.parse(line) as { msg: string; status?: number });
  assert.ok(lines.some(({ msg }) => msg === 'the client reads its reply too slowly; its connection is closed'));
  assert.ok(lines.some(({ msg, status }) => msg === 'client left' && status === 499));
});

test('a client that leaves in the middle of a large reply has left', async (t) => {
  const { server, client, isOver } = await askFor(t, 'x'.repeat(REPLY_BYTES));
  client.socket.destroy();
  await settled(isOver);
  assert.match(server.logLines.join(''), /"status":499.*"client left"/);
  assert.match(await server.metricsText(), /carpool_requests_total\{model="m",dialect="native",code="499"\} 1/);
});

test('a reply that the kernel takes is not waited for', async (t) => {
  const { server, isOver } = await askFor(t, 'x'.repeat(60_000));
  await settled(isOver);
  assert.ok(server.logLines.every((line) => !line.includes('too slowly')));
});

async function settled(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate);
}
