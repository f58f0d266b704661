import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import { connect as connectPlain, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { readConfig } from '../../src/config/read.ts';
import { Certificate } from '../../src/http/certificate.ts';
import { createLogs } from '../../src/log.ts';
import { SHIPPED_MODELS } from '../process/carpool.ts';
import { startTestServer } from './in-process.ts';
import { RawClient } from './raw-client.ts';
import { selfSigned, type SelfSigned } from './self-signed.ts';
import { startStubServer, type StubModel } from './stub-services.ts';

const square: StubModel = { name: 'square', task: 'tensors', serve: () => Promise.resolve({ json: 9 }) };

type Files = Readonly<Record<'TLS_CERT_FILE' | 'TLS_KEY_FILE', string>>;

async function filesOf(t: TestContext, pair: SelfSigned): Promise<Files> {
  const folder = await mkdtemp(path.join(tmpdir(), 'carpool-tls-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const files = { TLS_CERT_FILE: path.join(folder, 'tls.crt'), TLS_KEY_FILE: path.join(folder, 'tls.key') };
  await write(files, pair);
  return files;
}

async function write({ TLS_CERT_FILE, TLS_KEY_FILE }: Files, { cert, key }: SelfSigned): Promise<void> {
  await writeFile(TLS_CERT_FILE, cert);
  await writeFile(TLS_KEY_FILE, key);
}

async function handshake(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
  await once(socket, 'secureConnect');
  return socket;
}

async function subjectAt(port: number): Promise<unknown> {
  const socket = await handshake(port);
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return subject.CN;
}

/** All that comes until the server closes. */
async function textOf(socket: TLSSocket): Promise<string> {
  let text = '';
  for await (const piece of socket as AsyncIterable<Buffer>) text += piece.toString();
  return text;
}

function post(port: number, ca: string, body: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest({
      port,
      host: '127.0.0.1',
      ca,
      method: 'POST',
      path: '/predict/square',
      agent: false,
    });
    request.on('response', (response) => {
      response.resume().on('end', () => resolve(response.statusCode));
    });
    request.on('error', reject);
    request.end(body);
  });
}

test('a server with a certificate speaks TLS 1.2 and 1.3, and HTTP/1.1 within it', async (t) => {
  const pair = selfSigned('first');
  await using server = await startStubServer([square], await filesOf(t, pair));
  const { port } = server;
  assert.equal(await post(port, pair.cert, '{"data":3}'), 200);
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const socket = await handshake(port, {
      minVersion: version,
      maxVersion: version,
      ALPNProtocols: ['h2', 'http/1.1'],
    });
    assert.deepEqual([socket.getProtocol(), socket.alpnProtocol], [version, 'http/1.1']);
    socket.destroy();
  }
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
  await assert.rejects(handshake(port, old));
});

test('what is wrong within TLS is answered, and what is not TLS is closed', async (t) => {
  await using server = await startStubServer([square], await filesOf(t, selfSigned('first')));
  const broken = await handshake(server.port);
  broken.write('GET /health HTTP/1.1\r\nHost: test\r\nbad header\r\n\r\n');
  assert.match(await textOf(broken), /^HTTP\/1\.1 400 /);
  const plain = connectPlain({ port: server.port, host: '127.0.0.1' });
  plain.on('error', () => undefined);
  plain.write('GET /health HTTP/1.1\r\nHost: test\r\n\r\n');
  await once(plain, 'close');
  const after = await handshake(server.port);
  after.write('GET /health HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n');
  assert.match(await textOf(after), /^HTTP\/1\.1 200 /);
});

test('a drain closes connections in the midst of a handshake, and those without a request', async (t) => {
  const server = await startTestServer({ MODELS: 'square', ...(await filesOf(t, selfSigned('first'))) });
  const silent = connectPlain({ port: server.port, host: '127.0.0.1' });
  await once(silent, 'connect');
  const idle = await handshake(server.port);
  for (const socket of [silent, idle]) socket.on('error', () => undefined).resume();
  const closed = Promise.all([once(silent, 'close'), once(idle, 'close')]);
  assert.equal(await server.drain(), true);
  await closed;
});

test('connections under TLS count towards CONNECTION_LIMIT, and the longest idle one makes room', async (t) => {
  const files = await filesOf(t, selfSigned('first'));
  await using server = await startStubServer([square], { CONNECTION_LIMIT: '2', ...files });
  const ask = async (socket: TLSSocket): Promise<void> => {
    socket.write('GET /v1/models HTTP/1.1\r\nHost: test\r\n\r\n');
    await once(socket, 'data');
  };
  const [first, second] = [await handshake(server.port), await handshake(server.port)];
  const closed = once(first, 'close');
  first.on('error', () => undefined);
  await ask(first);
  await ask(second);
  const third = await handshake(server.port);
  await ask(third);
  await closed;
  assert.deepEqual([second.destroyed, third.destroyed], [false, false]);
  second.destroy();
  third.destroy();
});

test('new connections get a renewed certificate, and a broken pair changes nothing', async (t) => {
  const files = await filesOf(t, selfSigned('first'));
  const config = readConfig({ flags: {}, env: { MODELS_DIR: SHIPPED_MODELS, ...files }, file: {} });
  const logLines: string[] = [];
  const { log } = createLogs({ level: 'info', pretty: false, stream: { write: (line) => void logLines.push(line) } });
  const certificate = await Certificate.open(config, log);
  assert.ok(certificate);
  const server = certificate.createServer({}, (_, response) => response.end('served'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    certificate.close();
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  const kept = await handshake(port);
  assert.equal(await subjectAt(port), 'first');
  for (const pair of [
    { ...selfSigned('second'), key: selfSigned('other').key },
    { cert: 'nonsense', key: 'nonsense' },
    { cert: '', key: '' },
  ]) {
    await write(files, pair);
    await certificate.refresh();
    assert.equal(await subjectAt(port), 'first');
  }
  await write(files, selfSigned('second'));
  await certificate.refresh();
  assert.equal(await subjectAt(port), 'second');
  kept.write('GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n');
  assert.match(await textOf(kept), /served/);
  const told = logLines.map((line) => JSON.parse(line) as { msg: string; reason?: string });
  assert.equal(told.filter(({ msg }) => msg.includes('not taken')).length, 3);
  assert.match(told[0]?.reason ?? '', /^not a certificate with its key: /);
  assert.doesNotMatch(logLines.join(''), /PRIVATE|nonsense/);
});

test('a start with files that are no good, or one of the two, is refused', async (t) => {
  const files = await filesOf(t, { cert: 'x', key: 'y' });
  await assert.rejects(
    startTestServer({ MODELS: 'square', ...files }),
    /TLS_CERT_FILE, TLS_KEY_FILE: not a certificate/,
  );
  await assert.rejects(
    startTestServer({ ...files, TLS_CERT_FILE: '/nowhere' }),
    /TLS_CERT_FILE, TLS_KEY_FILE: .*ENOENT/,
  );
  await assert.rejects(startTestServer({ TLS_CERT_FILE: files.TLS_CERT_FILE }), /a certificate needs its key/);
});

test('a server of this machine alone answers to its names, and to those of ALLOWED_HOSTS', async () => {
  await using server = await startStubServer([], { HOST: '127.0.0.1', ALLOWED_HOSTS: 'models.example' });
  const status = async (host: string, route = '/v1/models'): Promise<number | undefined> => {
    const client = new RawClient(server.port);
    client.send(`GET ${route} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    const answer = await client.answer();
    client.socket.destroy();
    return answer?.status;
  };
  for (const host of [
    'localhost',
    'LOCALHOST:8000',
    'localhost.',
    'a.localhost',
    '127.0.0.1:80',
    '[::1]:80',
    'Models.Example:1',
  ])
    assert.equal(await status(host), 200, host);
  for (const host of [
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'my-machine',
    '10.0.0.1',
    '',
  ]) {
    assert.equal(await status(host), 403, host);
    assert.equal(await status(host, '/health'), 200, host);
  }
  await using elsewhere = await startStubServer([], { HOST: '0.0.0.0' });
  assert.equal((await fetch(`${elsewhere.url}/v1/models`)).status, 200);
});
