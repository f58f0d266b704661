import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import type { JobResult, ResultKind } from '../../../src/jobs/result.ts';
import type { SqsJob } from '../../../src/jobs/sqs/messages.ts';
import { SqsSource, type SqsOptions } from '../../../src/jobs/sqs/source.ts';
import { LeaseLostError } from '../../../src/jobs/source.ts';
import { SqsServer, withoutElasticMq, type QueueSettings } from './sqs-server.ts';
import { StallingProxy } from './stalling-proxy.ts';

const only = { skip: withoutElasticMq, timeout: 120_000 };
const RUNNING = new AbortController().signal;

let mq: SqsServer;
before(async () => {
  if (withoutElasticMq === false) mq = await SqsServer.elasticMq();
});
after(async () => {
  if (withoutElasticMq === false) await mq.stop();
});

let queues = 0;

async function rig(t: TestContext, settings: QueueSettings = {}, resultSettings: QueueSettings = {}) {
  const name = `jobs${(queues += 1)}`;
  const jobs = await mq.create(name, settings);
  const results = await mq.create(`${name}-results`, resultSettings);
  const dead = jobs.replace(name, `${name}-dead`);
  const told: unknown[] = [];
  const log = { info: () => undefined, warn: (fields: unknown) => void told.push(fields) } as never;
  const open = async (more: Partial<SqsOptions> = {}): Promise<SqsSource> => {
    const options = { queue: jobs, results, leaseMs: 60_000, attempts: 3, waitMs: 1000, log, ...more };
    const source = await SqsSource.open(options);
    t.after(() => source.close());
    return source;
  };
  return { name, jobs, results, dead, open, told, add: (text: string, group?: string) => mq.send(jobs, text, group) };
}

async function claimOne(source: SqsSource): Promise<SqsJob> {
  for (let tries = 0; tries < 60; tries += 1) {
    const [job] = await source.claim(1, RUNNING);
    if (job !== undefined) return job;
  }
  throw new Error('there is no job');
}

const result = (kind: ResultKind, custom_id = 'a'): JobResult => ({
  kind,
  line: Buffer.from(JSON.stringify({ id: 'r', custom_id, response: kind, error: null })),
});

test(
  'a job is claimed by one server; its result is in the queue of results, with its id, when the job is gone',
  only,
  async (t) => {
    const { open, add, jobs, results } = await rig(t);
    const first = await open();
    const second = await open();
    const id = await add('a');
    const job = await claimOne(first);
    assert.equal(Buffer.from(job.bytes).toString(), 'a');
    assert.equal(job.defaultId, id);
    assert.deepEqual(await second.claim(10, RUNNING), []);
    assert.equal(await mq.count(jobs), 1);
    await first.done(job, result('answered'));
    assert.equal(await mq.count(jobs), 0);
    const [message] = await mq.take(results);
    assert.equal(message?.Body, '{"id":"r","custom_id":"a","response":"answered","error":null}');
    assert.equal(message.MessageAttributes?.['JobId']?.StringValue, id);
  },
);

test('up to ten jobs come with one call, and never more than there is room for', only, async (t) => {
  const { open, add } = await rig(t);
  const source = await open();
  for (let index = 0; index < 14; index += 1) await add(String(index));
  assert.equal((await source.claim(3, RUNNING)).length, 3);
  assert.equal((await source.claim(64, RUNNING)).length, 10);
});

test(
  'what a dead server held comes again when its lease has ended, and the one that had it stores nothing',
  only,
  async (t) => {
    const { open, add, jobs, results } = await rig(t);
    const [slow, quick] = [await open(), await open()];
    const id = await add('a');
    const held = await claimOne(slow);
    await mq.endVisibility(jobs, held.receipt);
    const again = await claimOne(quick);
    assert.deepEqual([again.id, again.deliveries], [id, 2]);
    assert.equal(await slow.extend(held), false);
    await assert.rejects(slow.done(held, result('refused')), LeaseLostError);
    await quick.done(again, result('answered'));
    const taken = await mq.take(results);
    assert.deepEqual(
      taken.map(({ Body }) => (JSON.parse(Body ?? '') as { response: unknown }).response),
      ['answered'],
    );
  },
);

test('a job that is given back is for another server at once, or after the delay', only, async (t) => {
  const { open, add } = await rig(t);
  const [first, second] = [await open(), await open()];
  await add('a');
  await first.giveBack(await claimOne(first), 0);
  const again = await claimOne(second);
  assert.equal(again.deliveries, 2);
  await second.giveBack(again, 600_000);
  await add('b');
  assert.equal((await claimOne(first)).body, 'b');
});

test(
  'a failed job comes again, and is a dead letter with its reason after the last attempt; so is what cannot be read',
  only,
  async (t) => {
    const { open, add, jobs, dead, results } = await rig(t, { maxReceiveCount: 2 });
    const source = await open({ attempts: 5 });
    const id = await add('a');
    await source.done(await claimOne(source), result('failed'));
    const again = await claimOne(source);
    assert.equal(again.deliveries, 2);
    await source.done(again, result('failed'));
    const [failed] = await mq.take(dead);
    assert.equal(failed?.Body, 'a');
    const attributes = Object.entries(failed.MessageAttributes ?? {}).map(([name, value]) => [name, value.StringValue]);
    assert.deepEqual(Object.fromEntries(attributes), {
      JobId: id,
      Deliveries: '2',
      Result: '{"id":"r","custom_id":"a","response":"failed","error":null}',
    });
    await add('nonsense');
    await source.done(await claimOne(source), result('unreadable'));
    assert.equal((await mq.take(dead))[0]?.Body, 'nonsense');
    assert.deepEqual([await mq.count(jobs), await mq.count(results)], [0, 0]);
  },
);

test(
  'without a dead-letter queue what cannot be served has its error as its result, and that is told at start',
  only,
  async (t) => {
    const { open, add, jobs, results, told, name } = await rig(t);
    const source = await open({ attempts: 1 });
    assert.deepEqual(told, [{ queue: name }]);
    await add('a');
    await source.done(await claimOne(source), result('failed'));
    assert.match((await mq.take(results))[0]?.Body ?? '', /"failed"/);
    assert.equal(await mq.count(jobs), 0);
  },
);

test('a job that no server has lived to report is not tried for ever', only, async (t) => {
  const { open, add } = await rig(t);
  await add('a');
  const source = await open({ attempts: 2 });
  for (let deaths = 0; deaths < 2; deaths += 1) {
    const held = await claimOne(source);
    assert.equal(held.problem, undefined);
    await source.giveBack(held, 0);
  }
  assert.match((await claimOne(source)).problem ?? '', /received 2 times/);
});

test('jobs of a group have their turn one after another; behind one that goes back, all go back', only, async (t) => {
  const { open, add } = await rig(t, { fifo: true });
  const source = await open();
  for (const text of ['a1', 'a2', 'a3']) await add(text, 'a');
  await add('b1', 'b');
  const claimed = await source.claim(10, RUNNING);
  const [a1, a2, a3, b1] = ['a1', 'a2', 'a3', 'b1'].map((text) => claimed.find(({ body }) => body === text));
  assert.ok(a1 && a2 && a3 && b1);
  assert.deepEqual([a1.turn, b1.turn], [undefined, undefined]);
  await source.done(a1, result('answered'));
  assert.equal(await a2.turn, true);
  await source.done(a2, result('failed'));
  assert.equal(await a3.turn, false);
  await source.giveBack(a3, 0);
  assert.equal((await claimOne(source)).body, 'a2');
});

test('a job whose lease is lost sends those behind it back', only, async (t) => {
  const { open, add } = await rig(t, { fifo: true });
  const source = await open();
  for (const text of ['a1', 'a2']) await add(text, 'a');
  const [a1, a2] = await source.claim(10, RUNNING);
  assert.ok(a1 && a2);
  source.forget(a1);
  assert.equal(await a2.turn, false);
});

test('a FIFO queue of results takes one result of a job', only, async (t) => {
  const { open, add, jobs, results } = await rig(t, {}, { fifo: true });
  const source = await open();
  const id = await add('a');
  await source.done(await claimOne(source), result('answered'));
  assert.equal(await mq.count(jobs), 0);
  const again = { MessageBody: 'again', MessageGroupId: id, MessageDeduplicationId: id };
  await mq.sqs.sendMessage({ QueueUrl: results, ...again });
  const taken = await mq.take(results);
  assert.deepEqual(
    taken.map(({ Body: body = '' }) => (JSON.parse(body) as { response: unknown }).response),
    ['answered'],
  );
});

test('a result that is too large is an error with its size', only, async (t) => {
  const { open, add, results, name } = await rig(t);
  const source = await open();
  await add('a');
  const line = Buffer.from(JSON.stringify({ id: 'r', custom_id: 'a', response: 'x'.repeat(1_100_000) }));
  await source.done(await claimOne(source), { kind: 'answered', line });
  const { custom_id, error } = JSON.parse((await mq.take(results))[0]?.Body ?? '') as {
    custom_id: string;
    error: { code: string; message: string };
  };
  assert.deepEqual([custom_id, error.code], ['a', 'result_too_large']);
  assert.match(error.message, new RegExp(`more than the \\d+ that the queue ${name}-results takes`));
});

test('characters that SQS refuses are sent as JSON escapes', only, async (t) => {
  const { open, add, results } = await rig(t);
  const source = await open();
  await add('a');
  const line = Buffer.from(JSON.stringify({ text: '\uFFFE \uFFFF' }));
  await source.done(await claimOne(source), { kind: 'answered', line });
  assert.equal((await mq.take(results))[0]?.Body, String.raw`{"text":"\ufffe \uffff"}`);
});

test('what a poll brings after the end goes back', only, async (t) => {
  const { open, add } = await rig(t);
  const [first, second] = [await open({ waitMs: 20_000 }), await open()];
  const stop = new AbortController();
  const claimed = first.claim(1, stop.signal);
  stop.abort();
  assert.deepEqual(await claimed, []);
  await add('a');
  await first.close();
  assert.equal((await claimOne(second)).body, 'a');
});

test('a call that hangs ends far before the lease, and the next one may succeed', only, async (t) => {
  const { open, add, jobs, results } = await rig(t);
  const proxy = await StallingProxy.start(mq.url);
  t.after(() => proxy.stop());
  const through = (url: string): string => url.replace(mq.url, proxy.url);
  const source = await open({ queue: through(jobs), results: through(results), leaseMs: 40_000 });
  await add('a');
  const job = await claimOne(source);
  proxy.mode = 'deaf';
  await assert.rejects(source.extend(job), /has not answered within 4000 ms/);
  proxy.mode = 'mute';
  await assert.rejects(source.done(job, result('answered')), /has not answered within 4000 ms/);
  proxy.mode = 'pass';
  assert.equal(await source.extend(job), true);
  await source.done(job, result('answered'));
  assert.equal((await mq.take(results)).length, 1);
});

test(
  'a call for jobs whose answer was lost is made again in a FIFO queue, and brings the same jobs',
  only,
  async (t) => {
    const { open, add, jobs, results } = await rig(t, { fifo: true });
    const proxy = await StallingProxy.start(mq.url);
    t.after(() => proxy.stop());
    const through = (url: string): string => url.replace(mq.url, proxy.url);
    const source = await open({ queue: through(jobs), results: through(results), leaseMs: 40_000 });
    await add('a');
    proxy.mode = 'mute';
    await assert.rejects(source.claim(1, RUNNING), /has not answered within/);
    proxy.mode = 'pass';
    assert.deepEqual(
      (await source.claim(1, RUNNING)).map(({ body }) => body),
      ['a'],
    );
  },
);

test('a queue that is not there is told at start; so are results that would be jobs', only, async (t) => {
  const { open, jobs, results } = await rig(t);
  await assert.rejects(open({ queue: `${jobs}-none` }), /does not exist/);
  await assert.rejects(open({ results: `${results}-none` }), /does not exist/);
  await assert.rejects(open({ results: jobs }), /results would be jobs/);
  await assert.rejects(open({ results: '' }), /JOB_RESULTS_QUEUE/);
});
