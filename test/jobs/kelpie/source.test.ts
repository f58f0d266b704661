import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { systemClock } from '../../../src/core/clock.ts';
import { readCommandJob } from '../../../src/jobs/command-job.ts';
import { JobError } from '../../../src/jobs/job.ts';
import { KelpieApi } from '../../../src/jobs/kelpie/api.ts';
import { KelpieSource, type KelpieJob, type KelpieOptions } from '../../../src/jobs/kelpie/source.ts';
import type { JobResult, ResultKind } from '../../../src/jobs/result.ts';
import { LeaseLostError, SourceError } from '../../../src/jobs/source.ts';
import { FakeClock } from '../../core/fake-clock.ts';
import { MockKelpie, type Submission } from './mock-api.ts';

const RUNNING = new AbortController().signal;
const JOB: Submission = { command: 'true', container_group_id: 'g', sync: {} };
const result = (kind: ResultKind): JobResult => ({ kind, line: Buffer.from(`"${kind}"`) });

const server = { option: 'KELPIE_API_URL', address: '', cure: 'Try again.' };

async function rig(t: TestContext, more: Partial<KelpieOptions> = {}) {
  const mock = await MockKelpie.start();
  t.after(() => mock[Symbol.asyncDispose]());
  const logs: unknown[] = [];
  const note = (fields: unknown): void => void logs.push(fields);
  const log = { info: note, warn: note, error: note } as never;
  const open = (machineId: string, pollMs = 1): Promise<KelpieSource> =>
    KelpieSource.open({
      server,
      api: apiOf(mock.url, machineId),
      node: undefined,
      clock: systemClock,
      log,
      idleLimitMs: 0,
      mostFailures: 5,
      pollMs,
      ...more,
    });
  return { mock, open, source: await open('m1'), logs };
}

function apiOf(url: string, machineId: string, key = 'key'): KelpieApi {
  const credentials = (): Promise<Record<string, string>> => Promise.resolve({ 'X-Kelpie-Key': key });
  return new KelpieApi({ url, credentials, machineId, containerGroupId: 'g', clock: systemClock, retryMs: 1 });
}

async function claimOne(source: KelpieSource): Promise<KelpieJob> {
  const [job] = await source.claim(1, RUNNING);
  assert.ok(job, 'there is no job');
  return job;
}

/** As if nothing had been heard of its worker for an hour. */
function silence(mock: MockKelpie, id: string): void {
  mock.find(id).heartbeat = new Date(Date.now() - 3_600_000).toISOString();
}

test('a job that is handed out is a command, and is completed once it is done', async (t) => {
  const { mock, source } = await rig(t);
  const folder = { bucket: 'b', prefix: 'in', local_path: '/input', direction: 'download' } as const;
  const { id } = mock.add({
    ...JOB,
    arguments: ['a'],
    environment: { A: '1' },
    heartbeat_interval: 20,
    sync: { before: [folder] },
    webhook: 'http://localhost/hook',
  });
  const job = await claimOne(source);
  assert.equal(job.leaseMs, 39_000);
  assert.equal(job.sentAtMs, Date.parse(mock.find(id).created));
  const command = readCommandJob(job.bytes, job.defaultId);
  assert.deepEqual([command.id, command.command, command.arguments], [id, 'true', ['a']]);
  assert.equal(command.sync.before[0]?.prefix, 'in/');
  assert.equal(await source.extend(job), true);
  await source.done(job, result('answered'));
  assert.equal(mock.find(id).status, 'completed');
  assert.deepEqual(await source.claim(1, RUNNING), []);
});

test("a job that has failed is another machine's, and failed for good after its last failure", async (t) => {
  const { mock, source, open, logs } = await rig(t);
  const { id } = mock.add({ ...JOB, max_failures: 2 });
  await source.done(await claimOne(source), result('failed'));
  assert.ok(mock.isBanned('m1', id));
  assert.ok(JSON.stringify(logs).includes('failed'));
  silence(mock, id);
  assert.deepEqual(await source.claim(1, RUNNING), []);
  const other = await open('m2');
  await other.done(await claimOne(other), result('unreadable'));
  assert.equal(mock.find(id).status, 'failed');
});

test('nothing is reported of a job that was cancelled, was given to another machine or is gone', async (t) => {
  const { mock, source, open } = await rig(t);
  const ends: ((id: string) => Promise<void> | void)[] = [
    (id) => mock.cancel(id),
    async (id) => {
      silence(mock, id);
      await claimOne(await open('m2'));
    },
    (id) => void mock.jobs.splice(mock.jobs.indexOf(mock.find(id)), 1),
  ];
  for (const end of ends) {
    const { id } = mock.add(JOB);
    const job = await claimOne(source);
    assert.equal(job.id, id);
    await end(id);
    assert.equal(await source.extend(job), false);
    for (const kind of ['answered', 'failed'] as const)
      await assert.rejects(source.done(job, result(kind)), LeaseLostError);
  }
  assert.deepEqual([...new Set(mock.reports.map(({ what }) => what))], ['heartbeat']);
});

test('the API is asked again after a while, until the worker is stopped', async (t) => {
  const { mock, source, open } = await rig(t);
  assert.deepEqual(await source.claim(1, RUNNING), []);
  const stop = new AbortController();
  const patient = await open('m2', 3_600_000);
  const asked = new Promise<void>(
    (resolve) =>
      (mock.fault = () => {
        resolve();
        return undefined;
      }),
  );
  const claimed = patient.claim(1, stop.signal);
  await asked;
  stop.abort();
  assert.deepEqual(await claimed, []);
});

test('a node without work for too long is left: it may be banned from all there is', async (t) => {
  const clock = new FakeClock();
  let tell: (reason: string) => void = () => undefined;
  const told = new Promise<string>((resolve) => (tell = resolve));
  const node = {
    reallocate: (reason: string) => {
      tell(reason);
      return Promise.resolve();
    },
  };
  const { mock, source, open } = await rig(t, { clock, node, idleLimitMs: 60_000 });
  const { id } = mock.add(JOB);
  await source.done(await claimOne(source), result('failed'));
  silence(mock, id);
  mock.add(JOB);
  await clock.advance(60_000);
  const ended = assert.rejects(source.claim(1, RUNNING), (error: unknown) => error instanceof SourceError);
  assert.equal(await told, 'Kelpie: there was no work for 60 s');
  await clock.advance(300_000);
  await ended;
  assert.equal((await claimOne(await open('m2'))).id, id);
});

test('a node on which jobs fail one after the other is left; where that cannot be had the worker ends', async (t) => {
  const { mock, source } = await rig(t, { mostFailures: 2 });
  const fail = async (kind: ResultKind): Promise<void> => {
    mock.add({ ...JOB, max_failures: 1 });
    await source.done(await claimOne(source), result(kind));
  };
  for (const kind of ['failed', 'answered', 'failed', 'unreadable'] as const) await fail(kind);
  await assert.rejects(source.claim(1, RUNNING), (error: unknown) => {
    assert.ok(error instanceof SourceError);
    assert.match(error.message, /2 jobs in a row have failed, and this node cannot be replaced: only SaladCloud/);
    return true;
  });
});

test('a node that is being replaced takes no more jobs, and can be stopped', async (t) => {
  const stop = new AbortController();
  const node = {
    reallocate: () => {
      stop.abort();
      return Promise.resolve();
    },
  };
  const { mock, source } = await rig(t, { mostFailures: 1, node });
  mock.add({ ...JOB, max_failures: 1 });
  await source.done(await claimOne(source), result('failed'));
  mock.add(JOB);
  assert.deepEqual(await source.claim(1, stop.signal), []);
});

test('a report whose answer is lost is not made twice; one that did not arrive is made again', async (t) => {
  const { mock, source } = await rig(t);
  for (const fault of ['lost', 'error'] as const) {
    const { id } = mock.add(JOB);
    const job = await claimOne(source);
    mock.fault = ({ path }) => (path.endsWith('/completed') ? fault : undefined);
    await assert.rejects(source.done(job, result('answered')));
    mock.fault = undefined;
    await source.done(job, result('answered'));
    assert.equal(mock.find(id).status, 'completed');
  }
  assert.equal(mock.reports.filter(({ what }) => what === 'completed').length, 2);
});

test('a key that is refused is told at start; an API that is away is not', async (t) => {
  const { mock, logs } = await rig(t);
  const options = { server, node: undefined, clock: systemClock, idleLimitMs: 0, mostFailures: 5, pollMs: 1 };
  const log = { warn: (fields: unknown) => void logs.push(fields) } as never;
  await assert.rejects(KelpieSource.open({ ...options, log, api: apiOf(mock.url, 'm', 'wrong') }), /Invalid API Key/);
  mock.fault = () => 'break';
  await KelpieSource.open({ ...options, log, api: apiOf(mock.url, 'm') });
  assert.equal(logs.length, 1);
});

test('buckets that are named as they were before sync are refused: the command would run without its input', async (t) => {
  const { mock, source } = await rig(t);
  const job = mock.add(JOB);
  Object.assign(job, { sync: null, input_bucket: 'b', checkpoint_bucket: null });
  assert.match((await claimOne(source)).problem ?? '', /input_bucket is not read/);
});

test('a job with members that the API should not have let in is unreadable, not unseen', async (t) => {
  const { mock, source } = await rig(t);
  Object.assign(mock.add(JOB), { command: '', heartbeat_interval: 'x', compression: 1, machine_id: null });
  const job = await claimOne(source);
  assert.equal(job.leaseMs, 59_000);
  assert.throws(() => readCommandJob(job.bytes, job.defaultId), JobError);
});
