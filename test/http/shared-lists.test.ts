import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOfKey } from '../../src/config/api-keys.ts';
import { RedisServer, withoutRedis } from '../jobs/redis/redis-server.ts';
import { until } from '../until.ts';
import { ask, startTestServer } from './in-process.ts';

interface Page {
  readonly data: readonly { readonly id: string; readonly status: string; readonly custom_id: string }[];
  readonly last_id: string | null;
  readonly has_more: boolean;
}

test('a key reads the pages of its jobs at another server of the queue', { skip: withoutRedis }, async (t) => {
  const redis = await RedisServer.start(t);
  const names = ['ann', 'ben', 'boss'].map((name) => `${name}:${digestOfKey(name)}:infer`);
  const queue = { JOB_SOURCE: 'redis', JOB_QUEUE: 'jobs', REDIS_URL: redis.url };
  const env = { MODELS: 'square', ...queue, API_KEYS: `${names.join()}:manage` };
  const first = await startTestServer(env);
  t.after(() => first.drain());
  const second = await startTestServer(env);
  t.after(() => second.drain());
  const send = async (who: string, data: number): Promise<void> => {
    const body = JSON.stringify({ custom_id: `${who}${data}`, url: '/predict/square', body: { data } });
    const headers = { 'X-API-Key': who, 'Content-Type': 'application/json' };
    const { status } = await ask(`${first.url}/v1/jobs`, { method: 'POST', headers, body });
    assert.equal(status, 202);
  };
  const read = async (who: string, query: string): Promise<Page> => {
    const { status, json } = await ask(`${second.url}/v1/jobs?${query}`, { headers: { 'X-API-Key': who } });
    assert.equal(status, 200, JSON.stringify(json));
    return json as Page;
  };
  for (let data = 0; data < 5; data += 1) await send('ann', data);
  await send('ben', 0);
  const listed: string[] = [];
  let after = '';
  for (let pages = 1; pages <= 3; pages += 1) {
    const page = await read('ann', `limit=2${after}`);
    listed.push(...page.data.map(({ custom_id: name }) => name));
    assert.equal(page.has_more, pages < 3);
    after = `&after=${String(page.last_id)}`;
  }
  assert.deepEqual(listed, ['ann4', 'ann3', 'ann2', 'ann1', 'ann0']);
  await until(
    'five completed jobs',
    async () => (await read('ann', 'status=completed')).data.length === 5 || undefined,
  );
  assert.deepEqual((await read('ann', 'status=waiting')).data, []);
  assert.equal((await read('ben', '')).data[0]?.custom_id, 'ben0');
  // Also of a key that manages they are its own.
  assert.deepEqual(await read('boss', ''), {
    object: 'list',
    data: [],
    first_id: null,
    last_id: null,
    has_more: false,
  });
});
