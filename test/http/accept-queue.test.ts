import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { Worker } from 'node:worker_threads';
import { queueOf, readAcceptQueue } from '../../src/http/accept-queue.ts';
import { ask, startTestServer } from './in-process.ts';

const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';

const line = (port: number, state: string, received: number): string =>
  `   0: 0100007F:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 ${state} 00000000:${received
    .toString(16)
    .toUpperCase()
    .padStart(8, '0')} 00:00000000 00000000     0        0 25637 1 0000000000000000 100 0 0 10 0`;

test('the accept queue is that of listening sockets alone', () => {
  const table = [HEAD, line(8080, '0A', 31), line(8081, '0A', 5), line(8080, '01', 0x900)].join('\n');
  assert.equal(queueOf(table, 8080), 31);
  assert.equal(queueOf(table, 80), 0);
});

test('the accept queue is read from all tables there are, however many sockets listen', async (t) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'carpool-proc-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [four, six] = [path.join(folder, 'tcp'), path.join(folder, 'tcp6')];
  const others = Array.from({ length: 300 }, (_, index) => line(1000 + index, '0A', 1));
  writeFileSync(four, `${[HEAD, ...others, line(8080, '0A', 7), line(9, '01', 0)].join('\n')}\n`);
  assert.equal(await readAcceptQueue(8080, [four, six]), 7);
  writeFileSync(six, `${[HEAD, line(8080, '0A', 2)].join('\n')}\n`);
  assert.equal(await readAcceptQueue(8080, [four, six]), 9);
  assert.equal(await readAcceptQueue(8080, [path.join(folder, 'none')]), undefined);
});

const skip = process.platform === 'linux' ? false : 'only Linux tells';

test('connections that a thread that stands still does not accept are in its accept queue', { skip }, async () => {
  const thread = new Worker(
    `const { parentPort } = require('node:worker_threads');
     const server = require('node:net').createServer().listen(0, '127.0.0.1', () => {
       parentPort.postMessage(server.address().port);
       setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
     });`,
    { eval: true },
  );
  const [port] = (await once(thread, 'message')) as [number];
  // One may come before the thread stands still.
  const clients = Array.from({ length: 6 }, () => connect(port, '127.0.0.1'));
  await Promise.all(clients.map((client) => once(client, 'connect')));
  const queue = await readAcceptQueue(port);
  for (const client of clients) client.destroy();
  await thread.terminate();
  assert.ok(queue === 5 || queue === 6, String(queue));
});

test('the accept queue is among the metrics of a server', { skip }, async () => {
  await using server = await startTestServer({ MODELS: 'square' });
  const text = Buffer.from((await ask(`${server.url}/metrics`)).bytes).toString();
  assert.match(text, /^carpool_accept_queue 0$/m);
});
