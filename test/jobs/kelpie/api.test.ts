import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { systemClock } from '../../../src/core/clock.ts';
import { KelpieApi, KelpieError } from '../../../src/jobs/kelpie/api.ts';
import { credentialsOf, type Credentials } from '../../../src/jobs/kelpie/credentials.ts';
import { MockKelpie, type Fault } from './mock-api.ts';

const RUNNING = new AbortController().signal;
const KEY: Credentials = () => Promise.resolve({ 'X-Kelpie-Key': 'key' });

function apiAt(url: string, credentials = KEY): KelpieApi {
  const who = { machineId: 'm1', containerGroupId: 'g' };
  return new KelpieApi({ url: `${url}/`, credentials, ...who, clock: systemClock, retryMs: 1 });
}

async function mockOf(t: TestContext, faults: readonly (Fault | undefined)[] = []) {
  const left = [...faults];
  let calls = 0;
  const mock = await MockKelpie.start({
    keys: ['key', 'salad', 'jwt-1', 'jwt-2'],
    fault() {
      calls += 1;
      return left.shift();
    },
  });
  t.after(() => mock[Symbol.asyncDispose]());
  return { mock, api: apiAt(mock.url), calls: () => calls };
}

test('a call identifies itself in one of three ways, and asks for a new token each time', async (t) => {
  const { mock } = await mockOf(t);
  const none = { kelpieApiKey: '', saladApiKey: '', organization: 'org', project: 'proj' };
  let tokens = 0;
  const node = { token: () => Promise.resolve(`jwt-${(tokens += 1)}`) };
  const headersOf = async (credentials: Credentials): Promise<unknown[]> => {
    await apiAt(mock.url, credentials).work(RUNNING);
    const { authorization, ...seen } = mock.lastHeaders;
    return [
      seen['x-kelpie-key'],
      seen['salad-api-key'],
      seen['salad-organization'],
      seen['salad-project'],
      authorization,
    ];
  };
  const gone = undefined;
  assert.deepEqual(await headersOf(credentialsOf({ ...none, kelpieApiKey: 'key', saladApiKey: 'salad' }, node)), [
    'key',
    gone,
    gone,
    gone,
    gone,
  ]);
  assert.deepEqual(await headersOf(credentialsOf({ ...none, saladApiKey: 'salad' }, node)), [
    gone,
    'salad',
    'org',
    'proj',
    gone,
  ]);
  const byToken = credentialsOf(none, node);
  assert.deepEqual(await headersOf(byToken), [gone, gone, gone, 'proj', 'Bearer jwt-1']);
  assert.deepEqual(await headersOf(byToken), [gone, gone, gone, 'proj', 'Bearer jwt-2']);
});

test('what is missing to identify is named', () => {
  const none = { kelpieApiKey: '', saladApiKey: '', organization: '', project: '' };
  assert.throws(() => credentialsOf(none, undefined), /KELPIE_API_KEY, or SALAD_PROJECT_NAME/);
  assert.throws(() => credentialsOf({ ...none, project: 'p', saladApiKey: 's' }, undefined), /SALAD_ORGANIZATION_NAME/);
  assert.throws(() => credentialsOf({ ...none, project: 'p' }, undefined), /no token/);
});

test('a call that fails is made three times', async (t) => {
  const { mock, api, calls } = await mockOf(t, ['error', 'break', undefined, 'error', 'break', 'error']);
  const { id } = mock.add({ command: 'true', container_group_id: 'g', sync: {} });
  const [job] = await api.work(RUNNING);
  assert.equal(job?.id, id);
  assert.equal(calls(), 3);
  await assert.rejects(api.heartbeat(id), /Kelpie \/jobs\/.*\/heartbeat: status 500/);
  assert.equal(calls(), 6);
});

test('a call that is refused is made once, and the refusal, which is text, is told without the key', async (t) => {
  const { mock, calls } = await mockOf(t);
  const api = apiAt(mock.url, () => Promise.resolve({ 'X-Kelpie-Key': 'wrong-key' }));
  await assert.rejects(api.check(), (error: unknown) => {
    assert.ok(error instanceof KelpieError);
    assert.equal(error.status, 403);
    assert.match(error.message, /Invalid API Key/);
    assert.doesNotMatch(error.message, /wrong-key/);
    return true;
  });
  assert.equal(calls(), 1);
});

test('a heartbeat tells the status, also of a job that is gone or another machine has', async (t) => {
  const { mock, api } = await mockOf(t);
  const job = mock.add({ command: 'true', container_group_id: 'g', sync: {} });
  await api.work(RUNNING);
  assert.equal(await api.heartbeat(job.id), 'running');
  job.machine_id = 'm2';
  assert.equal(await api.heartbeat(job.id), 'canceled');
  assert.equal(await api.heartbeat('a/../b'), undefined);
});

test('after the signal nothing is tried again, but an answer on its way is taken', async (t) => {
  const { mock, api, calls } = await mockOf(t, ['error', { delayMs: 100 }]);
  mock.add({ command: 'true', container_group_id: 'g', sync: {} });
  await assert.rejects(api.work(AbortSignal.abort()), /status 500/);
  assert.equal(calls(), 1);
  const stop = new AbortController();
  const asked = api.work(stop.signal);
  stop.abort();
  assert.equal((await asked).length, 1);
});

test('an answer that is no list of jobs, does not end or leads elsewhere is an error', async (t) => {
  const chunk = Buffer.alloc(2 ** 20, 0x20);
  const server = createServer((request, response) => {
    if (request.url?.startsWith('/jobs') === true) response.writeHead(302, { Location: 'http://127.0.0.1:1/' }).end();
    else if (request.url?.includes('/completed') === true) response.end();
    else if (request.headers['x-kelpie-key'] === 'key') response.end('{"id":1}');
    else {
      const more = (): void => {
        response.write(chunk, () => {
          if (!response.destroyed) more();
        });
      };
      more();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await assert.rejects(apiAt(url).work(RUNNING), /unexpected answer/);
  await assert.rejects(apiAt(url).check(), /redirect/);
  await assert.rejects(apiAt(url, () => Promise.resolve({})).work(RUNNING), /longer than 16777216 bytes/);
});
