import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readConfig } from '../../src/config/read.ts';
import { RedisBoard } from '../../src/jobs/redis/board.ts';
import { RedisSource } from '../../src/jobs/redis/source.ts';
import { openSource } from '../../src/jobs/sources.ts';
import { refusedBy, unreachable } from '../../src/jobs/unreachable.ts';
import { freePort } from '../free-port.ts';
import { NatsServer, withoutNats } from './nats/nats-server.ts';
import { newJob } from './new-job.ts';
import { RedisServer, withoutRedis } from './redis/redis-server.ts';

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

test('names what is wrong by its own cure, and falls back on none for what has let us in', () => {
  const server = { option: 'X_URL', address: 'x://h', cure: 'Start one.', cures: [[/WRONGPASS/, 'Log in.']] as const };
  const told = (tell: typeof unreachable, error: Error): string => {
    try {
      return tell(server)(error);
    } catch (thrown) {
      return (thrown as Error).message;
    }
  };
  const unknown = Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' });
  for (const [error, cure] of [
    [new Error('WRONGPASS no.'), 'Log in.'],
    [new Error('told', { cause: new Error('WRONGPASS no') }), 'Log in.'],
    [unknown, 'The name is not known here'],
    [
      Object.assign(new Error('self-signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }),
      'NODE_EXTRA_CA_CERTS',
    ],
  ] as const)
    for (const tell of [unreachable, refusedBy]) assert.ok(told(tell, error).includes(cure), told(tell, error));
  assert.equal(told(unreachable, new Error('gone')), 'X_URL (x://h): gone. Start one.');
  assert.equal(told(refusedBy, new Error('gone')), 'gone');
});

function opened(env: Record<string, string>): Promise<unknown> {
  const config = readConfig({ flags: {}, env, file: {} });
  return openSource({ config, log: { info: () => undefined, warn: () => undefined } as never });
}

test(
  'Redis: what is wrong with a login or a key; the permissions that are named are enough',
  { skip: withoutRedis },
  async (t) => {
    const redis = await RedisServer.start(t);
    await redis.ask('SET', 'text', '');
    const env = { JOB_SOURCE: 'redis', REDIS_URL: redis.url };
    await assert.rejects(opened({ ...env, JOB_QUEUE: 'text' }), /REDIS_URL .*WRONGTYPE.*choose another one/);
    await redis.ask('ACL', 'SETUSER', 'eve', 'on', `>${SECRET}`, '~other', '+@all');
    const urlFor = (password: string): string => redis.url.replace('//', `//eve:${password}@`);
    await assert.rejects(opened({ ...env, REDIS_URL: urlFor('wrong') }), /WRONGPASS.*stand in REDIS_URL/);
    let rights = '';
    await assert.rejects(opened({ ...env, REDIS_URL: urlFor(SECRET) }), ({ message }: Error) => {
      rights = /NOPERM.* ACL SETUSER <user> (.*)\.$/.exec(message)?.[1] ?? '';
      return true;
    });
    await redis.ask(
      'ACL',
      'SETUSER',
      'eve',
      'reset',
      'on',
      `>${SECRET}`,
      ...rights.replaceAll('<queue>', 'jobs').split(' '),
    );
    await serveOne(t, urlFor(SECRET));
    await redis.ask('CONFIG', 'SET', 'requirepass', SECRET);
    await assert.rejects(opened(env), /NOAUTH.*stand in REDIS_URL/);
  },
);

/** All that a server asks of Redis, but for dead letters. */
async function serveOne(t: TestContext, url: string): Promise<void> {
  const told: unknown[] = [];
  const log = { warn: (fields: unknown) => void told.push(fields) };
  const outbox = { send: () => undefined };
  const options = { url, queue: 'jobs', leaseMs: 60_000, attempts: 2, resultTtlMs: 60_000, limit: 9, outbox, log };
  const board = await RedisBoard.open(options);
  t.after(() => board.close());
  const source = await RedisSource.open(options);
  t.after(() => source.close());
  const { id } = await board.add(newJob('{}', { key: 'k' }));
  const [job] = await source.claim(1, new AbortController().signal);
  assert.ok(job !== undefined && (await source.extend(job)));
  await source.done(job, { kind: 'answered', line: Buffer.from('{}') });
  assert.equal((await board.find(id)).status, 'completed');
  assert.deepEqual(told, []);
}

test('NATS: a wrong password and no permission', { skip: withoutNats }, async (t) => {
  const users = [
    { user: 'ann', password: SECRET },
    { user: 'eve', password: SECRET, permissions: { publish: ['x'], subscribe: ['>'] } },
  ];
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-unreachable-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'nats.conf');
  await writeFile(file, JSON.stringify({ authorization: { users } }));
  const nats = await NatsServer.start(t, ['-c', file]);
  const as = (login: string) => opened({ JOB_SOURCE: 'nats', NATS_URL: nats.url.replace('//', `//${login}@`) });
  await assert.rejects(as('ann:wrong'), /NATS_URL .*Authorization Violation.*NATS_CREDS/);
  await assert.rejects(as(`eve:${SECRET}`), /NATS_URL .*Permissions Violation.*Let the user publish to/);
});

test('a server says at start which queue it cannot reach, and nothing of its Node', { timeout: 60_000 }, async (t) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-unreachable-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await mkdir(path.join(folder, 'models'));
  const address = `http://127.0.0.1:${await freePort()}`;
  // Never accepts: the node is being checked for as long as the test may take.
  const silent = createServer().listen(0, '127.0.0.1');
  t.after(() => silent.close());
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
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
      NODE_MIN_UPLOAD_MBPS: '1',
      NODE_SPEED_PLACE: 's3://bucket/speed/',
      NODE_CHECK_LIMIT_MS: '600000',
      AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${port}`,
    },
  });
  assert.equal(status, 1, stderr);
  assert.ok(stderr.includes(`JOB_SOURCE=sqs: AWS_ENDPOINT_URL_SQS (${address}): queue `), stderr);
  assert.doesNotMatch(stderr + stdout, new RegExp(SECRET));
  // Amazon's SDK would warn of Node 20 here.
  assert.doesNotMatch(stderr, /NodeVersionSupportWarning|\(node:\d+\)/);
});
