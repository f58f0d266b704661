import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { RedisSource, type RedisJob, type RedisOptions } from '../../../src/jobs/redis/source.ts';
import type { JobResult, ResultKind } from '../../../src/jobs/result.ts';
import { LeaseLostError } from '../../../src/jobs/source.ts';
import { until } from '../../until.ts';
import { RedisServer, withoutRedis } from './redis-server.ts';

const only = { skip: withoutRedis };
const RUNNING = new AbortController().signal;

async function rig(t: TestContext) {
  const server = await RedisServer.start(t);
  const open = async (more: Partial<RedisOptions> = {}): Promise<RedisSource> => {
    const options = { url: server.url, queue: 'jobs', leaseMs: 300, attempts: 3, resultTtlMs: 60_000, ...more };
    const source = await RedisSource.open({ log: { warn: () => undefined } as never, ...options });
    t.after(() => source.close().catch(() => undefined));
    return source;
  };
  const add = (text: string): Promise<string> => server.ask('XADD', 'jobs', '*', 'job', text) as Promise<string>;
  return { server, open, add };
}

async function claimOne(source: RedisSource): Promise<RedisJob> {
  for (let tries = 0; tries < 50; tries += 1) {
    const [job] = await source.claim(1, RUNNING);
    if (job !== undefined) return job;
  }
  throw new Error('there is no job');
}

const result = (kind: ResultKind): JobResult => ({ kind, line: Buffer.from(`"${kind}"`) });

test('a job is claimed by one server, and its result lies under its id', only, async (t) => {
  const { open, add, server } = await rig(t);
  const [first, second] = [await open({ leaseMs: 60_000 }), await open({ leaseMs: 60_000 })];
  const ids = [await add('a'), await add('b')];
  const [a] = await first.claim(1, RUNNING);
  const [b, none] = await second.claim(10, RUNNING);
  assert.deepEqual(
    [a, b].map((job) => Buffer.from(job?.bytes ?? []).toString()),
    ['a', 'b'],
  );
  assert.equal(none, undefined);
  assert.ok(a);
  await first.done(a, result('answered'));
  assert.equal(await server.ask('GET', `jobs:result:${ids[0]}`), '"answered"');
  assert.ok(Number(await server.ask('PTTL', `jobs:result:${ids[0]}`)) > 0);
  assert.equal(await server.ask('XLEN', 'jobs'), 1);
});

test('a job waits while there is none', only, async (t) => {
  const { open, add } = await rig(t);
  const source = await open();
  const claimed = claimOne(source);
  await add('a');
  assert.equal(Buffer.from((await claimed).bytes).toString(), 'a');
});

test(
  'what a dead server held is taken over when its lease has ended, and only one result is stored',
  only,
  async (t) => {
    const { open, add, server } = await rig(t);
    const [slow, quick] = [await open(), await open()];
    const id = await add('a');
    const held = await claimOne(slow);
    const taken = await claimOne(quick);
    assert.equal(taken.id, id);
    assert.equal(taken.deliveries, 2);
    await quick.done(taken, result('answered'));
    await assert.rejects(slow.done(held, result('refused')), LeaseLostError);
    assert.equal(await server.ask('GET', `jobs:result:${id}`), '"answered"');
  },
);

test('a claim that is extended is not taken over; one that was taken over cannot be extended', only, async (t) => {
  const { open, add } = await rig(t);
  const [first, second] = [await open({ leaseMs: 3000 }), await open({ leaseMs: 3000 })];
  await add('a');
  const held = await claimOne(first);
  const extending = setInterval(() => void first.extend(held).catch(() => undefined), 250);
  t.after(() => clearInterval(extending));
  // Each waits for half of the lease.
  for (let step = 0; step < 3; step += 1) assert.deepEqual(await second.claim(1, RUNNING), []);
  clearInterval(extending);
  await claimOne(second);
  assert.equal(await first.extend(held), false);
});

test('a job that is given back is for another server at once, or after the delay', only, async (t) => {
  const { open, add } = await rig(t);
  const [first, second] = [await open({ leaseMs: 60_000 }), await open({ leaseMs: 60_000 })];
  await add('a');
  await first.giveBack(await claimOne(first), 0);
  const again = await claimOne(second);
  assert.equal(again.deliveries, 1);
  await second.giveBack(again, 59_000);
  await add('b');
  assert.equal(Buffer.from((await claimOne(first)).bytes).toString(), 'b');
});

test(
  'a failed job comes again, and is a dead letter after the last attempt; so is what cannot be read',
  only,
  async (t) => {
    const { open, add, server } = await rig(t);
    const source = await open({ attempts: 2 });
    const id = await add('a');
    await source.done(await claimOne(source), result('failed'));
    assert.equal(await server.ask('EXISTS', 'jobs:dead'), 0);
    await source.done(await claimOne(source), result('failed'));
    await server.ask('XADD', 'jobs', '*', 'other', 'x');
    const strange = await claimOne(source);
    assert.match(strange.problem ?? '', /no field `job`/);
    await source.done(strange, result('unreadable'));
    const dead = (await server.ask('XRANGE', 'jobs:dead', '-', '+')) as [string, string[]][];
    assert.deepEqual(dead[0]?.[1], ['job', 'a', 'result', '"failed"', 'deliveries', '2', 'id', id]);
    assert.deepEqual(dead[1]?.[1].slice(0, 4), ['job', '["other","x"]', 'result', '"unreadable"']);
    assert.equal(await server.ask('XLEN', 'jobs'), 0);
  },
);

test('a job that no server has lived to report is not tried for ever', only, async (t) => {
  const { open, add } = await rig(t);
  await add('a');
  for (let deaths = 0; deaths < 2; deaths += 1) {
    const held = await claimOne(await open({ attempts: 2 }));
    assert.equal(held.problem, undefined);
  }
  assert.match((await claimOne(await open({ attempts: 2 }))).problem ?? '', /in 2 attempts/);
});

test('a claim ends when it is told to', only, async (t) => {
  const { open } = await rig(t);
  const source = await open({ leaseMs: 60_000 });
  const stop = new AbortController();
  const claimed = source.claim(1, stop.signal);
  setTimeout(() => stop.abort(), 50);
  assert.deepEqual(await claimed, []);
});

test('while Redis is away claims fail, and after its restart work goes on', only, async (t) => {
  const { open, add, server } = await rig(t);
  const source = await open();
  const id = await add('a');
  const held = await claimOne(source);
  await server.kill();
  await assert.rejects(source.claim(1, RUNNING));
  await assert.rejects(source.done(held, result('answered')));
  await server.restart();
  await until('a result', async () => {
    try {
      await source.done(await claimOne(source), result('answered'));
      return true;
    } catch {
      return undefined;
    }
  });
  assert.equal(await server.ask('GET', `jobs:result:${id}`), '"answered"');
});

test('a stream that was deleted is made again', only, async (t) => {
  const { open, add, server } = await rig(t);
  const source = await open();
  await server.ask('DEL', 'jobs');
  assert.deepEqual(await source.claim(1, RUNNING), []);
  await add('a');
  assert.equal(Buffer.from((await claimOne(source)).bytes).toString(), 'a');
});

test('a server that is not there is told at once', only, async (t) => {
  const { server, open } = await rig(t);
  await server.kill();
  await assert.rejects(open(), /ECONNREFUSED/);
});

test(
  'Redis does not keep the consumers of servers that have stopped or died, but those that hold a job',
  only,
  async (t) => {
    const { open, add, server } = await rig(t);
    const consumers = async (): Promise<number> =>
      ((await server.ask('XINFO', 'CONSUMERS', 'jobs', 'carpool')) as unknown[]).length;
    await add('a');
    await add('b');
    const [stopping, holding, dead] = [await open(), await open({ leaseMs: 60_000 }), await open({ leaseMs: 60_000 })];
    await stopping.done(await claimOne(stopping), result('answered'));
    await claimOne(holding);
    await add('c');
    await dead.done(await claimOne(dead), result('answered'));
    assert.equal(await consumers(), 3);
    await stopping.close();
    assert.equal(await consumers(), 2);
    // It has a job, which Redis would forget with it.
    await holding.close();
    assert.equal(await consumers(), 2);
    // For this server every other one has been silent for too long.
    await open({ silentMs: -1 });
    assert.equal(await consumers(), 1);
    assert.equal(((await server.ask('XPENDING', 'jobs', 'carpool')) as unknown[])[0], 1);
  },
);
