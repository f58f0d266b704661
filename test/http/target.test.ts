import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { after, before, test, type TestContext } from 'node:test';
import { readTarget } from '../../src/http/target.ts';
import { postText, RawClient } from './raw-client.ts';
import { startTestServer, type TestServer } from './in-process.ts';

let server: TestServer;
before(async () => {
  server = await startTestServer({ MODELS: 'square', ALLOWED_HOSTS: '*' });
});
after(() => server[Symbol.asyncDispose]());

/** Status, body and headers of one request that is written out. */
async function raw(t: TestContext, text: string) {
  const client = new RawClient(server.port);
  t.after(() => client.socket.destroy());
  client.send(text);
  const answer = await client.answer();
  assert.ok(answer !== undefined);
  return answer;
}

const ask = (method: string, target: string, host = 'Host: test\r\n'): string =>
  `${method} ${target} HTTP/1.1\r\n${host}Connection: close\r\n\r\n`;

for (const [what, host] of [
  ['two hosts', 'Host: a\r\nHost: b\r\n'],
  ['the same host twice', 'Host: a\r\nhost: a\r\n'],
  ['hosts joined by a proxy', 'Host: a, b\r\n'],
  ['a host with a space', 'Host: a b\r\n'],
  ['a host with a path', 'Host: a/b\r\n'],
  ['a host with a user', 'Host: u@a\r\n'],
  ['no host', ''],
] as const)
  test(`${what}: 400, on every route`, async (t) => {
    for (const [method, path] of [
      ['GET', '/health'],
      ['GET', '/info'],
      ['POST', '/predict'],
    ] as const) {
      const { status, body } = await raw(t, ask(method, path, host));
      assert.equal(status, 400, path);
      assert.match(body, /Host header/);
    }
  });

for (const host of ['a', 'a.example:8000', '127.0.0.1', '[::1]:80', 'my_service', ''])
  test(`the host '${host}' is taken`, async (t) => {
    assert.equal((await raw(t, ask('GET', '/health', `Host: ${host}\r\n`))).status, 200);
  });

test('the absolute form of a target is the path in it', async (t) => {
  for (const target of ['http://other.example/health', 'HTTP://other:99/health?x=1', 'https://other/health/'])
    assert.equal((await raw(t, ask('GET', target))).body, '{"live":true}', target);
  const { body } = await raw(t, ask('GET', 'http://other.example'));
  assert.equal((JSON.parse(body) as { name: string }).name, 'carpool');
  assert.equal((await raw(t, postText('http://other/predict/square', '{"data":3}'))).body, '{"result":9}');
  for (const target of ['ftp://other/health', 'http://', 'http://u@other/health', 'http:///health', '*'])
    assert.equal((await raw(t, ask('GET', target))).status, 400, target);
});

test('a password in a target is not in the path that is logged', () => {
  for (const target of ['http://user:secret@host/path', 'ftp://secret@host/path', 'http://a@secret@host/path']) {
    const request = { url: target, method: 'GET', headers: {}, rawHeaders: [], httpVersion: '1.0' };
    assert.equal(readTarget(request as unknown as IncomingMessage)?.code, 'BAD_REQUEST');
    assert.equal(request.url, `${target.split(':', 1)[0]}://host/path`);
  }
});

test('one slash or more, at the end or none: the same on every route', async (t) => {
  const paths = ['/health', '/info', '/metrics', '/v2', '/v2/models/square/config', '/v1/models', '/v1/models/square'];
  for (const path of paths)
    for (const same of [path, `${path}/`, `${path}//`, `/${path}`, path.replaceAll('/', '///'), `${path}/?a=//`])
      assert.equal((await raw(t, ask('GET', same))).status, 200, same);
  for (const path of ['/predict', '/predict/square'])
    for (const same of [path, `${path}/`, `//${path}//`, path.replaceAll('/', '//')])
      assert.equal((await raw(t, postText(same, '{"data":3}'))).body, '{"result":9}', same);
  assert.equal((await raw(t, postText('//v2//models/square//infer/', '{}'))).status, 400);
  assert.equal((await raw(t, ask('GET', '//'))).status, 200);
  assert.equal((await raw(t, ask('GET', '/he/alth'))).status, 404);
});

test('OPTIONS lists the methods of each path, and of the server', async (t) => {
  for (const [path, allow] of [
    ['/health', 'GET, HEAD, OPTIONS'],
    ['/info', 'GET, HEAD, OPTIONS'],
    ['/v2/models/square', 'GET, HEAD, OPTIONS'],
    ['/predict', 'POST, OPTIONS'],
    ['/v1/chat/completions/', 'POST, OPTIONS'],
    ['/v2/models/square/infer', 'POST, OPTIONS'],
    ['/v2/repository/index', 'POST, OPTIONS'],
    ['*', 'GET, POST, HEAD, OPTIONS'],
  ] as const) {
    const { status, headers, body } = await raw(t, ask('OPTIONS', path));
    assert.deepEqual([status, headers['allow'], body], [204, allow, ''], path);
    assert.equal(headers['access-control-allow-methods'], undefined);
  }
  assert.equal((await raw(t, ask('OPTIONS', '/nowhere'))).status, 404);
});

test('HEAD is GET without the body; where there is no GET it is 405', async () => {
  for (const path of ['/', '/health', '/ready', '/info', '/metrics', '/v2', '/v2/models/square', '/v1/models']) {
    const answer = await fetch(server.url + path, { method: 'HEAD' });
    assert.equal(answer.status, 200, path);
    assert.ok(Number(answer.headers.get('content-length')) > 0, path);
    assert.equal(await answer.text(), '');
  }
  const answer = await fetch(`${server.url}/predict`, { method: 'HEAD' });
  assert.deepEqual([answer.status, answer.headers.get('allow')], [405, 'POST, OPTIONS']);
});
