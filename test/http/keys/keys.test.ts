import assert from 'node:assert/strict';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { digestOfKey } from '../../../src/config/api-keys.ts';
import { ask, post, type Answer } from '../in-process.ts';
import { postText, RawClient } from '../raw-client.ts';
import { startStubServer, type StubModel, type StubServer } from '../stub-services.ts';

const echo: StubModel = {
  name: 'echo',
  task: 'embeddings',
  serve: () => Promise.resolve({ json: { embedding: 'AAAAAA==', tokens: 1 } }),
};
const KEYS = {
  API_KEYS: `app:${digestOfKey('app-key')},ops:${digestOfKey('ops-key')}:manage,prom:${digestOfKey('prom-key')}:metrics`,
};

function bearer(key: string): Record<string, string> {
  return { Authorization: `Bearer ${key}` };
}

async function keysFile(t: TestContext, keys: readonly object[]): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'carpool-keys-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'keys.json');
  await writeFile(file, JSON.stringify({ keys }));
  return file;
}

async function replace(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}

test('without keys nobody is asked for one', async () => {
  await using server = await startStubServer([echo]);
  assert.equal((await post(`${server.url}/predict/echo`, '{"data":1}')).status, 200);
  assert.equal(server.keys, undefined);
});

test('a key is taken from each of its headers, whatever else a gateway sends', async () => {
  await using server = await startStubServer([echo], KEYS);
  for (const headers of [
    bearer('app-key'),
    { authorization: 'bearer   app-key ' },
    { 'X-API-Key': 'app-key' },
    { 'Salad-Api-Key': 'app-key' },
    { 'Salad-Api-Key': 'key-of-the-gateway', ...bearer('app-key') },
    { ...bearer('none'), 'X-API-Key': 'app-key' },
    { Authorization: 'Basic YTpi', 'X-API-Key': 'app-key' },
  ])
    assert.equal(
      (await post(`${server.url}/predict/echo`, '{"data":1}', headers)).status,
      200,
      JSON.stringify(headers),
    );
});

test('a request without a valid key is refused in the shape of its dialect, before its body', async () => {
  await using server = await startStubServer([echo], KEYS);
  const missing = 'An API key is missing: send it as `Authorization: Bearer <key>` or `X-API-Key: <key>`.';
  for (const [route, body] of [
    ['/predict/echo', { error: missing, code: 'UNAUTHORIZED' }],
    ['/v2/models/echo/infer', { error: missing, code: 'UNAUTHORIZED' }],
    ['/embed', { error: missing, code: 'UNAUTHORIZED', error_type: 'Validation' }],
    ['/v1/embeddings', { error: { message: missing, type: 'invalid_request_error', param: null, code: null } }],
    ['/nowhere', { error: missing, code: 'UNAUTHORIZED' }],
  ] as const) {
    const client = new RawClient(server.port);
    client.send(`POST ${route} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{`);
    const answer = await client.answer();
    client.socket.destroy();
    assert.equal(answer?.status, 401, route);
    assert.equal(answer.headers['www-authenticate'], 'Bearer realm="carpool"');
    assert.deepEqual(JSON.parse(answer.body), body);
  }
  for (const key of ['App-key', 'app-key2', 'app-ke', 'x'.repeat(10_000), 'schlüssel']) {
    const answer = await post(`${server.url}/v1/embeddings`, '{"input":"a"}', bearer(encodeURI(key)));
    assert.equal(answer.status, 401, key);
    assert.equal(answer.headers.get('www-authenticate'), 'Bearer realm="carpool", error="invalid_token"');
    assert.equal((answer.json as { error: { code: string } }).error.code, 'invalid_api_key');
  }
});

test('a key is no key in a URL, a cookie or another scheme', async () => {
  await using server = await startStubServer([echo], KEYS);
  for (const [query, headers] of [
    ['?api_key=app-key&key=app-key&access_token=app-key', {}],
    ['', { Cookie: 'api_key=app-key; Authorization=Bearer app-key' }],
    ['', { Authorization: 'Basic app-key' }],
    ['', { Authorization: 'app-key' }],
    ['', { 'Proxy-Authorization': 'Bearer app-key' }],
    ['', { 'X-API-Key': 'Bearer app-key' }],
    ['', { 'X-API-Key': '' }],
    ['', { Authorization: 'Bearer ' }],
  ] as const)
    assert.equal((await post(`${server.url}/predict/echo${query}`, '{"data":1}', headers)).status, 401);
});

test('a header of a key that comes twice is refused, whichever of them is right', async () => {
  await using server = await startStubServer([echo], KEYS);
  for (const name of ['Authorization', 'X-API-Key', 'Salad-Api-Key', 'x-api-KEY'])
    for (const [one, other] of [
      ['app-key', 'wrong'],
      ['wrong', 'app-key'],
      ['app-key', 'app-key'],
    ]) {
      const scheme = name === 'Authorization' ? 'Bearer ' : '';
      const client = new RawClient(server.port);
      client.send(
        postText('/predict/echo', '{"data":1}', {
          [name]: `${scheme}${one}\r\n${name.toLowerCase()}: ${scheme}${other}`,
        }),
      );
      const answer = await client.answer();
      client.socket.destroy();
      assert.equal(answer?.status, 400);
      assert.match(answer.body, /must not have more than one/);
    }
});

test('the hash of nothing lets nobody in', async () => {
  await using server = await startStubServer([echo], { API_KEYS: `none:${digestOfKey('')}` });
  for (const headers of [{}, { 'X-API-Key': '' }, { 'Salad-Api-Key': ' ' }, { Authorization: 'Bearer  ' }])
    assert.equal((await post(`${server.url}/predict/echo`, '{"data":1}', headers)).status, 401);
});

test('a key may hold letters beyond ASCII, as bytes of UTF-8', async () => {
  await using server = await startStubServer([echo], { API_KEY: 'schlüssel-鍵' });
  const client = new RawClient(server.port);
  client.send(Buffer.from(postText('/predict/echo', '{"data":1}', { 'X-API-Key': 'schlüssel-鍵' })));
  assert.equal((await client.answer())?.status, 200);
  client.socket.destroy();
});

test('probes and preflights are open; everything else is for the scopes of the key', async () => {
  await using server = await startStubServer([echo], { ...KEYS, MANAGEMENT: 'any', CORS_ORIGINS: '*' });
  const statuses = async (route: string, init: RequestInit = {}): Promise<number[]> => {
    const all = [{}, bearer('app-key'), bearer('ops-key'), bearer('prom-key')];
    const answers: Answer[] = [];
    for (const headers of all) answers.push(await ask(server.url + route, { ...init, headers }));
    return answers.map(({ status }) => status);
  };
  const posted = { method: 'POST', body: '{"data":1}' };
  for (const probe of ['/health', '/ready', '/started', '/v2/health/live', '/v2/health/ready', '/hc'])
    assert.deepEqual(await statuses(probe), [200, 200, 200, 200], probe);
  assert.deepEqual(await statuses('/predict/echo', { method: 'OPTIONS' }), [204, 204, 204, 204]);
  assert.deepEqual(await statuses('/predict/echo', posted), [401, 200, 403, 403]);
  assert.deepEqual(await statuses('/metrics'), [401, 403, 403, 200]);
  assert.deepEqual(await statuses('/v1/models'), [401, 200, 200, 200]);
  assert.deepEqual(await statuses('/v1/jobs'), [401, 404, 403, 403]);
  assert.deepEqual(await statuses('/v1/files'), [401, 404, 403, 403]);
  assert.deepEqual(await statuses('/v1/batches', { method: 'POST', body: '{}' }), [401, 404, 403, 403]);
  assert.deepEqual(await statuses('/nowhere'), [401, 404, 404, 404]);
  const unload = '/v2/repository/models/echo/unload';
  assert.deepEqual((await statuses(unload, { method: 'POST', body: '[]' })).slice(0, 2), [401, 403]);
  assert.equal((await post(server.url + unload, '[]', bearer('ops-key'))).status, 400);
  const { json } = await post(`${server.url}/v1/embeddings`, '{"input":"a"}', bearer('ops-key'));
  assert.equal((json as { error: { code: string } }).error.code, 'insufficient_scope');
});

test('a job of the queue worker needs no key on SaladCloud, and nowhere else', async () => {
  const job = { 'Salad-Job-Id': 'job-1' };
  await using away = await startStubServer([echo], KEYS);
  assert.equal((await post(`${away.url}/predict/echo`, '{"data":1}', job)).status, 401);
  await using server = await startStubServer([echo], { ...KEYS, SALAD_MACHINE_ID: 'node' });
  assert.equal((await post(`${server.url}/predict/echo`, '{"data":1}', job)).status, 200);
  for (const more of [{ 'X-Forwarded-For': '192.0.2.1' }, { Via: '1.1 gateway' }, { Host: 'models.example' }])
    assert.equal(await rawPost(server, '/predict/echo', { ...job, ...more }), 401);
  assert.equal((await post(`${server.url}/v2/repository/models/echo/load`, '{}', job)).status, 401);
  // What belongs to keys is not for a request that has none.
  for (const path of ['/metrics', '/v1/jobs', '/v1/files', '/v1/batches'])
    assert.equal((await ask(server.url + path, { headers: job })).status, 401, path);
  assert.equal((await post(`${server.url}/v1/jobs`, '{}', job)).status, 401);
});

async function rawPost(
  server: StubServer,
  route: string,
  headers: Record<string, string>,
): Promise<number | undefined> {
  const client = new RawClient(server.port);
  client.send(postText(route, '{"data":1}', headers));
  const answer = await client.answer();
  client.socket.destroy();
  return answer?.status;
}

test('limits of a key refuse its requests, before the body, and no others', async (t) => {
  const API_KEYS_FILE = await keysFile(t, [
    { name: 'slow', sha256: digestOfKey('slow'), requestsPerSecond: 0.001, burst: 2 },
    { name: 'poor', sha256: digestOfKey('poor'), itemsPerDay: 2 },
    { name: 'free', sha256: digestOfKey('free') },
  ]);
  await using server = await startStubServer([echo], { API_KEYS_FILE });
  const send = (key: string, body = '{"data":1}'): Promise<Answer> =>
    post(`${server.url}/predict/echo`, body, bearer(key));
  assert.deepEqual([(await send('slow')).status, (await send('slow')).status], [200, 200]);
  const refused = await send('slow');
  assert.equal(refused.status, 429);
  assert.ok(Number(refused.headers.get('retry-after')) > 900);
  assert.equal((refused.json as { code: string }).code, 'RATE_LIMITED');
  assert.equal((await ask(`${server.url}/v1/models`, { headers: bearer('slow') })).status, 200);
  assert.equal((await send('poor', '{"items":[1,2,3]}')).status, 200);
  const used = await post(`${server.url}/v1/embeddings`, '{"input":"a"}', bearer('poor'));
  assert.deepEqual([used.status, used.headers.get('x-should-retry')], [429, 'false']);
  assert.equal((used.json as { error: { type: string } }).error.type, 'insufficient_quota');
  assert.equal((await send('free')).status, 200);
});

test('what a full server refuses is not charged', async (t) => {
  const API_KEYS_FILE = await keysFile(t, [{ name: 'app', sha256: digestOfKey('app'), requestsPerDay: 3 }]);
  const full: StubModel = { ...echo, name: 'full', task: 'chat', isFull: true };
  await using server = await startStubServer([echo, full], { API_KEYS_FILE });
  for (let count = 0; count < 5; count += 1) {
    const { json } = await post(`${server.url}/predict/full`, '{"data":1}', bearer('app'));
    assert.equal((json as { code: string }).code, 'QUEUE_FULL');
  }
  assert.equal((await post(`${server.url}/predict/echo`, '{"data":1}', bearer('app'))).status, 200);
});

test('a changed file is in force at once, and a broken one is not', async (t) => {
  const entry = (name: string, more: object = {}): object => ({ name, sha256: digestOfKey(name), ...more });
  const API_KEYS_FILE = await keysFile(t, [entry('one', { requestsPerDay: 2 })]);
  await using server = await startStubServer([echo], { API_KEYS_FILE });
  const status = async (key: string): Promise<number> =>
    (await post(`${server.url}/predict/echo`, '{"data":1}', bearer(key))).status;
  assert.deepEqual([await status('one'), await status('two')], [200, 401]);
  for (const broken of ['', '{"keys":[', '{"keys":[{"name":"two"}]}']) {
    await replace(API_KEYS_FILE, broken);
    await server.keys?.refresh();
    assert.equal(await status('two'), 401);
  }
  await rm(API_KEYS_FILE);
  await server.keys?.refresh();
  await replace(API_KEYS_FILE, JSON.stringify({ keys: [entry('one', { requestsPerDay: 2 }), entry('two')] }));
  await server.keys?.refresh();
  assert.deepEqual([await status('two'), await status('one'), await status('one')], [200, 200, 429]);
  await replace(API_KEYS_FILE, JSON.stringify({ keys: [entry('two')] }));
  await server.keys?.refresh();
  assert.deepEqual([await status('one'), await status('two')], [401, 200]);
  const told = server.logLines.map((line) => (JSON.parse(line) as { msg: string }).msg);
  const of = (words: string): number => told.filter((msg) => msg.includes(words)).length;
  assert.deepEqual([of('are not taken'), of('are in force')], [4, 2]);
});

test('logs and metrics have the name of a key, and never the key', async () => {
  const server = await startStubServer([echo], { ...KEYS, LOG_LEVEL: 'debug' });
  const headers = { ...bearer('app-key'), 'X-API-Key': 'another-secret', 'X-Request-Id': 'r-1' };
  await post(`${server.url}/predict/echo?api_key=app-key`, '{"items":[1,2]}', headers);
  await ask(`${server.url}/v1/models?api_key=app-key`, { headers });
  await ask(`${server.url}/metrics`, { headers });
  const info = await ask(`${server.url}/info`, { headers });
  const text = await server.metricsText();
  await server[Symbol.asyncDispose]();
  const all = [server.logLines.join('\n'), text, Buffer.from(info.bytes).toString()].join('\n');
  for (const secret of ['app-key', 'another-secret', digestOfKey('app-key')])
    assert.doesNotMatch(all, new RegExp(secret));
  const lines = server.logLines.map((line) => JSON.parse(line) as { key?: string; path?: string });
  for (const route of ['/predict/echo', '/v1/models', '/metrics'])
    assert.equal(lines.find((line) => line.path === route)?.key, 'app', route);
  assert.match(text, /^carpool_key_requests_total\{key="app",code="200"\} 3$/m);
  assert.match(text, /^carpool_key_requests_total\{key="app",code="403"\} 1$/m);
  assert.match(text, /^carpool_key_items_total\{key="app"\} 2$/m);
  assert.match(text, /^carpool_key_refusals_total\{key="app",reason="FORBIDDEN"\} 1$/m);
});

test('the key gives the priority of requests that name none', async (t) => {
  const API_KEYS_FILE = await keysFile(t, [{ name: 'late', sha256: digestOfKey('late'), priority: 3 }]);
  await using server = await startStubServer([echo], { API_KEYS_FILE });
  const bad = await post(`${server.url}/predict/echo`, '{"data":1}', { ...bearer('late'), 'X-Request-Priority': '4' });
  assert.equal(bad.status, 400);
  assert.equal((await post(`${server.url}/predict/echo`, '{"data":1}', bearer('late'))).status, 200);
});
