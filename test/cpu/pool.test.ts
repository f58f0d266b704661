import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import type { CallJob } from '../../src/cpu/protocol.ts';
import { ServerError } from '../../src/errors.ts';
import { Cancellation } from '../../src/serving/cancellation.ts';
import type { Prepared } from '../../src/tasks/task.ts';
import { watchWorkers } from '../lanes/threads.ts';
import { elements } from '../onnx/models.ts';
import { refusal, sourceFor } from '../tasks/support.ts';
import { NUMBERS, openPool, prepareJob } from './support.ts';

test('a thread that dies is replaced: the next request is served', { timeout: 20_000 }, async (t) => {
  const workers = watchWorkers(t);
  const pool = openPool(t);
  const prepare = async () => (await pool.run(prepareJob({ kind: 'json', value: 2 }))) as Prepared;
  await prepare();
  await workers[0]?.terminate();
  assert.deepEqual(elements((await prepare()).inputs['x']), [2]);
});

const prepareTwo = prepareJob({ kind: 'json', value: 2 });

/** A task of the user's own whose `prepare` never comes back. */
async function hangingTask(t: TestContext, body: string): Promise<CallJob> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-cpu-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'task.mjs');
  await writeFile(file, `export function prepare() { ${body} } export function finish() { return 1; }`);
  const source = sourceFor(file, NUMBERS, { key: `hang/1#${folder}`, folder });
  return prepareJob({ kind: 'json', value: 1 }, source);
}

for (const [what, body] of [
  ['a promise that never settles', 'return new Promise(() => undefined);'],
  ['an endless loop', 'for (;;);'],
] as const)
  test(`${what} costs its own client a 504, and its thread is replaced`, { timeout: 60_000 }, async (t) => {
    const errors: unknown[] = [];
    const pool = openPool(t, (error) => errors.push(error));
    await assert.rejects(pool.run(await hangingTask(t, body), { limitMs: 300 }), refusal('DEADLINE_EXCEEDED'));
    assert.deepEqual(elements(((await pool.run(prepareTwo)) as Prepared).inputs['x']), [2]);
    assert.match(String(errors[0]), /stuck/);
  });

test('a thread that takes memory without end is ended alone, at 1 GiB', { timeout: 60_000 }, async (t) => {
  const errors: unknown[] = [];
  const pool = openPool(t, (error) => errors.push(error));
  // Far below where V8 would end it, and mostly the process with it: 4 GB where there is memory.
  const body = 'const all = []; while (all.length < 1600) all.push(new Array(125_000).fill(1.5)); return 1;';
  await assert.rejects(pool.run(await hangingTask(t, body), { limitMs: 30_000 }), (error: unknown) => {
    const { cause } = error as { cause?: { code?: string } };
    return error instanceof ServerError && error.code === 'INTERNAL' && cause?.code === 'ERR_WORKER_OUT_OF_MEMORY';
  });
  assert.deepEqual(elements(((await pool.run(prepareTwo)) as Prepared).inputs['x']), [2]);
});

test('what waits for a thread leaves with its client and with its time', { timeout: 60_000 }, async (t) => {
  const pool = openPool(t);
  const hanging = assert.rejects(
    pool.run(await hangingTask(t, 'return new Promise(() => undefined);'), { limitMs: 500 }),
    refusal('DEADLINE_EXCEEDED'),
  );
  const cancellation = new Cancellation();
  const leaving = pool.run(prepareTwo, { limitMs: 20_000, cancellation });
  const late = pool.run(prepareTwo, { limitMs: 100 });
  cancellation.cancel();
  await assert.rejects(leaving, refusal('CANCELLED'));
  await assert.rejects(late, refusal('DEADLINE_EXCEEDED'));
  await hanging;
});

test(
  'a request forgets a call that has ended; a call whose time is up takes no thread',
  { timeout: 60_000 },
  async (t) => {
    const pool = openPool(t);
    const cancellation = new Cancellation();
    for (let calls = 0; calls < 3; calls += 1) await pool.run(prepareTwo, { limitMs: 20_000, cancellation });
    assert.equal(cancellation.size, 0);
    const hanging = await hangingTask(t, 'return new Promise(() => undefined);');
    for (const limitMs of [0, -5])
      await assert.rejects(pool.run(hanging, { limitMs, cancellation }), refusal('DEADLINE_EXCEEDED'));
    assert.deepEqual(elements(((await pool.run(prepareTwo)) as Prepared).inputs['x']), [2]);
    assert.equal(cancellation.size, 0);
  },
);

test('threads drop the task of an unloaded model once no call of it runs', { timeout: 60_000 }, async (t) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-cpu-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'task.mjs');
  // Counts how often it is set up: a dropped task is made again.
  await writeFile(
    file,
    `let made = 0;
     export function setup() { return (made += 1); }
     export function prepare(item, { state }) { return { inputs: { x: { data: [state], shape: [1] } } }; }
     export function finish() { return 1; }`,
  );
  const pool = openPool(t);
  const source = sourceFor(file, NUMBERS, { key: 'gone/1#1', folder });
  const prepare = async () => (await pool.run(prepareJob({ kind: 'json', value: 1 }, source))) as Prepared;
  const madeAs = async (): Promise<unknown> => elements((await prepare()).inputs['x'])[0];
  assert.deepEqual([await madeAs(), await madeAs()], [1, 1]);
  const running = madeAs();
  pool.forget('gone/1#1');
  assert.equal(await running, 1);
  // The message reaches the thread behind calls that were sent before it.
  let made: unknown = 1;
  while (made === 1) made = await madeAs();
  assert.equal(made, 2);
});
