import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { ServerError } from '../../src/errors.ts';
import { CpuPool, type CpuAnswers, type CpuLimits, type CpuRequest } from '../../src/cpu/pool.ts';
import { Cancellation } from '../../src/serving/cancellation.ts';
import { fromTypedArray, type Signature, type Tensor } from '../../src/tensors/tensor.ts';
import { jsonOf, openShipped, pathOf, raw, refusal, run, sourceFor, spec } from '../tasks/support.ts';
import { elements, tensor } from '../onnx/models.ts';
import { watchWorkers } from '../lanes/threads.ts';

/** Most tests do not care for the limit. */
class PatientPool extends CpuPool {
  override run<Kind extends CpuRequest['kind']>(
    request: Extract<CpuRequest, { kind: Kind }>,
    limits: CpuLimits = { limitMs: 20_000 },
  ): Promise<CpuAnswers[Kind]> {
    return super.run(request, limits);
  }
}

function openPool(t: TestContext, onError: (error: unknown) => void = () => undefined): PatientPool {
  const pool = new PatientPool(1, onError);
  t.after(() => pool.close());
  return pool;
}

const NUMBERS: Signature = {
  inputs: [spec('x', 'FP64', [-1])],
  outputs: [spec('y', 'FP64', [-1])],
  batchable: true,
};
const numbers = sourceFor('tensors', NUMBERS);

test('prepares and finishes as the task itself does', async (t) => {
  const pool = openPool(t);
  const prepared = await pool.run({ kind: 'prepare', source: numbers, item: { kind: 'json', value: 4 } });
  assert.deepEqual(elements(prepared.inputs['x']), [4]);
  const reply = await pool.run({
    kind: 'finish',
    source: numbers,
    outputs: { y: tensor('FP64', [1], [16]) },
    memo: prepared.memo,
  });
  assert.ok('jsonText' in reply);
  assert.equal(Buffer.from(reply.jsonText).toString(), '16');
});

test('a picture goes through prepare, run and finish, and its bytes are given away', async (t) => {
  const pool = openPool(t);
  const signature: Signature = {
    inputs: [spec('image', 'FP32', [-1, -1, -1, 3])],
    outputs: [spec('upscaled', 'FP32', [-1, -1, -1, 3])],
    batchable: true,
  };
  const manifest = JSON.parse(await readFile(pathOf('models/super-resolution/model.json'), 'utf8')) as {
    task: string;
    options?: Record<string, unknown>;
  };
  const shipped = await openShipped('super-resolution', signature);
  const source = sourceFor(manifest.task, signature, { options: manifest.options ?? {} });
  const bytes = new Uint8Array(await readFile(pathOf('models/super-resolution/example.png')));
  const prepared = await pool.run({ kind: 'prepare', source, item: raw('image/png', bytes) });
  assert.equal(bytes.byteLength, 0);
  const outputs = await run(shipped.session, prepared);
  const reply = await pool.run({ kind: 'finish', source, outputs, memo: prepared.memo });
  assert.ok('contentType' in reply);
  assert.equal(reply.contentType, 'image/png');
  assert.deepEqual([...reply.bytes.subarray(1, 4)], [...Buffer.from('PNG')]);
});

test("the task's refusals keep their code and text", async (t) => {
  const pool = openPool(t);
  const wrong = pool.run({ kind: 'prepare', source: numbers, item: { kind: 'json', value: 'seven' } });
  await assert.rejects(wrong, refusal('INVALID_INPUT'));
  const raws = pool.run({ kind: 'prepare', source: numbers, item: raw('text/plain', new Uint8Array(2)) });
  await assert.rejects(raws, refusal('UNSUPPORTED_MEDIA_TYPE'));
});

test('anything else becomes INTERNAL; the detail is the cause, for the log alone', async (t) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-cpu-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'task.mjs');
  await writeFile(
    file,
    `export function prepare() { throw new TypeError('secret detail'); }
     export function finish() { return 1; }`,
  );
  const pool = openPool(t);
  const source = sourceFor(file, NUMBERS, { key: 'own/1#1', folder });
  await assert.rejects(pool.run({ kind: 'prepare', source, item: { kind: 'json', value: 1 } }), (error: unknown) => {
    assert.ok(error instanceof ServerError);
    assert.equal(error.code, 'INTERNAL');
    assert.doesNotMatch(error.message, /secret/);
    assert.match((error.cause as Error).message, /secret detail/);
    return true;
  });
});

test('a large native body is decoded and prepared in one go; a bad item is refused by itself', async (t) => {
  const pool = openPool(t);
  const decode = (text: string, itemLimit = 10) =>
    pool.run({
      kind: 'decodeNative',
      source: numbers,
      contentType: 'application/json',
      body: new Uint8Array(Buffer.from(text)),
      itemLimit,
    });
  const { single, items } = await decode('{"items":[1,"x",3]}');
  assert.equal(single, false);
  assert.deepEqual(
    items.map((item) => (item.kind === 'prepared' ? elements(item.prepared.inputs['x']) : 'code' in item && item.code)),
    [[1], 'INVALID_INPUT', [3]],
  );
  assert.equal((await decode('{"data":1}')).single, true);
  await assert.rejects(decode('{"data":'), refusal('BAD_REQUEST'));
  await assert.rejects(decode('{"items":[1,2,3]}', 2), refusal('TOO_LARGE'));
});

test('OIP bodies are decoded and encoded', async (t) => {
  const pool = openPool(t);
  const model = { name: 'm', signature: NUMBERS, maxItems: 8 };
  const text = '{"id":"a","inputs":[{"name":"x","shape":[2],"datatype":"FP64","data":[1.5,2]}]}';
  const body = new Uint8Array(Buffer.from(text));
  const request = await pool.run({ kind: 'decodeInfer', body, headerLength: undefined, model });
  assert.deepEqual([request.rows, elements(request.inputs[0])], [2, [1.5, 2]]);
  const outputs: Tensor[] = [fromTypedArray('FP64', [2], new Float64Array([2.25, 4]))];
  const wanted = { id: 'a', outputs: request.outputs };
  const answer = await pool.run({
    kind: 'encodeInfer',
    request: wanted,
    outputs,
    model: { name: 'm', version: '1', signature: NUMBERS },
  });
  const reply = JSON.parse(Buffer.concat(answer.chunks).toString()) as { id: string; outputs: { data: number[] }[] };
  assert.deepEqual([reply.id, reply.outputs[0]?.data], ['a', [2.25, 4]]);
  const bad = new Uint8Array(Buffer.from('{"inputs":[]}'));
  await assert.rejects(pool.run({ kind: 'decodeInfer', body: bad, headerLength: undefined, model }), ServerError);
});

test('a thread that dies is replaced: the next request is served', { timeout: 20_000 }, async (t) => {
  const workers = watchWorkers(t);
  const pool = openPool(t);
  const prepare = () => pool.run({ kind: 'prepare', source: numbers, item: { kind: 'json', value: 2 } });
  await prepare();
  await workers[0]?.terminate();
  assert.deepEqual(elements((await prepare()).inputs['x']), [2]);
});

test('a reply stays JSON on the main thread and becomes text on a CPU thread, with equal content', async (t) => {
  const pool = openPool(t);
  const outputs = (): Record<string, Tensor> => ({ y: tensor('FP64', [1], [0.1]) });
  const { createTask } = await import('../../src/tasks/registry.ts');
  const task = await createTask(numbers);
  const here = jsonOf(await task.finish(outputs(), undefined));
  const there = await pool.run({ kind: 'finish', source: numbers, outputs: outputs(), memo: undefined });
  assert.ok('jsonText' in there);
  assert.deepEqual(JSON.parse(Buffer.from(there.jsonText).toString()), here);
});

const prepareTwo = { kind: 'prepare', source: numbers, item: { kind: 'json', value: 2 } } as const;

/** A task of the user's own whose `prepare` never comes back. */
async function hangingTask(t: TestContext, body: string): Promise<Extract<CpuRequest, { kind: 'prepare' }>> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-cpu-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'task.mjs');
  await writeFile(file, `export function prepare() { ${body} } export function finish() { return 1; }`);
  const source = sourceFor(file, NUMBERS, { key: `hang/1#${folder}`, folder });
  return { kind: 'prepare', source, item: { kind: 'json', value: 1 } };
}

for (const [what, body] of [
  ['a promise that never settles', 'return new Promise(() => undefined);'],
  ['an endless loop', 'for (;;);'],
] as const)
  test(`${what} costs its own client a 504, and its thread is replaced`, { timeout: 60_000 }, async (t) => {
    const errors: unknown[] = [];
    const pool = openPool(t, (error) => errors.push(error));
    await assert.rejects(pool.run(await hangingTask(t, body), { limitMs: 300 }), refusal('DEADLINE_EXCEEDED'));
    assert.deepEqual(elements((await pool.run(prepareTwo)).inputs['x']), [2]);
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
  assert.deepEqual(elements((await pool.run(prepareTwo)).inputs['x']), [2]);
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
  'a call that has ended is forgotten by its request; one whose time is up takes no thread',
  { timeout: 60_000 },
  async (t) => {
    const pool = openPool(t);
    const cancellation = new Cancellation();
    for (let calls = 0; calls < 3; calls += 1) await pool.run(prepareTwo, { limitMs: 20_000, cancellation });
    assert.equal(cancellation.size, 0);
    const hanging = await hangingTask(t, 'return new Promise(() => undefined);');
    for (const limitMs of [0, -5])
      await assert.rejects(pool.run(hanging, { limitMs, cancellation }), refusal('DEADLINE_EXCEEDED'));
    assert.deepEqual(elements((await pool.run(prepareTwo)).inputs['x']), [2]);
    assert.equal(cancellation.size, 0);
  },
);

test('threads let go of the task of a model that is gone, once nothing of it runs', { timeout: 60_000 }, async (t) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-cpu-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'task.mjs');
  // Counts how often it is set up: a task that is let go of is made anew.
  await writeFile(
    file,
    `let made = 0;
     export function setup() { return (made += 1); }
     export function prepare(item, { state }) { return { inputs: { x: { data: [state], shape: [1] } } }; }
     export function finish() { return 1; }`,
  );
  const pool = openPool(t);
  const source = sourceFor(file, NUMBERS, { key: 'gone/1#1', folder });
  const prepare = () => pool.run({ kind: 'prepare', source, item: { kind: 'json', value: 1 } });
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
