import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { serverAddress } from '../../src/benchmark/server-info.ts';
import { sizeText } from '../../src/commands/columns.ts';
import { freePort } from '../free-port.ts';
import { Carpool, CLI, SERVER_ENV } from '../process/carpool.ts';

const LIMIT_MS = 60_000;

function ps(...argv: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [CLI, 'ps', ...argv], { env: SERVER_ENV, timeout: LIMIT_MS }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout, stderr }),
    );
  });
}

async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('ps lists what a server has loaded, and what it loads when a request comes', async () => {
  const options = JSON.stringify({ 'language-id': { loading: 'lazy' } });
  await using server = await Carpool.start({ MODELS: 'square,language-id', MODEL_OPTIONS: options });
  const { code, stdout } = await ps(server.url);
  assert.equal(code, 0);
  assert.match(stdout, /^Carpool \d+\.\d+\.\d+ at http:.*\n\nMODEL /);
  assert.match(stdout, /^square +1 +tensors +cpu +up to 64 +0 running, 0 waiting$/m);
  assert.match(stdout, /^language-id +text-classification +loaded by its first request$/m);
  const json = JSON.parse((await ps(server.url, '--json')).stdout) as { models: object[]; asleep: object[] };
  assert.deepEqual([json.models.length, json.asleep.length], [1, 1]);
});

test('what is there instead of a server is told, with its cure', async (t) => {
  const other = await serve(t, (_request, response) => response.end('<html>'));
  const locked = await serve(t, (_request, response) => response.writeHead(401).end('{}'));
  const moved = await serve(t, (_request, response) => response.writeHead(301, { location: 'https://b/info' }).end());
  const broken = await serve(t, (_request, response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('{', () => response.destroy());
  });
  for (const [url, words] of [
    [other, /\/info answers 200, as no server of Carpool does/],
    [locked, /answers 401: give a key .* --key-file/],
    [moved, /answers 301: it leads to https:\/\/b\/info/],
    [broken, /\/info breaks its answer off/],
  ] as const) {
    const { code, stdout, stderr } = await ps(url);
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, words);
  }
  const port = String(await freePort());
  assert.match((await ps(port)).stderr, /^nothing answers at http:\/\/localhost:\d+: start a server/);
  assert.match((await ps(other, '--key-file', 'nowhere')).stderr, /^--key-file: nowhere: there is no such file$/m);
  assert.equal((await ps('ftp://a')).code, 2);
});

test('an address may be written without its scheme, or as a port', () => {
  for (const [text, address] of [
    ['localhost:8000', 'http://localhost:8000'],
    [':8001', 'http://localhost:8001'],
    ['8001', 'http://localhost:8001'],
    ['https://a.example/base/', 'https://a.example/base'],
    ['[::1]:80', 'http://[::1]:80'],
    ['ftp://a', undefined],
    ['a b', undefined],
    ['http://user:hidden@a', undefined],
    ['http://', undefined],
  ] as const)
    assert.equal(serverAddress(text), address);
});

test('sizes have the unit in which they read best', () => {
  const sizes = [0, 999, 1000, 999_999, 102_140_945, 7e9, 3e15].map(sizeText);
  assert.deepEqual(sizes, ['0 B', '999 B', '1 kB', '1 MB', '102 MB', '7 GB', '3000 TB']);
});
