import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import test from 'node:test';
import type { Config } from '../../src/config/options.ts';
import { ServerError } from '../../src/errors.ts';
import { checkManagement } from '../../src/http/management.ts';
import { post, startTestServer } from './in-process.ts';

type Headers = Readonly<Record<string, string>>;

const MODES = ['loopback', 'any', 'off'] as const;

function isAllowed(
  mode: Config['MANAGEMENT'],
  remoteAddress: string,
  headers: Headers = {},
  origins: readonly string[] = [],
): boolean {
  const request = { socket: { remoteAddress }, headers: { host: 'localhost:8000', ...headers } };
  try {
    checkManagement(request as unknown as IncomingMessage, { MANAGEMENT: mode, CORS_ORIGINS: origins });
    return true;
  } catch (error) {
    assert.ok(error instanceof ServerError && error.status === 403, String(error));
    return false;
  }
}

const HERE = ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'];
const ELSEWHERE = ['10.0.0.1', '192.168.1.2', '8.8.8.8', '::ffff:10.0.0.1', 'fe80::1', '2001:db8::1', '::', ''];

test('MANAGEMENT=loopback admits only this machine, any admits all clients, off admits none', () => {
  for (const address of HERE)
    assert.deepEqual(
      MODES.map((mode) => isAllowed(mode, address)),
      [true, true, false],
      address,
    );
  for (const address of ELSEWHERE)
    assert.deepEqual(
      MODES.map((mode) => isAllowed(mode, address)),
      [false, true, false],
      address,
    );
});

test('a request through a proxy on this machine does not count as from this machine', () => {
  for (const name of ['x-forwarded-for', 'forwarded', 'x-real-ip', 'via', 'x-forwarded-host', 'x-forwarded-proto']) {
    assert.equal(isAllowed('loopback', '127.0.0.1', { [name]: '127.0.0.1' }), false, name);
    assert.equal(isAllowed('any', '127.0.0.1', { [name]: '127.0.0.1' }), true, name);
  }
});

test('a name that somebody could let lead to this machine is not one of it', () => {
  for (const host of ['localhost', 'LOCALHOST:80', '127.0.0.1:8000', '[::1]:8000', 'models.localhost', 'my-machine'])
    assert.equal(isAllowed('loopback', '::1', { host }), true, host);
  for (const host of ['evil.example', 'evil.example:8000', '127.0.0.1.evil.example', 'localhost.evil.example:1'])
    assert.equal(isAllowed('loopback', '::1', { host }), false, host);
});

test('pages of another origin may not manage, whatever MANAGEMENT says', () => {
  const host = 'models.example:8000';
  const may = (headers: Headers, origins?: readonly string[]): boolean =>
    isAllowed('any', '10.0.0.1', { host, ...headers }, origins);
  for (const origin of ['http://evil.example', 'null', 'http://models.example', 'http://models.example:80', 'nonsense'])
    assert.equal(may({ origin }), false, origin);
  for (const site of ['cross-site', 'same-site', 'something'])
    assert.equal(may({ 'sec-fetch-site': site, origin: `http://${host}` }), false, site);
  assert.equal(may({ 'sec-fetch-site': 'cross-site' }), false);
  assert.equal(may({}), true);
  assert.equal(may({ origin: `http://${host}` }), true);
  assert.equal(may({ 'sec-fetch-site': 'none' }), true);
  // Behind a proxy that puts its own host in; the browser itself says that it is the same.
  assert.equal(may({ 'sec-fetch-site': 'same-origin', origin: 'https://public.example' }), true);
  assert.equal(may({ host: 'models.example:443', origin: 'https://models.example' }), true);
  assert.equal(may({ host: 'models.example', origin: 'http://models.example' }), true);
  assert.equal(may({ 'sec-fetch-site': 'cross-site', origin: 'https://a.example' }, ['https://a.example']), true);
  assert.equal(may({ 'sec-fetch-site': 'cross-site', origin: 'https://a.example' }, ['*']), false);
});

test('every route that changes what is served asks who comes, before it does anything', async () => {
  await using server = await startTestServer({ MODELS: 'square', MODEL_CONTROL: 'explicit' });
  for (const verb of ['load', 'unload']) {
    const path = `${server.url}/v2/repository/models/square/${verb}`;
    for (const headers of [
      { 'Sec-Fetch-Site': 'cross-site' },
      { Origin: 'http://evil.example' },
      { Via: '1.1 proxy' },
    ]) {
      const { status, json } = await post(path, '{}', headers);
      assert.equal(status, 403);
      assert.equal((json as { code: string }).code, 'FORBIDDEN');
    }
  }
  assert.deepEqual((await post(`${server.url}/predict`, '{"data":3}')).json, { result: 9 });
  assert.equal((await post(`${server.url}/v2/repository/index`, '{}', { Via: '1.1 proxy' })).status, 200);
  assert.equal((await post(`${server.url}/v2/repository/models/square/unload`, '{}')).status, 200);
  assert.equal((await post(`${server.url}/predict/square`, '{"data":3}')).status, 503);
});
