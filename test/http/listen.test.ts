import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import test from 'node:test';
import { Worker } from 'node:worker_threads';
import { CAN_SHARE, listenOnMany } from '../../src/http/listen.ts';

const LOCAL = { host: '127.0.0.1', port: 0 };

test('a port that is listened on is refused, although sockets of one server may share it', async () => {
  const [first, second] = [createServer(), createServer()];
  const { port, close } = await listenOnMany(first, LOCAL);
  await assert.rejects(listenOnMany(second, { ...LOCAL, port }), { code: 'EADDRINUSE' });
  await close();
  const again = await listenOnMany(second, { ...LOCAL, port });
  assert.equal(again.port, port);
  await again.close();
});

test('closing waits for the last connection, whichever socket accepted it', async () => {
  const server = createServer((request, response) => void response.end(request.url));
  const { port, close } = await listenOnMany(server, LOCAL);
  const clients = Array.from({ length: 32 }, () => connect(port, '127.0.0.1'));
  for (const [index, client] of clients.entries()) {
    client.write(`GET /${index} HTTP/1.1\r\nHost: test\r\n\r\n`);
    const [reply] = (await once(client, 'data')) as [Buffer];
    assert.ok(reply.toString().endsWith(`\r\n\r\n/${index}`));
  }
  const closed = close();
  await once(connect(port, '127.0.0.1'), 'error');
  for (const client of clients) client.destroy();
  await closed;
});

const skip = CAN_SHARE ? false : 'this Node cannot share ports';

test('several new connections are accepted in one turn of the event loop', { skip }, async () => {
  const server = createServer();
  let turn = 0;
  const turns: number[] = [];
  server.on('connection', () => turns.push(turn));
  const { port, close } = await listenOnMany(server, LOCAL);
  const count = 64;
  const flag = new Int32Array(new SharedArrayBuffer(4));
  const thread = new Worker(
    `const { workerData: { port, count, flag } } = require('node:worker_threads');
     const { connect } = require('node:net');
     let open = 0;
     for (let index = 0; index < count; index += 1)
       connect(port, '127.0.0.1', () => { open += 1; if (open === count) { Atomics.store(flag, 0, 1); Atomics.notify(flag, 0); } });`,
    { eval: true, workerData: { port, count, flag } },
  );
  await once(thread, 'online');
  Atomics.wait(flag, 0, 0, 20_000);
  const spin = (): void => {
    turn += 1;
    if (turns.length < count) setImmediate(spin);
  };
  spin();
  while (turns.length < count) await new Promise((resolve) => setImmediate(resolve));
  await thread.terminate();
  await close();
  assert.ok(new Set(turns).size <= count / 2, `${new Set(turns).size} turns`);
});
