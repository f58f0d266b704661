import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { RedisBoard, type RedisBoardOptions } from '../../../src/jobs/redis/board.ts';
import { RedisSource, type RedisJob } from '../../../src/jobs/redis/source.ts';
import type { JobResult, ResultKind } from '../../../src/jobs/result.ts';
import { LeaseLostError } from '../../../src/jobs/source.ts';
import type { WebhookMessage } from '../../../src/jobs/webhooks/event.ts';
import { newJob, refusal } from '../new-job.ts';
import { messageIdOf } from '../../../src/jobs/queue-board.ts';
import { answersForNone, guessesAt, statesOfOwned } from '../owned-jobs.ts';
import { RedisServer, withoutRedis } from './redis-server.ts';

const only = { skip: withoutRedis };
const log = { warn: () => undefined } as never;

async function rig(t: TestContext) {
  const server = await RedisServer.start(t);
  const told: WebhookMessage[] = [];
  const shared = { url: server.url, queue: 'jobs', leaseMs: 60_000, resultTtlMs: 60_000, log };
  const openBoard = async (more: Partial<RedisBoardOptions> = {}): Promise<RedisBoard> => {
    const outbox = { send: (message: WebhookMessage) => void told.push(message) };
    const board = await RedisBoard.open({ ...shared, limit: 100, outbox, ...more });
    t.after(() => board.close());
    return board;
  };
  const openSource = async (attempts = 3): Promise<RedisSource> => {
    const source = await RedisSource.open({ ...shared, attempts });
    t.after(() => source.close().catch(() => undefined));
    return source;
  };
  return { server, openBoard, openSource, told };
}

async function claimOne(source: RedisSource): Promise<RedisJob> {
  const [job] = await source.claim(1, new AbortController().signal);
  assert.ok(job);
  return job;
}

const result = (kind: ResultKind): JobResult => ({ kind, line: Buffer.from(`"${kind}"`) });

test('a job that one server has taken is served by a second, and a third answers for it', only, async (t) => {
  const { openBoard, openSource } = await rig(t);
  const [first, third] = [await openBoard(), await openBoard()];
  // Before any server has made the group.
  const accepted = await first.add(newJob('{"a":1}', { customId: 'x', priority: 1 }));
  assert.deepEqual(await third.find(accepted.id), accepted);
  const { createdMs, id, ...rest } = accepted;
  assert.deepEqual(rest, { customId: 'x', owner: null, priority: 1, status: 'waiting', attempts: 0, endedMs: null });
  assert.ok(createdMs > 0);
  const second = await openSource();
  const job = await claimOne(second);
  assert.deepEqual([job.jobId, Buffer.from(job.bytes).toString(), job.defaultId], [id, '{"a":1}', id]);
  assert.match(id, /^\d+-\d+-[\da-f]{32}$/);
  await answersForNone(third, guessesAt(id));
  const running = await third.find(id);
  assert.deepEqual([running.status, running.attempts], ['running', 1]);
  assert.equal(await third.resultOf(id), undefined);
  await second.done(job, result('answered'));
  const ended = await third.find(id);
  assert.deepEqual([ended.status, ended.attempts, ended.customId], ['completed', 1, 'x']);
  assert.ok(ended.endedMs !== null);
  assert.equal(Buffer.from((await third.resultOf(id)) ?? []).toString(), '"answered"');
  await answersForNone(third, guessesAt(id));
});

test('a job that waits to be tried again is waiting; a dead letter has failed, and tells why', only, async (t) => {
  const { openBoard, openSource, server } = await rig(t);
  const board = await openBoard();
  const { id } = await board.add(newJob('{}'));
  const refused = await board.add(newJob('{"b":1}'));
  const source = await openSource(1);
  const job = await claimOne(source);
  await source.giveBack(job, 60_000);
  const again = await board.find(id);
  assert.deepEqual([again.status, again.attempts], ['waiting', 0]);
  await source.done(await claimOne(source), result('refused'));
  assert.equal((await board.find(refused.id)).status, 'failed');
  // Its delay has passed.
  const quick = await openBoard();
  await server.ask('XCLAIM', 'jobs', 'carpool', 'nobody', '0', messageIdOf(id), 'IDLE', '60000', 'JUSTID');
  await source.done(await claimOne(source), result('failed'));
  assert.equal((await quick.find(id)).status, 'failed');
  assert.equal(Buffer.from((await quick.resultOf(id)) ?? []).toString(), '"failed"');
  assert.equal(await server.ask('XLEN', 'jobs:dead'), 1);
});

test('a job whose server is dead waits again when its lease has ended', only, async (t) => {
  const { openBoard, openSource } = await rig(t);
  const { id } = await (await openBoard()).add(newJob('{}'));
  await claimOne(await openSource());
  assert.equal((await (await openBoard()).find(id)).status, 'running');
  assert.equal((await (await openBoard({ leaseMs: 0 })).find(id)).status, 'waiting');
});

test('a waiting job is cancelled, told, and forgotten when it is deleted again', only, async (t) => {
  const { openBoard, openSource, server, told } = await rig(t);
  await openSource();
  const board = await openBoard();
  const { id } = await board.add(newJob('{}', { customId: 'x', webhook: 'https://example.com/' }));
  assert.equal((await board.cancel(id)).status, 'cancelled');
  assert.equal(await server.ask('XLEN', 'jobs'), 0);
  assert.equal((await board.find(id)).status, 'cancelled');
  assert.deepEqual(
    told.map(({ url, body }) => [url, (JSON.parse(body) as { type: string; data: unknown }).type]),
    [['https://example.com/', 'job.cancelled']],
  );
  assert.equal((await board.cancel(id)).status, 'cancelled');
  assert.equal((await refusal(board.find(id))).code, 'NOT_FOUND');
  assert.equal(told.length, 1);
  assert.deepEqual(await server.ask('KEYS', 'jobs:*'), []);
});

test('a running job is cancelled: its server cannot keep it, give it back or store a result', only, async (t) => {
  const { openBoard, openSource } = await rig(t);
  const board = await openBoard();
  const source = await openSource();
  const { id } = await board.add(newJob('{}'));
  const job = await claimOne(source);
  assert.equal((await board.cancel(id)).status, 'cancelled');
  assert.equal(await source.extend(job), false);
  await source.giveBack(job, 0);
  await assert.rejects(source.done(job, result('answered')), LeaseLostError);
  assert.equal((await board.find(id)).status, 'cancelled');
  assert.equal(await board.resultOf(id), undefined);
});

test('a name finds the job that has it, whoever sends it, and not another message', only, async (t) => {
  const { openBoard, openSource } = await rig(t);
  const [board, second] = [await openBoard(), await openBoard()];
  const source = await openSource();
  const sent = await Promise.all([board, second, board, second].map((one) => one.add(newJob('{}', { key: 'k' }))));
  const ids = new Set(sent.map(({ id }) => id));
  assert.equal(ids.size, 1);
  const other = await refusal(board.add(newJob('{"b":1}', { key: 'k' })));
  assert.equal(other.code, 'INVALID_INPUT');
  assert.ok(![...ids].some((id) => other.message.includes(messageIdOf(id))), 'the id is not told');
  await source.done(await claimOne(source), result('answered'));
  const [id = ''] = ids;
  assert.deepEqual([(await board.add(newJob('{}', { key: 'k' }))).id], [id]);
  await board.cancel(id);
  assert.notEqual((await board.add(newJob('{"b":1}', { key: 'k' }))).id, id);
});

test('an id is never part of another key, and jobs of others are not answered for', only, async (t) => {
  const { openBoard, server } = await rig(t);
  const board = await openBoard();
  await server.ask('SET', 'jobs:result:x:y', 'secret');
  const foreign = String(await server.ask('XADD', 'jobs', '*', 'job', '{}'));
  const odd = String(await server.ask('XADD', 'jobs', '*', 'job', '{}', 'facts', '{"customId":7}'));
  const ids = ['x:y', '-', '+', '0', '', '1-1-1', ' 1-1', '1-1\n', foreign, odd];
  await answersForNone(board, [...ids, ...ids.map((id) => `${id}-${'0'.repeat(32)}`)]);
  assert.equal(await server.ask('XLEN', 'jobs'), 2);
});

test('a full queue, a full Redis and one that is away refuse jobs; none is listed', only, async (t) => {
  const { openBoard, server } = await rig(t);
  const board = await openBoard({ limit: 1 });
  const { id } = await board.add(newJob('{}', { key: 'k' }));
  assert.equal((await refusal(board.add(newJob('{}')))).code, 'QUEUE_FULL');
  // The one that is there needs no room.
  assert.equal((await board.add(newJob('{}', { key: 'k' }))).id, id);
  assert.equal((await refusal(board.list({ most: 1 }))).code, 'BAD_REQUEST');
  const large = await openBoard();
  await server.ask('CONFIG', 'SET', 'maxmemory', '1');
  assert.equal((await refusal(large.add(newJob('{}')))).code, 'QUEUE_FULL');
  await server.kill();
  for (const { code } of await Promise.all(
    [board.add(newJob('{}')), board.find(id), board.resultOf(id), board.cancel(id)].map(refusal),
  ))
    assert.equal(code, 'STORAGE_UNAVAILABLE');
});

test("a job is its key's from its beginning to its end, whichever server is asked", only, async (t) => {
  const { openBoard, openSource } = await rig(t);
  const source = await openSource();
  const serve = async (look: () => Promise<void>): Promise<void> => {
    const job = await claimOne(source);
    await look();
    await source.done(job, result('answered'));
  };
  assert.deepEqual(await statesOfOwned({ board: await openBoard(), other: await openBoard(), serve }), [
    'waiting',
    'running',
    'completed',
    'cancelled',
  ]);
});
