import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandEnvironment } from '../../src/config/environment.ts';

test('programs of jobs get the keys of a bucket, but none of the secrets that are options of the server', (t) => {
  const before = { ...process.env };
  t.after(() => {
    process.env = before;
  });
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: 'key',
    REDIS_URL: 'redis://:hidden@host',
    HF_TOKEN: 'hidden',
    OWN: 'x',
  });
  const { AWS_ACCESS_KEY_ID, REDIS_URL, HF_TOKEN, OWN } = commandEnvironment();
  assert.deepEqual([AWS_ACCESS_KEY_ID, REDIS_URL, HF_TOKEN, OWN], ['key', undefined, undefined, 'x']);
});
