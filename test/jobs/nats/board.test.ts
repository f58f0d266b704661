import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { NatsBoard, type NatsBoardOptions } from '../../../src/jobs/nats/board.ts';
import { NatsSource, type NatsJob } from '../../../src/jobs/nats/source.ts';
import type { JobResult, ResultKind } from '../../../src/jobs/result.ts';
import { LeaseLostError } from '../../../src/jobs/source.ts';
import type { WebhookMessage } from '../../../src/jobs/webhooks/event.ts';
import { newJob, refusal } from '../new-job.ts';
import { answersForNone, guessesAt, statesOfOwned } from '../owned-jobs.ts';
import { NatsServer, withoutNats } from './nats-server.ts';

const only = { skip: withoutNats };
const log = { warn: () => undefined } as never;

async function rig(t: TestContext, flags: readonly string[] = []) {
  const server = await NatsServer.start(t, flags);
  const told: WebhookMessage[] = [];
  const address = { url: server.url, credsFile: '', caFile: '' };
  const shared = { address, queue: 'jobs', leaseMs: 60_000, resultTtlMs: 60_000, log };
  const openBoard = async (more: Partial<NatsBoardOptions> = {}): Promise<NatsBoard> => {
    const outbox = { send: (message: WebhookMessage) => void told.push(message) };
    const board = await NatsBoard.open({ ...shared, limit: 100, outbox, ...more });
    t.after(() => board.close());
    return board;
  };
  const openSource = async (attempts = 3): Promise<NatsSource> => {
    const source = await NatsSource.open({ ...shared, attempts });
    t.after(() => source.close().catch(() => undefined));
    return source;
  };
  return { server, openBoard, openSource, told };
}

async function claimOne(source: NatsSource): Promise<NatsJob> {
  const [job] = await source.claim(1, new AbortController().signal);
  assert.ok(job);
  return job;
}

const result = (kind: ResultKind): JobResult => ({ kind, line: Buffer.from(`{"custom_id":"${kind}"}`) });

test('a job that one server has taken is served by a second, and a third answers for it', only, async (t) => {
  const { openBoard, openSource } = await rig(t);
  const [first, third] = await Promise.all([openBoard(), openBoard()]);
  const accepted = await first.add(newJob('{"a":1}', { customId: 'é\n', priority: 1 }));
  assert.deepEqual(await third.find(accepted.id), accepted);
  const { createdMs, id, ...rest } = accepted;
  assert.deepEqual(rest, { customId: 'é\n', owner: null, priority: 1, status: 'waiting', attempts: 0, endedMs: null });
  assert.ok(createdMs > 0);
  const second = await openSource(1);
  const job = await claimOne(second);
  assert.deepEqual([job.jobId, Buffer.from(job.bytes).toString(), job.defaultId], [id, '{"a":1}', id]);
  assert.match(id, /^\d+-[\da-f]{32}$/);
  await answersForNone(third, guessesAt(id));
  assert.deepEqual([(await third.find(id)).status, await third.resultOf(id)], ['running', undefined]);
  await second.done(job, result('answered'));
  const ended = await third.find(id);
  assert.deepEqual([ended.status, ended.attempts, ended.customId], ['completed', 1, 'é\n']);
  assert.ok(ended.endedMs !== null);
  assert.equal(Buffer.from((await third.resultOf(id)) ?? []).toString(), '{"custom_id":"answered"}');
  await answersForNone(third, guessesAt(id));
  const dead = await first.add(newJob('{}'));
  await second.done(await claimOne(second), result('failed'));
  assert.equal((await third.find(dead.id)).status, 'failed');
  assert.equal(Buffer.from((await third.resultOf(dead.id)) ?? []).toString(), '{"custom_id":"failed"}');
});

test('a waiting job is cancelled, told, and forgotten when it is deleted again', only, async (t) => {
  const { openBoard, told, server } = await rig(t);
  const board = await openBoard();
  const { id } = await board.add(newJob('{}', { customId: 'x', webhook: 'https://example.com/' }));
  assert.equal((await board.cancel(id)).status, 'cancelled');
  assert.deepEqual([(await board.find(id)).status, await board.resultOf(id)], ['cancelled', undefined]);
  assert.equal(told.length, 1);
  assert.equal((await board.cancel(id)).status, 'cancelled');
  assert.equal((await refusal(board.find(id))).code, 'NOT_FOUND');
  const client = await server.client();
  t.after(() => client.nats.close());
  assert.equal((await client.manager.streams.info('jobs')).state.messages, 0);
  assert.equal((await client.manager.streams.info('jobs-results')).state.messages, 0);
});

test('a running job is cancelled: its server is told, and can store no result', only, async (t) => {
  const { openBoard, openSource } = await rig(t);
  const board = await openBoard();
  const source = await openSource();
  const ids = [(await board.add(newJob('{}'))).id, (await board.add(newJob('{"b":1}'))).id];
  const [told, late] = [await claimOne(source), await claimOne(source)];
  const stopped = new Promise<void>((resolve) => told.cancellation.add({ cancel: resolve }));
  for (const id of ids) assert.equal((await board.cancel(id)).status, 'cancelled');
  await stopped;
  await source.giveBack(told, 0);
  await assert.rejects(source.done(late, result('answered')), LeaseLostError);
  for (const id of ids)
    assert.deepEqual([(await board.find(id)).status, await board.resultOf(id)], ['cancelled', undefined]);
});

test('a name finds the job that has it, whoever sends it, and not another message', only, async (t) => {
  const { openBoard } = await rig(t);
  const [board, second] = await Promise.all([openBoard(), openBoard()]);
  const sent = await Promise.all([board, second, board, second].map((one) => one.add(newJob('{}', { key: 'k' }))));
  assert.equal(new Set(sent.map(({ id }) => id)).size, 1);
  assert.equal((await refusal(second.add(newJob('{"b":1}', { key: 'k' })))).code, 'INVALID_INPUT');
});

test('an id is never part of another subject, and jobs of others are not answered for', only, async (t) => {
  const { openBoard, server } = await rig(t);
  const board = await openBoard();
  const { jetstream, nats } = await server.client();
  t.after(() => nats.close());
  const foreign = String((await jetstream.publish('jobs', '{}')).seq);
  const ids = ['*', '>', '0', '', '1.2', ' 1', '1\n', 'name-x', foreign, '99'];
  await answersForNone(board, [...ids, ...ids.map((id) => `${id}-${'0'.repeat(32)}`)]);
});

test('a full queue, too large a job and a NATS that is away are told; none is listed', only, async (t) => {
  const { openBoard, server } = await rig(t);
  const board = await openBoard({ limit: 1 });
  assert.equal((await refusal(board.add(newJob(' '.repeat(1024 * 1024))))).code, 'TOO_LARGE');
  const { id } = await board.add(newJob('{}'));
  assert.equal((await refusal(board.add(newJob('{}')))).code, 'QUEUE_FULL');
  assert.equal((await refusal(board.list())).code, 'BAD_REQUEST');
  await server.kill();
  for (const { code } of await Promise.all([board.add(newJob('{}')), board.find(id), board.cancel(id)].map(refusal)))
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
