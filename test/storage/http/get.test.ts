import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { filesIn, NEVER, storageError, temporaryFolder } from '../support.ts';
import { ObjectServer, openHttp, pattern } from './object-server.ts';

const call = { signal: NEVER };
const KEY = '/a/object?X-Amz-Signature=SECRET';

test('an object comes by ranges side by side, and the file is there only when it is whole', async (t) => {
  const server = await ObjectServer.start(t);
  const bytes = pattern(1_050_000);
  server.objects.set('/a/object', bytes);
  const folder = await temporaryFolder(t);
  const file = path.join(folder, 'copy');
  const seen: string[][] = [];
  server.onRange = () => void filesIn(folder).then((files) => seen.push(files));
  let moved = 0;
  const facts = await openHttp(t).download(`${server.url}${KEY}`, file, {
    ...call,
    onBytes: (more) => (moved += more),
  });
  assert.ok((await readFile(file)).equals(bytes));
  assert.equal(moved, bytes.length);
  assert.deepEqual(facts, { size: bytes.length, validator: server.etagOf(bytes), contentType: 'application/x-test' });
  assert.equal(server.requests.length, 11);
  assert.ok(!seen.flat().includes('copy'));
  assert.deepEqual(await filesIn(folder), ['copy']);
});

test('connections that break are taken up where they ended', async (t) => {
  const server = await ObjectServer.start(t);
  const bytes = pattern(3_000_000);
  server.objects.set('/a/object', bytes);
  let requests = 0;
  server.trouble = (request, response) => {
    requests += 1;
    if (requests % 3 !== 0) return false;
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    const [start, end] = [Number(from), Math.min(Number(to) + 1, bytes.length)];
    response.writeHead(206, {
      etag: server.etagOf(bytes),
      'content-range': `bytes ${start}-${end - 1}/${bytes.length}`,
      'content-length': end - start,
    });
    response.write(bytes.subarray(start, start + 50_000), () => response.destroy());
    return true;
  };
  let moved = 0;
  const storage = openHttp(t, { attempts: 10 });
  const read = await storage.read(`${server.url}${KEY}`, {
    ...call,
    limitBytes: bytes.length,
    onBytes: (more) => (moved += more),
  });
  assert.ok(bytes.equals(read));
  assert.equal(moved, bytes.length);
  assert.ok(server.requests.some((request) => /bytes=\d*5\d{4}-/.test(request)));
  // Every request but the first says which object it goes on with.
  const [first, ...others] = server.headers;
  assert.equal(first?.['if-range'], undefined);
  assert.ok(others.every((headers) => headers['if-range'] === server.etagOf(bytes)));
});

test('an object that changes while it is read is read anew, never mixed', async (t) => {
  const server = await ObjectServer.start(t);
  const [before, after] = [pattern(1_000_000, 1), pattern(900_000, 2)];
  server.objects.set('/a/object', before);
  server.onRange = (start) => {
    if (start === 300_000) server.objects.set('/a/object', after);
  };
  let moved = 0;
  const read = await openHttp(t, { parallel: 2 }).read(`${server.url}${KEY}`, {
    ...call,
    limitBytes: before.length,
    onBytes: (more) => (moved += more),
  });
  assert.ok(after.equals(read));
  assert.equal(moved, after.length);
});

test('an object that changes again and again is not taken', async (t) => {
  const server = await ObjectServer.start(t);
  let version = 0;
  server.objects.set('/a/object', pattern(400_000));
  server.onRange = (start) => {
    if (start > 0) server.objects.set('/a/object', pattern(400_000, (version += 2)));
  };
  const folder = await temporaryFolder(t);
  const storage = openHttp(t, { parallel: 2 });
  await assert.rejects(
    storage.download(`${server.url}${KEY}`, path.join(folder, 'copy'), call),
    storageError('CHANGED', /\/a\/object: it changed/),
  );
  assert.deepEqual(await filesIn(folder), []);
});

test('without ranges, or without a validator to join them by, everything comes in one answer', async (t) => {
  const server = await ObjectServer.start(t);
  const bytes = pattern(1_000_000);
  server.objects.set('/a/object', bytes);
  const storage = openHttp(t);
  const read = (): Promise<Uint8Array> => storage.read(`${server.url}/a/object`, { ...call, limitBytes: bytes.length });
  server.ranges = false;
  assert.ok(bytes.equals(await read()));
  assert.equal(server.requests.length, 1);
  server.ranges = true;
  server.etags = false;
  assert.ok(bytes.equals(await read()));
  assert.deepEqual(server.requests.slice(1), ['GET /a/object bytes=0-99999', 'GET /a/object']);
});

test('what must come in one answer begins anew after a failure', async (t) => {
  const server = await ObjectServer.start(t);
  const bytes = pattern(1_000_000);
  server.objects.set('/a/object', bytes);
  server.ranges = false;
  server.trouble = (_, response) => {
    if (server.requests.length > 2) return false;
    response.writeHead(200, { 'content-length': bytes.length, etag: server.etagOf(bytes) });
    response.write(bytes.subarray(0, 600_000), () => response.destroy());
    return true;
  };
  let moved = 0;
  const read = await openHttp(t).read(`${server.url}/a/object`, {
    ...call,
    limitBytes: bytes.length,
    onBytes: (more) => (moved += more),
  });
  assert.ok(bytes.equals(read));
  assert.equal(moved, bytes.length);
  assert.equal(server.requests.length, 3);
});

test('an answer without a length is taken, up to the limit', async (t) => {
  const server = await ObjectServer.start(t);
  const bytes = pattern(300_000);
  server.trouble = (_, response) => {
    response.writeHead(200);
    response.write(bytes.subarray(0, 1000));
    response.end(bytes.subarray(1000));
    return true;
  };
  const storage = openHttp(t);
  const read = (limitBytes: number): Promise<Uint8Array> => storage.read(`${server.url}/x`, { ...call, limitBytes });
  assert.ok(bytes.equals(await read(300_000)));
  await assert.rejects(read(299_999), storageError('TOO_LARGE', /larger than 299999 bytes/));
});

test('an object above the limit is refused by its announced size', async (t) => {
  const server = await ObjectServer.start(t);
  server.objects.set('/a/object', pattern(400_000));
  const read = openHttp(t).read(`${server.url}${KEY}`, { ...call, limitBytes: 399_999 });
  await assert.rejects(read, storageError('TOO_LARGE'));
  assert.equal(server.requests.length, 1);
});

test('an empty object is one', async (t) => {
  const server = await ObjectServer.start(t);
  server.objects.set('/empty', Buffer.alloc(0));
  const folder = await temporaryFolder(t);
  const storage = openHttp(t);
  const file = path.join(folder, 'copy');
  assert.equal((await storage.download(`${server.url}/empty`, file, call)).size, 0);
  assert.equal((await readFile(file)).length, 0);
  assert.equal((await storage.head(`${server.url}/empty`, call))?.size, 0);
});

test('head tells what is known of an object, by a range of one byte', async (t) => {
  const server = await ObjectServer.start(t);
  const bytes = pattern(5000);
  server.objects.set('/a/object', bytes);
  const storage = openHttp(t);
  const expected = { size: 5000, validator: server.etagOf(bytes), contentType: 'application/x-test' };
  assert.deepEqual(await storage.head(`${server.url}${KEY}`, call), expected);
  server.ranges = false;
  assert.deepEqual(await storage.head(`${server.url}${KEY}`, call), expected);
  assert.equal(await storage.head(`${server.url}/none`, call), undefined);
  assert.equal(server.requests[0], `GET ${KEY} bytes=0-0`);
});

test('failures that may pass are tried again, others are not', async (t) => {
  const server = await ObjectServer.start(t);
  server.objects.set('/a/object', pattern(10));
  const storage = openHttp(t, { attempts: 3 });
  const read = (): Promise<Uint8Array> => storage.read(`${server.url}${KEY}`, { ...call, limitBytes: 100 });
  const answer = (status: number, times = Infinity): void => {
    server.requests.length = 0;
    server.trouble = (_, response) => {
      if (server.requests.length > times) return false;
      response.writeHead(status).end();
      return true;
    };
  };
  for (const status of [408, 429, 500, 503]) {
    answer(status, 2);
    assert.equal((await read()).length, 10);
    answer(status);
    await assert.rejects(read(), storageError('UNAVAILABLE', new RegExp(`/a/object: answered with status ${status}`)));
    assert.equal(server.requests.length, 3);
  }
  for (const [status, kind] of [
    [403, 'FORBIDDEN'],
    [404, 'NOT_FOUND'],
    [400, 'NOT_SUPPORTED'],
  ] as const) {
    answer(status);
    await assert.rejects(read(), storageError(kind));
    assert.equal(server.requests.length, 1);
  }
});

test('a server that stops sending is left and asked again', async (t) => {
  const server = await ObjectServer.start(t);
  const bytes = pattern(90_000);
  server.objects.set('/a/object', bytes);
  server.trouble = (_, response) => {
    if (server.requests.length > 2) return false;
    // Once no answer at all, and once one that stops.
    if (server.requests.length === 1) return true;
    response.writeHead(206, {
      etag: server.etagOf(bytes),
      'content-range': `bytes 0-89999/90000`,
      'content-length': 90_000,
    });
    response.write(bytes.subarray(0, 40_000));
    return true;
  };
  const storage = openHttp(t, { paceMs: 300, attempts: 50 });
  const read = await storage.read(`${server.url}${KEY}`, { ...call, limitBytes: 90_000 });
  assert.ok(bytes.equals(read));
  server.trouble = () => true;
  const slow = openHttp(t, { paceMs: 20, attempts: 2 });
  await assert.rejects(slow.head(`${server.url}${KEY}`, call), storageError('UNAVAILABLE', /it is too slow/));
});

test('a server that is not there is told without its address', async (t) => {
  const storage = openHttp(t, { attempts: 2 });
  const error = storageError('UNAVAILABLE', /^http:\/\/127\.0\.0\.1:1\/x: it cannot be reached \(ECONNREFUSED\)$/);
  await assert.rejects(storage.head('http://127.0.0.1:1/x?SECRET', call), error);
});

test('the signal ends a reading, and leaves nothing behind', async (t) => {
  const server = await ObjectServer.start(t);
  const folder = await temporaryFolder(t);
  const stop = new AbortController();
  server.trouble = () => {
    stop.abort(new Error('enough'));
    return true;
  };
  const storage = openHttp(t);
  const file = path.join(folder, 'copy');
  await assert.rejects(storage.download(`${server.url}/x`, file, { signal: stop.signal }), /enough/);
  await assert.rejects(storage.read(`${server.url}/x`, { signal: stop.signal, limitBytes: 1 }), /enough/);
  assert.deepEqual(await filesIn(folder), []);
});
