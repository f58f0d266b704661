import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readConfig } from '../../src/config/read.ts';
import { openSource } from '../../src/jobs/sources.ts';
import { unreachable } from '../../src/jobs/unreachable.ts';
import { freePort } from '../free-port.ts';

const CLI = fileURLToPath(new URL('../../src/cli.js', import.meta.url));
const SECRET = 'topsecret';

function messageFor(address: string, error: unknown = new Error('connection refused')): string {
  try {
    return unreachable({ option: 'NATS_URL', address, cure: 'Start one.' })(error);
  } catch (thrown) {
    return (thrown as Error).message;
  }
}

test('shows each address without what stands before the @, its path or its query', () => {
  const address = `nats://user:${SECRET}@one:4222, ${SECRET}@two:4222,tls://u:to/p${SECRET}@x@three,redis://four:1/0?p=${SECRET}`;
  assert.equal(
    messageFor(address),
    'NATS_URL (nats://one:4222, two:4222, tls://three, redis://four:1): connection refused. Start one.',
  );
});

test('tells of each address of a name that was tried', () => {
  const error = new AggregateError([
    new Error('connect ECONNREFUSED ::1:1'),
    new Error('connect ECONNREFUSED 127.0.0.1:1'),
  ]);
  assert.match(messageFor('nats://localhost:1', error), /: connect ECONNREFUSED ::1:1; connect ECONNREFUSED 127/);
});

const sqs = {
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'id',
  AWS_SECRET_ACCESS_KEY: SECRET,
};
const queues: readonly [string, string, (port: number) => Record<string, string>][] = [
  ['redis', 'REDIS_URL', (port) => ({ REDIS_URL: `redis://:${SECRET}@127.0.0.1:${port}` })],
  ['nats', 'NATS_URL', (port) => ({ NATS_URL: `nats://me:${SECRET}@127.0.0.1:${port}` })],
  ['sqs', 'JOB_QUEUE', (port) => ({ JOB_QUEUE: `http://127.0.0.1:${port}/1/jobs`, JOB_RESULTS_QUEUE: 'results' })],
];

for (const [source, option, envFor] of queues)
  test(
    `a queue that cannot be reached is told by ${option} and its address (${source})`,
    { timeout: 60_000 },
    async () => {
      // The SDK reads its own variables.
      Object.assign(process.env, sqs);
      const port = await freePort();
      const config = readConfig({ flags: {}, env: { JOB_SOURCE: source, ...envFor(port) }, file: {} });
      const told: unknown[] = [];
      const log = { info: () => undefined, warn: (...parts: unknown[]) => void told.push(parts) } as never;
      await assert.rejects(openSource({ config, log }), ({ message }: Error) => {
        assert.ok(message.startsWith(`${option} (`) && message.includes(`127.0.0.1:${port}): `), message);
        assert.match(message, /\. Start an? .* server there, or /);
        assert.doesNotMatch(message + JSON.stringify(told), new RegExp(SECRET));
        return true;
      });
    },
  );

test('a server says at start which queue it cannot reach, and nothing of its Node', { timeout: 60_000 }, async (t) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-unreachable-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await mkdir(path.join(folder, 'models'));
  const address = `http://127.0.0.1:${await freePort()}`;
  const { status, stderr, stdout } = spawnSync(process.execPath, [CLI, 'work'], {
    encoding: 'utf8',
    timeout: 50_000,
    cwd: folder,
    env: {
      ...sqs,
      PATH: process.env['PATH'],
      MODELS_DIR: path.join(folder, 'models'),
      DEVICE: 'cpu',
      HOST: '127.0.0.1',
      PORT: '0',
      JOB_SOURCE: 'sqs',
      JOB_RESULTS_QUEUE: 'results',
      AWS_ENDPOINT_URL_SQS: address,
    },
  });
  assert.equal(status, 1, stderr);
  assert.ok(stderr.includes(`JOB_SOURCE=sqs: AWS_ENDPOINT_URL_SQS (${address}): queue `), stderr);
  assert.doesNotMatch(stderr + stdout, new RegExp(SECRET));
  // Amazon's SDK would warn of Node 20 here.
  assert.doesNotMatch(stderr, /NodeVersionSupportWarning|\(node:\d+\)/);
});
