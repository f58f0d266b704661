import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { NEVER, storageError, temporaryFolder } from '../support.ts';
import { ObjectServer, openHttp, pattern } from './object-server.ts';

const call = { signal: NEVER };
const KEY = '/out?X-Amz-Signature=SECRET';

test('bytes and files are stored by one PUT with their length', async (t) => {
  const server = await ObjectServer.start(t);
  const storage = openHttp(t);
  const bytes = pattern(700_000);
  let moved = 0;
  const count = (more: number): void => void (moved += more);
  await storage.write(`${server.url}${KEY}`, bytes, { ...call, contentType: 'audio/wav', onBytes: count });
  assert.ok(server.objects.get('/out')?.equals(bytes));
  assert.equal(moved, bytes.length);
  const [headers] = server.headers;
  assert.equal(headers?.['content-type'], 'audio/wav');
  assert.equal(headers['content-length'], '700000');
  assert.equal(headers['transfer-encoding'], undefined);

  const folder = await temporaryFolder(t);
  for (const length of [0, 1, 1_000_000]) {
    const file = path.join(folder, String(length));
    await writeFile(file, pattern(length, 7));
    await storage.upload(file, `${server.url}/file${length}`, call);
    assert.ok(server.objects.get(`/file${length}`)?.equals(pattern(length, 7)), String(length));
  }
});

test('an upload that breaks off is sent again, and is told when it fails again and again', async (t) => {
  const server = await ObjectServer.start(t);
  const storage = openHttp(t, { attempts: 4 });
  const bytes = pattern(2_000_000);
  let failures = 3;
  server.trouble = (request, response) => {
    if (failures === 0) return false;
    failures -= 1;
    if (failures === 1) response.writeHead(503).end();
    else request.once('data', () => request.destroy());
    return true;
  };
  let moved = 0;
  await storage.write(`${server.url}${KEY}`, bytes, { ...call, onBytes: (more) => (moved += more) });
  assert.ok(server.objects.get('/out')?.equals(bytes));
  assert.equal(moved, bytes.length);
  failures = Infinity;
  server.objects.clear();
  await assert.rejects(storage.write(`${server.url}${KEY}`, bytes, call), storageError('UNAVAILABLE', /\/out: /));
  assert.equal(server.objects.size, 0);
});

test('a URL that has expired is told at once', async (t) => {
  const server = await ObjectServer.start(t);
  server.trouble = (_, response) => {
    response.writeHead(403).end('<Code>AccessDenied</Code>');
    return true;
  };
  const write = openHttp(t).write(`${server.url}${KEY}`, pattern(10), call);
  await assert.rejects(write, storageError('FORBIDDEN', /\/out: answered with status 403/));
  assert.equal(server.requests.length, 1);
});

test('only if absent: what is there stays', async (t) => {
  const server = await ObjectServer.start(t);
  const storage = openHttp(t);
  const write = (text: string): Promise<void> =>
    storage.write(`${server.url}${KEY}`, Buffer.from(text), { ...call, onlyIfAbsent: true });
  await write('first');
  await assert.rejects(write('second'), storageError('EXISTS'));
  assert.equal(server.objects.get('/out')?.toString(), 'first');
});

test('a server that does not read what is sent is left', async (t) => {
  const server = await ObjectServer.start(t);
  server.trouble = (request) => {
    request.pause();
    return true;
  };
  const storage = openHttp(t, { paceMs: 50, attempts: 2 });
  const write = storage.write(`${server.url}${KEY}`, pattern(20_000_000), call);
  await assert.rejects(write, storageError('UNAVAILABLE', /it is too slow/));
});

test('objects behind URLs are not listed or removed', async (t) => {
  const storage = openHttp(t);
  await assert.rejects(storage.remove('http://127.0.0.1/x?SECRET'), storageError('NOT_SUPPORTED'));
  await assert.rejects(async () => {
    for await (const { place } of storage.list('http://127.0.0.1/?SECRET')) assert.fail(place);
  }, storageError('NOT_SUPPORTED'));
});
