import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HttpStorage } from '../../../src/storage/http/storage.ts';
import { NEVER, storageError } from '../support.ts';
import { ObjectServer, openHttp, pattern } from './object-server.ts';

const call = { signal: NEVER };

test('addresses of this machine and its networks are not asked, unless the host is trusted', async (t) => {
  const server = await ObjectServer.start(t);
  server.objects.set('/x', pattern(10));
  const closed = openHttp(t, {}, false);
  const port = new URL(server.url).port;
  for (const host of ['127.0.0.1', 'localhost', '0x7f.1', '[::1]', '169.254.169.254'])
    await assert.rejects(
      closed.head(`http://${host}:${port}/x`, call),
      storageError('BAD_PLACE', /does not fetch from/),
    );
  assert.deepEqual(server.requests, []);
  const trusting = new HttpStorage({ allowsPrivate: ({ origin }) => origin === server.url });
  t.after(() => trusting.close());
  assert.equal((await trusting.head(`${server.url}/x`, call))?.size, 10);
});

test('each redirect is checked by itself', async (t) => {
  const server = await ObjectServer.start(t);
  const other = await ObjectServer.start(t);
  other.objects.set('/x', pattern(10));
  server.objects.set('/end', pattern(20));
  let location = '';
  server.trouble = ({ url }, response) => {
    if (url?.startsWith('/go') !== true) return false;
    response.writeHead(302, { location }).end();
    return true;
  };
  // Only one of the two is trusted, as if the other were an address of this network.
  const storage = new HttpStorage({ allowsPrivate: ({ origin }) => origin === server.url });
  t.after(() => storage.close());
  location = '/end';
  assert.equal((await storage.head(`${server.url}/go`, call))?.size, 20);
  for (const elsewhere of [`${other.url}/x`, 'http://169.254.169.254/latest', 'http://[::1]/', 'file:///etc/passwd']) {
    location = elsewhere;
    await assert.rejects(storage.head(`${server.url}/go?SECRET`, call), storageError('BAD_PLACE'));
  }
  assert.deepEqual(other.requests, []);
  location = '/go';
  await assert.rejects(storage.head(`${server.url}/go`, call), storageError('BAD_PLACE', /redirects without end/));
});

test('nothing of a URL reaches another origin, and what is sent stays where it was sent to', async (t) => {
  const server = await ObjectServer.start(t);
  const other = await ObjectServer.start(t);
  other.objects.set('/x', pattern(10));
  let status = 302;
  server.trouble = (_, response) => {
    response.writeHead(status, { location: `${other.url}/x` }).end();
    return true;
  };
  const storage = openHttp(t);
  assert.equal((await storage.head(`${server.url}/a?token=SECRET`, call))?.size, 10);
  assert.doesNotMatch(JSON.stringify([other.requests, other.headers]), /SECRET/);
  other.requests.length = 0;
  for (status of [301, 302, 303, 307, 308])
    await assert.rejects(
      storage.write(`${server.url}/a?token=SECRET`, Buffer.from('mine'), call),
      storageError('BAD_PLACE', /redirects what is sent to it/),
    );
  assert.deepEqual(other.requests, []);
});

test('what is no http URL, or holds a password, is refused', async (t) => {
  const storage = openHttp(t);
  for (const place of ['ftp://host/x', 'nonsense', 'http://user:SECRET@127.0.0.1/x'])
    await assert.rejects(storage.head(place, call), storageError('BAD_PLACE'));
});
