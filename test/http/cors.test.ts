import assert from 'node:assert/strict';
import test from 'node:test';
import { startTestServer } from './in-process.ts';

const APP = 'https://app.example.com';
const PREFLIGHT = {
  'Access-Control-Request-Method': 'POST',
  'Access-Control-Request-Headers': 'content-type,authorization',
};

test('without CORS_ORIGINS no page of another origin may read anything', async () => {
  await using server = await startTestServer({ MODELS: 'square' });
  for (const method of ['GET', 'OPTIONS']) {
    const { headers } = await fetch(`${server.url}/info`, { method, headers: { Origin: APP, ...PREFLIGHT } });
    for (const name of headers.keys()) assert.doesNotMatch(name, /access-control/);
    assert.doesNotMatch(headers.get('vary') ?? '', /Origin/);
  }
});

test('an origin of CORS_ORIGINS may ask, and read replies and their headers; no other may', async () => {
  await using server = await startTestServer({ MODELS: 'square', CORS_ORIGINS: `${APP},http://localhost:3000` });
  const call = (path: string, init: RequestInit & { headers: Record<string, string> }) =>
    fetch(server.url + path, init);
  const preflight = await call('/predict', { method: 'OPTIONS', headers: { Origin: APP, ...PREFLIGHT } });
  assert.equal(preflight.status, 204);
  assert.deepEqual(
    ['origin', 'methods', 'headers', 'credentials'].map((name) =>
      preflight.headers.get(`access-control-allow-${name}`),
    ),
    [APP, 'POST, OPTIONS', 'content-type,authorization', null],
  );
  assert.equal(preflight.headers.get('access-control-max-age'), '7200');
  const json = { 'Content-Type': 'application/json', 'Accept-Encoding': 'gzip' };
  const reply = await call('/predict', { method: 'POST', body: '{"data":3}', headers: { Origin: APP, ...json } });
  assert.equal(await reply.text(), '{"result":9}');
  assert.equal(reply.headers.get('access-control-allow-origin'), APP);
  assert.match(reply.headers.get('access-control-expose-headers') ?? '', /X-Request-Id/);
  assert.equal(reply.headers.get('vary'), 'Origin, Accept, Accept-Encoding');
  // Errors and probes are replies, too.
  for (const path of ['/nowhere', '/health', '/predict', '/v1/models']) {
    const { headers } = await call(path, { headers: { Origin: 'http://localhost:3000' } });
    assert.equal(headers.get('access-control-allow-origin'), 'http://localhost:3000', path);
  }
  // A page can read a 404 only if its preflight succeeds; other clients learn of no methods there.
  const nowhere = { method: 'OPTIONS', headers: { Origin: APP, ...PREFLIGHT } };
  assert.equal((await call('/v1/nowhere', nowhere)).status, 204);
  assert.equal((await call('/v1/nowhere', { method: 'OPTIONS', headers: {} })).status, 404);
  for (const Origin of ['https://evil.example', 'null', `${APP}.evil.example`, 'http://app.example.com', `${APP}:8443`])
    for (const [path, method] of [
      ['/predict', 'OPTIONS'],
      ['/info', 'GET'],
    ] as const) {
      const { headers } = await call(path, { method, headers: { Origin, ...PREFLIGHT } });
      for (const name of headers.keys()) assert.doesNotMatch(name, /access-control/);
      assert.equal(headers.get('vary'), 'Origin');
    }
});

test('with CORS_ORIGINS=* all origins may read, and none may manage', async () => {
  await using server = await startTestServer({ MODELS: 'square', CORS_ORIGINS: '*', MODEL_CONTROL: 'explicit' });
  const reply = await fetch(`${server.url}/health`, { headers: { Origin: APP } });
  assert.equal(reply.headers.get('access-control-allow-origin'), '*');
  assert.equal(reply.headers.get('vary'), null);
  const unload = await fetch(`${server.url}/v2/repository/models/square/unload`, {
    method: 'POST',
    headers: { Origin: APP },
  });
  assert.equal(unload.status, 403);
});
