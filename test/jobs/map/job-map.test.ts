import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { test, type TestContext } from 'node:test';
import { JobMap } from '../../../src/jobs/map/job-map.ts';
import type { JobResult, ResultKind } from '../../../src/jobs/result.ts';
import type { ClaimedJob } from '../../../src/jobs/source.ts';
import { FakeClock } from '../../core/fake-clock.ts';

const LIMIT_MS = 1000;

async function rig(t: TestContext, source: string, name = 'map.mjs') {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-map-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, name);
  // How often a function was begun, as `begun()` in the module's code writes it.
  const marks = path.join(folder, 'begun');
  const begun = `import { appendFileSync } from 'node:fs'; const begun = () => appendFileSync(${JSON.stringify(marks)}, '.');\n`;
  await writeFile(file, begun + source);
  const clock = new FakeClock();
  const open = async (): Promise<JobMap> => {
    const map = await JobMap.open({ file, limitMs: LIMIT_MS, clock });
    t.after(() => map.close());
    return map;
  };
  const begunTimes = async (times: number): Promise<void> => {
    const endMs = performance.now() + 60_000;
    while (!existsSync(marks) || readFileSync(marks).length < times) {
      assert.ok(performance.now() < endMs, `the function was not begun ${times} times`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  return { file, clock, open, begunTimes };
}

const claimed = (message: unknown): ClaimedJob => ({
  bytes: Buffer.from(typeof message === 'string' ? message : JSON.stringify(message)),
});

/** Serves a job with the job itself as its answer. */
async function echo({ bytes, problem }: ClaimedJob, kind: ResultKind = 'answered'): Promise<JobResult> {
  if (problem !== undefined)
    return Promise.resolve({ line: Buffer.from(JSON.stringify({ problem })), kind: 'unreadable' });
  return Promise.resolve({ line: bytes, kind });
}

async function serve(map: JobMap, message: unknown, kind?: ResultKind) {
  const result = await map.serve(claimed(message), (job) => echo(job, kind));
  assert.ok(result !== undefined && 'kind' in result);
  return { kind: result.kind, value: JSON.parse(Buffer.from(result.line).toString()) as unknown };
}

test('a message becomes a job, and its result a report', async (t) => {
  const { open } = await rig(
    t,
    `export const toJob = async ({ vid }) => ({ custom_id: String(vid), url: '/predict', body: { data: vid } });
     export const toReport = (result, message) => ({ vid: message.vid, answer: result.body.data });`,
  );
  const map = await open();
  assert.deepEqual(await serve(map, { vid: 7 }), { kind: 'answered', value: { vid: 7, answer: 7 } });
  assert.deepEqual(await serve(map, { vid: 7 }, 'refused'), { kind: 'refused', value: { vid: 7, answer: 7 } });
  // It may be tried again: only an end is reported.
  const { value } = await serve(map, { vid: 7 }, 'failed');
  assert.deepEqual(value, { custom_id: '7', url: '/predict', body: { data: 7 } });
});

test('without toReport the result stays as it is, and a message that is not JSON comes as text', async (t) => {
  const { open } = await rig(t, `export const toJob = (message) => ({ message });`);
  assert.deepEqual(await serve(await open(), 'not { JSON'), { kind: 'answered', value: { message: 'not { JSON' } });
});

test('a message that the module cannot understand, or makes nothing of, is unreadable with the reason', async (t) => {
  const { open } = await rig(
    t,
    `export function toJob(message) {
       if (message === 'nothing') return undefined;
       throw new TypeError('no video in ' + message);
     }`,
  );
  const map = await open();
  assert.deepEqual(await serve(map, 'x'), { kind: 'unreadable', value: { problem: 'JOB_MAP: toJob: no video in x' } });
  const { value } = await serve(map, 'nothing');
  assert.deepEqual(value, { problem: 'JOB_MAP: toJob: it returned nothing that JSON has' });
});

test('a report that cannot be made leaves the result in the dead letter', async (t) => {
  const { open } = await rig(
    t,
    `export const toJob = (message) => message;
     export const toReport = () => { throw new Error('no sender'); };`,
  );
  const { kind, value } = await serve(await open(), { a: 1 });
  assert.equal(kind, 'unreadable');
  const { error, result } = value as { error: unknown; result: unknown };
  assert.deepEqual(error, { code: 'map_failed', message: 'JOB_MAP: toReport: no sender' });
  assert.deepEqual(result, { a: 1 });
});

test('a call that never ends is the only one that fails', async (t) => {
  const { open, clock, begunTimes } = await rig(
    t,
    `export const toJob = (message) => {
       if (message.spin) { begun(); for (;;); }
       return message;
     };`,
  );
  const map = await open();
  const spins = serve(map, { spin: true });
  const good = serve(map, { good: true });
  await begunTimes(1);
  await clock.advance(LIMIT_MS);
  await begunTimes(2);
  await clock.advance(LIMIT_MS);
  assert.deepEqual(await spins, {
    kind: 'unreadable',
    value: { problem: 'JOB_MAP: toJob: toJob took longer than 1000 ms' },
  });
  assert.deepEqual(await good, { kind: 'answered', value: { good: true } });
  assert.deepEqual(await serve(map, { after: 1 }), { kind: 'answered', value: { after: 1 } });
});

test('a module that ends its thread fails its own call alone', async (t) => {
  const { open } = await rig(
    t,
    `export const toJob = (message) => {
       if (message.end) process.exit(3);
       if (message.throws) { setImmediate(() => { throw new Error('uncaught'); }); return new Promise(() => {}); }
       return message;
     };`,
  );
  const map = await open();
  const [ends, throws, good] = await Promise.all([
    serve(map, { end: true }),
    serve(map, { throws: true }),
    serve(map, { good: true }),
  ]);
  assert.deepEqual(ends.value, { problem: 'JOB_MAP: toJob: its thread ended with code 3' });
  assert.deepEqual(throws.value, { problem: 'JOB_MAP: toJob: uncaught' });
  assert.deepEqual(good.value, { good: true });
});

test('a module that is gone when its thread ends makes jobs fail, which may come again', async (t) => {
  const { open, file } = await rig(t, 'export const toJob = (message) => (message.end ? process.exit(1) : message);');
  const map = await open();
  await rm(file);
  const { kind, value } = await serve(map, { end: true });
  assert.equal(kind, 'failed');
  assert.equal((value as { error: { code: string } }).error.code, 'map_lost');
});

test('a module that cannot be loaded, or lacks toJob, is refused with the reason', async (t) => {
  await assert.rejects((await rig(t, 'export const other = 1;')).open(), /it must export a function toJob/);
  await assert.rejects((await rig(t, 'export const toJob = 1;')).open(), /it must export a function toJob/);
  await assert.rejects((await rig(t, 'this is not code')).open(), /Unexpected|Invalid/);
  const { file, clock } = await rig(t, '');
  await assert.rejects(JobMap.open({ file: `${file}.none`, limitMs: LIMIT_MS, clock }), /Cannot find module/);
});

test(
  'a module may be TypeScript',
  { skip: (process.features as { typescript?: unknown }).typescript ? false : 'this Node does not strip types' },
  async (t) => {
    const { open } = await rig(
      t,
      'export const toJob = (message: { a: number }): unknown => ({ b: message.a });',
      'map.mts',
    );
    assert.deepEqual(await serve(await open(), { a: 1 }), { kind: 'answered', value: { b: 1 } });
  },
);
