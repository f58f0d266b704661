import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { RetentionPolicy } from '@nats-io/jetstream';
import { QueueGoneError } from '../../../src/jobs/nats/queue.ts';
import { NatsSource, type NatsJob, type NatsOptions } from '../../../src/jobs/nats/source.ts';
import type { JobResult, ResultKind } from '../../../src/jobs/result.ts';
import { LeaseLostError } from '../../../src/jobs/source.ts';
import { until } from '../../until.ts';
import { lastOf, NatsServer, withoutNats } from './nats-server.ts';

const only = { skip: withoutNats };
const RUNNING = new AbortController().signal;

async function rig(t: TestContext, flags: readonly string[] = []) {
  const server = await NatsServer.start(t, flags);
  const open = async (more: Partial<NatsOptions> = {}, warnings: string[] = []): Promise<NatsSource> => {
    const log = { warn: (...line: unknown[]) => warnings.push(String(line.at(-1))) };
    const address = { url: server.url, credsFile: '', caFile: '' };
    const options = { address, queue: 'jobs', leaseMs: 60_000, attempts: 3, resultTtlMs: 60_000, ...more };
    const source = await NatsSource.open({ log: log as never, ...options });
    t.after(() => source.close().catch(() => undefined));
    return source;
  };
  const client = async () => {
    const one = await server.client();
    t.after(() => one.nats.close());
    return one;
  };
  return { server, open, client };
}

/** Claims one job; there must be one soon. */
async function claimOne(source: NatsSource): Promise<NatsJob> {
  for (let tries = 0; tries < 20; tries += 1) {
    const [job] = await source.claim(1, RUNNING);
    if (job !== undefined) return job;
  }
  throw new Error('there is no job');
}

const result = (kind: ResultKind): JobResult => ({ kind, line: Buffer.from(`{"custom_id":"${kind}"}`) });
const textOf = (job: NatsJob | undefined): string => Buffer.from(job?.bytes ?? []).toString();

test('a job is claimed by one server, and its result lies under its number', only, async (t) => {
  const { open, client } = await rig(t);
  // Both make the streams.
  const [first, second] = await Promise.all([open(), open()]);
  const nats = await client();
  const { seq } = await nats.jetstream.publish('jobs', 'a');
  await nats.jetstream.publish('jobs', 'b');
  const [a, ...noMore] = await first.claim(1, RUNNING);
  const others = await second.claim(10, RUNNING);
  assert.deepEqual([textOf(a), noMore.length, others.map(textOf)], ['a', 0, ['b']]);
  assert.ok(a);
  await first.done(a, result('answered'));
  assert.equal((await lastOf(nats, 'jobs-results', `jobs-results.${seq}`))?.string(), '{"custom_id":"answered"}');
  assert.equal((await nats.manager.streams.info('jobs')).state.messages, 1);
});

test('a job waits while there is none, and all that are there come together', only, async (t) => {
  const { open, client } = await rig(t);
  const source = await open();
  const nats = await client();
  const claimed = claimOne(source);
  await nats.jetstream.publish('jobs', 'a');
  assert.equal(textOf(await claimed), 'a');
  for (const text of ['b', 'c', 'd']) await nats.jetstream.publish('jobs', text);
  assert.deepEqual((await source.claim(10, RUNNING)).map(textOf), ['b', 'c', 'd']);
});

test('what a dead server held is delivered again after its lease, and only one result counts', only, async (t) => {
  const { open, client } = await rig(t);
  const [slow, quick] = [await open({ leaseMs: 500 }), await open({ leaseMs: 500 })];
  const nats = await client();
  const { seq } = await nats.jetstream.publish('jobs', 'a');
  const held = await claimOne(slow);
  const taken = await claimOne(quick);
  assert.deepEqual([taken.id, taken.deliveries], [seq, 2]);
  await until('the end of the claim', () => performance.now() >= held.claim.endsAtMs || undefined);
  assert.equal(await slow.extend(held), false);
  await assert.rejects(slow.giveBack(held, 0), LeaseLostError);
  await quick.done(taken, result('answered'));
  await slow.done(held, result('refused'));
  assert.equal((await lastOf(nats, 'jobs-results', `jobs-results.${seq}`))?.string(), '{"custom_id":"answered"}');
  assert.equal((await nats.manager.streams.info('jobs')).state.messages, 0);
});

test('a claim that is extended is not taken over', only, async (t) => {
  const { open, client } = await rig(t);
  const [first, second] = [await open({ leaseMs: 3000 }), await open({ leaseMs: 3000 })];
  const nats = await client();
  await nats.jetstream.publish('jobs', 'a');
  const held = await claimOne(first);
  const extending = setInterval(() => void first.extend(held).catch(() => undefined), 250);
  t.after(() => clearInterval(extending));
  // Each waits for half of the lease.
  for (let step = 0; step < 3; step += 1) assert.deepEqual(await second.claim(1, RUNNING), []);
  clearInterval(extending);
  await first.done(held, result('answered'));
});

test(
  'a job that is given back is for another server at once, or after the delay; that is no attempt',
  only,
  async (t) => {
    const { open, client } = await rig(t);
    const [first, second] = [await open({ attempts: 2 }), await open({ attempts: 2 })];
    const nats = await client();
    await nats.jetstream.publish('jobs', 'a');
    for (const source of [first, second, first, second]) {
      const job = await claimOne(source);
      assert.equal(job.problem, undefined);
      await source.giveBack(job, 0);
    }
    const again = await claimOne(first);
    assert.deepEqual([again.count, again.deliveries], [5, 1]);
    await first.giveBack(again, 600_000);
    await nats.jetstream.publish('jobs', 'b');
    assert.equal(textOf(await claimOne(second)), 'b');
    assert.equal((await nats.manager.consumers.info('jobs', 'carpool')).num_ack_pending, 2);
  },
);

test('a failed job comes again, and is a dead letter after the last attempt; so is what is no job', only, async (t) => {
  const { open, client } = await rig(t);
  const source = await open({ attempts: 2 });
  const nats = await client();
  const { seq } = await nats.jetstream.publish('jobs', 'a');
  await source.done(await claimOne(source), result('failed'));
  assert.equal(await lastOf(nats, 'jobs-results', `jobs-results.${seq}`), null);
  const last = await claimOne(source);
  await source.done(last, result('failed'));
  await nats.jetstream.publish('jobs', 'strange');
  const strange = await claimOne(source);
  await source.done(strange, result('unreadable'));
  const [one, two] = [
    await nats.manager.streams.getMessage('jobs-dead', { seq: 1 }),
    await nats.manager.streams.getMessage('jobs-dead', { seq: 2 }),
  ];
  assert.deepEqual(
    [one?.string(), one?.header.get('Carpool-Job'), one?.header.get('Carpool-Deliveries')],
    ['a', String(seq), '2'],
  );
  assert.equal(one?.header.get('Carpool-Result'), '{"custom_id":"failed"}');
  assert.equal(two?.string(), 'strange');
  assert.equal((await nats.manager.streams.info('jobs')).state.messages, 0);
  // A server that was slow to say so does not make a second one of it.
  await source.done(last, result('answered'));
  assert.equal((await nats.manager.streams.info('jobs-dead')).state.messages, 2);
  assert.equal((await lastOf(nats, 'jobs-results', `jobs-results.${seq}`))?.string(), '{"custom_id":"failed"}');
});

test('a job that no server has lived to report is not tried for ever', only, async (t) => {
  const { open, client } = await rig(t);
  const nats = await client();
  const first = await open({ attempts: 2, leaseMs: 500 });
  await nats.jetstream.publish('jobs', 'a');
  for (const source of [first, await open({ attempts: 2, leaseMs: 500 })]) {
    assert.equal((await claimOne(source)).problem, undefined);
    await source.close();
  }
  assert.match((await claimOne(await open({ attempts: 2, leaseMs: 500 }))).problem ?? '', /in 2 attempts/);
});

test('a claim ends when it is told to', only, async (t) => {
  const { open, client } = await rig(t);
  const source = await open();
  const nats = await client();
  const stop = new AbortController();
  const claimed = source.claim(1, stop.signal);
  await until(
    'a server that waits',
    async () => (await nats.manager.consumers.info('jobs', 'carpool')).num_waiting || undefined,
  );
  stop.abort();
  assert.deepEqual(await claimed, []);
  await nats.jetstream.publish('jobs', 'a');
  assert.equal((await claimOne(await open())).deliveries, 1);
});

test('while NATS is away claims fail, and after its restart work goes on', only, async (t) => {
  const { open, client, server } = await rig(t);
  const warnings: string[] = [];
  const source = await open({ leaseMs: 1000 }, warnings);
  const nats = await client();
  const { seq } = await nats.jetstream.publish('jobs', 'a');
  const held = await claimOne(source);
  const waiting = assert.rejects(source.claim(1, RUNNING), /connection/);
  await server.kill();
  await waiting;
  await assert.rejects(source.claim(1, RUNNING), /no connection/);
  await assert.rejects(source.done(held, result('answered')), /no connection/);
  assert.deepEqual(warnings, ['the connection to NATS has failed']);
  await server.restart();
  const again = await until('the job', () => claimOne(source).catch(() => undefined));
  await source.done(again, result('answered'));
  assert.equal(again.id, seq);
  assert.equal((await lastOf(nats, 'jobs-results', `jobs-results.${seq}`))?.string(), '{"custom_id":"answered"}');
});

test('a stream that was deleted is made again, and results of the one before do not count for it', only, async (t) => {
  const { open, client } = await rig(t);
  const source = await open();
  const nats = await client();
  await nats.jetstream.publish('jobs', 'a');
  await source.done(await claimOne(source), result('answered'));
  await nats.manager.streams.delete('jobs');
  await assert.rejects(source.claim(1, RUNNING), QueueGoneError);
  const { seq } = await nats.jetstream.publish('jobs', 'b');
  assert.equal(seq, 1);
  await source.done(await claimOne(source), result('refused'));
  assert.equal((await lastOf(nats, 'jobs-results', 'jobs-results.1'))?.string(), '{"custom_id":"refused"}');
});

test('a stream of results that was deleted is made again, and the result is stored', only, async (t) => {
  const { open, client } = await rig(t);
  const source = await open();
  const nats = await client();
  const { seq } = await nats.jetstream.publish('jobs', 'a');
  const job = await claimOne(source);
  await nats.manager.streams.delete('jobs-results');
  await assert.rejects(source.done(job, result('answered')), QueueGoneError);
  await source.done(job, result('answered'));
  assert.equal((await lastOf(nats, 'jobs-results', `jobs-results.${seq}`))?.string(), '{"custom_id":"answered"}');
});

test('a result that no message can hold is told, not tried for ever', only, async (t) => {
  const { open, client } = await rig(t);
  const source = await open();
  const nats = await client();
  const { seq } = await nats.jetstream.publish('jobs', 'a');
  const line = Buffer.from(JSON.stringify({ custom_id: 'a1', body: 'x'.repeat(2_000_000) }));
  await source.done(await claimOne(source), { kind: 'answered', line });
  const stored = (await lastOf(nats, 'jobs-results', `jobs-results.${seq}`))?.json<{ error: { code: string } }>();
  assert.deepEqual(
    { ...stored, error: stored?.error.code },
    { id: null, custom_id: 'a1', response: null, error: 'result_too_large' },
  );
});

test('a message that leaves no room for the reason becomes a dead letter all the same', only, async (t) => {
  const { open, client } = await rig(t);
  const source = await open();
  const nats = await client();
  const most = nats.nats.info?.max_payload ?? 0;
  for (const bytes of [most - 600, most]) {
    await nats.jetstream.publish('jobs', Buffer.alloc(bytes, 'x'));
    await source.done(await claimOne(source), { kind: 'unreadable', line: Buffer.alloc(200, 'r') });
  }
  const [whole, cut] = [
    await nats.manager.streams.getMessage('jobs-dead', { seq: 1 }),
    await nats.manager.streams.getMessage('jobs-dead', { seq: 2 }),
  ];
  assert.deepEqual([whole?.data.byteLength, whole?.header.get('Carpool-Cut')], [most - 600, '']);
  assert.equal(cut?.header.get('Carpool-Cut'), 'true');
});

test('a job that is cancelled while it runs does not come again', only, async (t) => {
  const { open, client } = await rig(t);
  const source = await open();
  const nats = await client();
  const { seq } = await nats.jetstream.publish('jobs', 'a');
  const job = await claimOne(source);
  const cancelled = new Promise<void>((resolve) => job.cancellation.add({ cancel: resolve }));
  nats.nats.publish(`jobs-cancel.${seq}`);
  await cancelled;
  await source.giveBack(job, 0);
  assert.equal((await nats.manager.streams.info('jobs')).state.messages, 0);
});

test('a stream in which jobs would be lost is refused; a lease that has changed is told', only, async (t) => {
  const { open, client } = await rig(t);
  const nats = await client();
  await nats.manager.streams.add({ name: 'log', subjects: ['log'], retention: RetentionPolicy.Limits });
  await assert.rejects(open({ queue: 'log' }), /the stream log has limits retention/);
  await assert.rejects(open({ queue: 'a.b' }), /JOB_QUEUE must be the name of a stream/);
  const warnings: string[] = [];
  await open({}, warnings);
  await open({}, warnings);
  assert.deepEqual(warnings, []);
  await open({ leaseMs: 5000, resultTtlMs: 5000 }, warnings);
  assert.match(warnings.join(), /the consumer gets this lease/);
  assert.equal((await nats.manager.consumers.info('jobs', 'carpool')).config.ack_wait, 5e9);
  assert.equal((await nats.manager.streams.info('jobs-results')).config.max_age, 5e9);
});

test('names and passwords are those of the address', only, async (t) => {
  const { server, open } = await rig(t, ['--user', 'a user', '--pass', 'p@ss:1']);
  const address = (url: string) => ({ address: { url, credsFile: '', caFile: '' } });
  await open(address(`nats://a%20user:p%40ss%3A1@127.0.0.1:${server.port}`));
  await assert.rejects(open(), /authorization/i);
  await assert.rejects(open(address('nats://secret@:1:x')), (error: Error) => !error.message.includes('secret'));
});

test('a server that is not there is told at once', only, async (t) => {
  const { server, open } = await rig(t);
  await server.kill();
  await assert.rejects(open(), /refused/i);
});
