import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { HeldBack } from '../../src/http/held-back.ts';
import { postText, RawClient } from './raw-client.ts';
import { startStubServer } from './stub-services.ts';

class StubSocket {
  destroyed = false;
  isPaused = false;
  pause(): this {
    this.isPaused = true;
    return this;
  }
  resume(): this {
    this.isPaused = false;
    return this;
  }
}

test('of many connections refused at once only some are read again at once, the others in order, a few each millisecond', async () => {
  let nowMs = 0;
  const timers: (() => void)[] = [];
  const heldBack = new HeldBack({ nowMs: () => nowMs, after: (_, callback) => timers.push(callback) });
  const pass = (ms: number): void => {
    nowMs += ms;
    for (const callback of timers.splice(0)) callback();
  };
  const sockets = Array.from({ length: 100 }, () => new StubSocket());
  const held = (): number[] => [...sockets.keys()].filter((index) => sockets[index]?.isPaused);
  for (const socket of sockets) heldBack.add(socket);
  assert.deepEqual(held(), [], 'Node is not done with them before the turn is over');
  await turn();
  assert.deepEqual([held().length, held()[0]], [36, 64]);
  pass(1);
  assert.deepEqual([held().length, held()[0]], [28, 72]);
  for (const socket of sockets.slice(72, 80)) socket.destroyed = true;
  pass(1);
  const waiting = held().filter((index) => index >= 80);
  assert.deepEqual([waiting.length, waiting[0]], [12, 88], 'those that have left take no turn');
  pass(1000);
  assert.deepEqual([held().filter((index) => index >= 80), timers.length], [[], 0]);
});

test('few refusals hold nobody back', async () => {
  let nowMs = 0;
  const heldBack = new HeldBack({ nowMs: () => nowMs, after: () => assert.fail('nothing waits') });
  const socket = new StubSocket();
  for (; nowMs < 200; nowMs += 1) {
    heldBack.add(socket);
    await turn();
    assert.equal(socket.isPaused, false);
  }
});

test('clients that come back at once after refusals are all answered, bodies read or not, probes with them', async () => {
  const full = { isFull: true, serve: () => Promise.reject(new Error('not to be reached')) };
  await using server = await startStubServer([{ name: 'full', task: 'embeddings', ...full }]);
  const clients = Array.from({ length: 200 }, () => new RawClient(server.port));
  const ask = async (client: RawClient, text: string): Promise<number | undefined> => {
    client.send(text);
    return (await client.answer())?.status;
  };
  const large = postText('/predict/full', JSON.stringify({ data: 'x'.repeat(100_000) }));
  for (const text of [postText('/predict/full', '{"data":1}'), large, postText('/predict/full', '{"data":1}')]) {
    const statuses = await Promise.all(clients.map((client) => ask(client, text)));
    assert.deepEqual(new Set(statuses), new Set([429]));
  }
  const probes = await Promise.all(clients.map((client) => ask(client, 'GET /health HTTP/1.1\r\nHost: a\r\n\r\n')));
  assert.deepEqual(new Set(probes), new Set([200]));
  for (const { socket } of clients) socket.destroy();
});
