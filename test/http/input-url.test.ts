import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { fetchInput, type FetchLimits } from '../../src/http/input-url.ts';
import { isPublicAddress } from '../../src/outbound/public-address.ts';
import { refusal } from '../tasks/support.ts';

const OPEN: FetchLimits = { limitBytes: 1000, timeoutMs: 10_000, allowPrivate: true };
const GUARDED: FetchLimits = { ...OPEN, allowPrivate: false };

/** A server on all of 127.0.0.0/8; the port. */
async function serve(t: TestContext, listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

test('which addresses are public', () => {
  const open = [
    '8.8.8.8',
    '1.1.1.1',
    '172.15.0.1',
    '172.32.0.1',
    '100.63.0.1',
    '192.169.0.1',
    '2606:4700::1111',
    '2a00::1',
  ];
  const closed = [
    ...['0.0.0.0', '10.1.2.3', '100.64.0.1', '127.0.0.1', '127.255.0.1', '169.254.169.254', '172.16.0.1', '172.31.9.9'],
    ...['192.168.1.1', '198.18.0.1', '224.0.0.1', '255.255.255.255', '203.0.113.9', '192.0.0.170'],
    ...[
      '::',
      '::1',
      '::ffff:127.0.0.1',
      '::ffff:8.8.8.8',
      '::7f00:1',
      'fe80::1',
      'fc00::1',
      'fd00:ec2::254',
      'ff02::1',
    ],
    ...['64:ff9b::a9fe:a9fe', '2002:7f00:1::', '2001:0:7f00:1::', '2001:db8::1', 'localhost', ''],
  ];
  assert.deepEqual(
    open.filter((address) => !isPublicAddress(address)),
    [],
  );
  assert.deepEqual(closed.filter(isPublicAddress), []);
});

test('bytes come with their media type, in memory of their own', async (t) => {
  const port = await serve(t, (request, response) => {
    response.setHeader('Content-Type', 'Image/PNG; charset=x').end(`${request.method ?? ''} ${request.url ?? ''}`);
  });
  const { bytes, contentType } = await fetchInput(`http://localhost:${port}/a?b=c`, OPEN);
  assert.equal(Buffer.from(bytes).toString(), 'GET /a?b=c');
  assert.equal(bytes.buffer.byteLength, bytes.byteLength);
  assert.equal(contentType, 'image/png');
});

test('addresses of this machine and its networks are refused in every spelling, and nothing is sent', async (t) => {
  let requests = 0;
  const port = await serve(t, (_, response) => {
    requests += 1;
    response.end();
  });
  const hosts = [
    '127.0.0.1',
    'localhost',
    '2130706433',
    '0x7f.1',
    '0177.0.0.1',
    '127.1',
    '0',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '169.254.169.254',
  ];
  for (const host of hosts)
    await assert.rejects(
      fetchInput(`http://${host}:${port}/`, GUARDED),
      refusal('INVALID_INPUT', /does not fetch from/),
    );
  assert.equal(requests, 0);
});

test('a name is checked by all addresses that it resolves to when connecting', async (t) => {
  let requests = 0;
  const port = await serve(t, (_, response) => {
    requests += 1;
    response.end();
  });
  const resolve = () =>
    Promise.resolve([
      { address: '8.8.8.8', family: 4 },
      { address: '127.0.0.1', family: 4 },
    ]);
  const url = `http://images.example:${port}/`;
  await assert.rejects(fetchInput(url, { ...GUARDED, resolve }), refusal('INVALID_INPUT', /does not fetch from/));
  assert.equal(requests, 0);
  // The same name, reached by its resolved address alone, when that is allowed.
  const local = () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]);
  await fetchInput(url, { ...OPEN, resolve: local });
  assert.equal(requests, 1);
});

test('redirects are followed, and each is checked again', async (t) => {
  const reached: string[] = [];
  const port = await serve(t, ({ url = '', headers }, response) => {
    reached.push(`${headers.host ?? ''}${url}`);
    if (url === '/end') response.end('there');
    else
      response.writeHead(302, { Location: url === '/good' ? '/end' : decodeURIComponent(url.slice(1)) }).end('moved');
  });
  const only: FetchLimits = { ...OPEN, allows: (address) => address === '127.0.0.1' };
  const from = (to: string): string => `http://127.0.0.1:${port}/${encodeURIComponent(to)}`;
  assert.equal(Buffer.from((await fetchInput(`http://127.0.0.1:${port}/good`, only)).bytes).toString(), 'there');
  reached.length = 0;
  for (const to of [`http://127.0.0.2:${port}/end`, `http://[::1]:${port}/end`])
    await assert.rejects(fetchInput(from(to), only), refusal('INVALID_INPUT', /does not fetch from/));
  const resolve = (name: string) =>
    Promise.resolve([{ address: name === 'inside.example' ? '127.0.0.2' : '127.0.0.1', family: 4 }]);
  await assert.rejects(
    fetchInput(from(`http://inside.example:${port}/end`), { ...only, resolve }),
    refusal('INVALID_INPUT', /does not fetch from/),
  );
  await assert.rejects(fetchInput(from('file:///etc/passwd'), only), refusal('INVALID_INPUT', /http or https/));
  assert.ok(reached.every((place) => place.startsWith(`127.0.0.1:${port}/`) && !place.endsWith('/end')));
});

test('a ring of redirects ends', async (t) => {
  let requests = 0;
  const port = await serve(t, (_, response) => {
    requests += 1;
    response.writeHead(307, { Location: '/' }).end();
  });
  await assert.rejects(fetchInput(`http://127.0.0.1:${port}/`, OPEN), refusal('INVALID_INPUT', /redirects/));
  assert.equal(requests, 6);
});

test('content that is too large is refused by its header, or while it arrives', async (t) => {
  const port = await serve(t, ({ url }, response) => {
    if (url === '/header') response.setHeader('Content-Length', 1001).write('x');
    else if (url === '/fits') response.end('x'.repeat(1000));
    else for (let chunk = 0; chunk < 20; chunk += 1) response.write('x'.repeat(100));
  });
  for (const path of ['header', 'endless'])
    await assert.rejects(fetchInput(`http://127.0.0.1:${port}/${path}`, OPEN), refusal('TOO_LARGE', /1000 bytes/));
  assert.equal((await fetchInput(`http://127.0.0.1:${port}/fits`, OPEN)).bytes.length, 1000);
});

test('silence ends at the time limit, before an answer and within one', async (t) => {
  const port = await serve(t, ({ url }, response) => {
    if (url === '/begun') response.write('x');
  });
  for (const path of ['silent', 'begun'])
    await assert.rejects(
      fetchInput(`http://127.0.0.1:${port}/${path}`, { ...OPEN, timeoutMs: 100 }),
      refusal('INVALID_INPUT', /in time/),
    );
});

test('a name that is not resolved ends at the time limit, and with its request', async (t) => {
  // Nothing else keeps the process going meanwhile.
  const alive = setInterval(() => undefined, 1000);
  t.after(() => clearInterval(alive));
  const resolve = () => new Promise<never>(() => undefined);
  await assert.rejects(
    fetchInput('http://slow.example/', { ...OPEN, resolve, timeoutMs: 49.5 }),
    refusal('INVALID_INPUT', /in time/),
  );
  const gone = new AbortController();
  const left = assert.rejects(
    fetchInput('http://slow.example/', { ...OPEN, resolve, signal: gone.signal }),
    refusal('CANCELLED'),
  );
  gone.abort();
  await left;
});

test("other answers, broken connections and odd URLs are the client's, and tell nothing of the network", async (t) => {
  const port = await serve(t, ({ url }, response) => {
    if (url === '/404') response.writeHead(404).end();
    else response.destroy();
  });
  await assert.rejects(fetchInput(`http://127.0.0.1:${port}/404`, OPEN), refusal('INVALID_INPUT', /status 404/));
  await assert.rejects(
    fetchInput(`http://127.0.0.1:${port}/cut`, OPEN),
    refusal('INVALID_INPUT', /^The URL could not be fetched\.$/),
  );
  const resolve = () => Promise.reject(new Error('ENOTFOUND secret'));
  await assert.rejects(
    fetchInput('http://nowhere.example/', { ...OPEN, resolve }),
    refusal('INVALID_INPUT', /^The URL could not be fetched\.$/),
  );
  for (const url of ['ftp://8.8.8.8/', 'file:///etc/passwd', 'http://', '//8.8.8.8/', 'javascript:1', ''])
    await assert.rejects(fetchInput(url, OPEN), refusal('INVALID_INPUT', /http or https/));
  await assert.rejects(fetchInput('http://user:word@8.8.8.8/', OPEN), refusal('INVALID_INPUT', /password/));
});
