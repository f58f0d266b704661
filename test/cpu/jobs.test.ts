import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { packChunks, unpackChunks } from '../../src/cpu/parcel.ts';
import type { CpuModels, DecodedItems, PreparedItem, RanItem } from '../../src/cpu/protocol.ts';
import { ServerError, type PlainError } from '../../src/errors.ts';
import type { Outputs, Prepared, TaskSource } from '../../src/tasks/task.ts';
import { fromTypedArray, type Signature, type Tensor } from '../../src/tensors/tensor.ts';
import { elements, tensor } from '../onnx/models.ts';
import { openShipped, pathOf, raw, refusal, run, sourceFor, spec } from '../tasks/support.ts';
import { NUMBERS, numbers, openPool, prepareJob, type PatientPool } from './support.ts';

/** What CPU threads do. */

const HEAD = { id: 'r', model: 'm', version: '1', created: 1 };

/** Finishes one item and writes it as the native API does. */
async function finish(pool: PatientPool, source: TaskSource, outputs: Outputs, memo?: unknown) {
  const { answer, failed } = await pool.run<'encode'>({
    kind: 'encode',
    of: 'items',
    operation: 'native.predict',
    source,
    head: { ...HEAD, accept: 'image/png' },
    results: { values: [{ outputs, memo }] },
    options: { kind: 'single', raw: false },
  });
  assert.ok('chunks' in answer);
  assert.deepEqual(failed, []);
  return { contentType: answer.contentType, bytes: Buffer.concat(answer.chunks) };
}

test('prepares and finishes as the task itself does', async (t) => {
  const pool = openPool(t);
  const prepared = (await pool.run(prepareJob({ kind: 'json', value: 4 }))) as Prepared;
  assert.deepEqual(elements(prepared.inputs['x']), [4]);
  const reply = await finish(pool, numbers, { y: tensor('FP64', [1], [16]) }, prepared.memo);
  assert.equal(reply.bytes.toString(), '{"result":16}');
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
  const prepared = (await pool.run(prepareJob(raw('image/png', bytes), source))) as Prepared;
  assert.equal(bytes.byteLength, 0);
  const outputs = await run(shipped.session, prepared);
  const reply = await finish(pool, source, outputs, prepared.memo);
  assert.equal(reply.contentType, 'image/png');
  assert.deepEqual([...reply.bytes.subarray(1, 4)], [...Buffer.from('PNG')]);
});

test("the task's refusals keep their code and text", async (t) => {
  const pool = openPool(t);
  const wrong = pool.run(prepareJob({ kind: 'json', value: 'seven' }));
  await assert.rejects(wrong, refusal('INVALID_INPUT'));
  const raws = pool.run(prepareJob(raw('text/plain', new Uint8Array(2))));
  await assert.rejects(raws, refusal('UNSUPPORTED_MEDIA_TYPE'));
});

/** A task of the user's own, of this code. */
async function ownTask(t: TestContext, code: string): Promise<TaskSource> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-cpu-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'task.mjs');
  await writeFile(file, code);
  return sourceFor(file, NUMBERS, { key: 'own/1#1', folder });
}

test('anything else becomes INTERNAL; the detail is the cause, for the log alone', async (t) => {
  const source = await ownTask(
    t,
    `export function prepare() { throw new TypeError('secret detail'); }
     export function finish() { return 1; }`,
  );
  const pool = openPool(t);
  await assert.rejects(pool.run(prepareJob({ kind: 'json', value: 1 }, source)), (error: unknown) => {
    assert.ok(error instanceof ServerError);
    assert.equal(error.code, 'INTERNAL');
    assert.doesNotMatch(error.message, /secret/);
    assert.match((error.cause as Error).message, /secret detail/);
    return true;
  });
});

/** A model of numbers that has so much room, as the one that every body is for. */
const given = (room: number, source = numbers): CpuModels => ({
  all: [{ name: 'm', version: '1', aliases: [], isCurrent: true, source, room }],
  unnamed: source.key,
  isGiven: true,
  takesAnyName: false,
});

/** What a thread makes of a native body. */
async function decode(pool: PatientPool, text: string, { itemLimit = 100, room = 100, source = numbers } = {}) {
  const decoded = await pool.run<'decode'>({
    kind: 'decode',
    operation: 'native.predict',
    body: new Uint8Array(Buffer.from(text)),
    context: { contentType: 'application/json', itemLimit },
    models: { 'native.predict': given(room, source) },
  });
  return decoded;
}

function itemsOf({ request }: DecodedItems): unknown[] {
  assert.ok(request !== undefined && 'values' in request.items);
  return request.items.values.map((item) => {
    if (item.kind === 'prepared') return elements(item.prepared.inputs['x']);
    return item.kind === 'refused' ? item.code : item;
  });
}

test('a body is decoded and prepared by one job; a bad item is refused by itself', async (t) => {
  const pool = openPool(t);
  const many = await decode(pool, '{"items":[1,"x",3]}');
  assert.ok(many.kind === 'items');
  assert.deepEqual([many.count, itemsOf(many)], [3, [[1], 'INVALID_INPUT', [3]]]);
  assert.deepEqual(many.request?.options, { kind: 'many', raw: false });
  const wrong = await decode(pool, '{"items":[1,2],"parameters":{"colour":1}}');
  assert.ok(wrong.kind === 'items' && wrong.request !== undefined && 'values' in wrong.request.items);
  const params = wrong.request.items.values.map((item) => (item.kind === 'refused' ? item.param : item));
  assert.deepEqual(params, ['colour', 'colour']);
  const one = await decode(pool, '{"data":1}');
  assert.ok(one.kind === 'items');
  assert.deepEqual(itemsOf(one), [[1]]);
  for (const [text, code] of [
    ['{"data":', 'BAD_REQUEST'],
    ['{"items":[1,2,3]}', 'TOO_LARGE'],
  ] as const) {
    const refused = await decode(pool, text, { itemLimit: 2 });
    assert.ok(refused.kind === 'refused');
    assert.deepEqual([refused.error.code, refused.operation], [code, 'native.predict']);
  }
});

test('nothing is prepared of a request that its model has no room for', async (t) => {
  const pool = openPool(t);
  const decoded = await decode(pool, '{"items":[1,2,3]}', { room: 2 });
  assert.ok(decoded.kind === 'items');
  assert.deepEqual([decoded.count, decoded.request, decoded.key], [3, undefined, undefined]);
});

test('items of a task with `reading` are read by the job that decodes them, each refused by itself', async (t) => {
  const voice = pathOf('test/tasks/text-to-speech/vits');
  const signature: Signature = {
    inputs: [spec('input_ids', 'INT64', [-1, -1], null), spec('attention_mask', 'INT64', [-1, -1], null)],
    outputs: [spec('waveform', 'FP32', [-1, -1], null)],
    batchable: false,
  };
  const files = {
    config: `${voice}/config.json`,
    vocabulary: `${voice}/vocab.json`,
    tokenizerConfig: `${voice}/tokenizer_config.json`,
  };
  const source = sourceFor('text-to-speech', signature, { files });
  const long = 'a'.repeat(5000);
  const decoded = await decode(openPool(t), JSON.stringify({ items: ['Good day.', long] }), { source });
  assert.ok(decoded.kind === 'items');
  const [read, refused] = itemsOf(decoded);
  const { kind, read: script } = read as { kind: string; read: { characters: number; spoken: object } };
  assert.deepEqual([kind, script.characters, Object.keys(script.spoken)], ['read', 9, ['ids']]);
  assert.equal(refused, 'TOO_LARGE');
});

test('a body for another dialect is reported as that', async (t) => {
  const pool = openPool(t);
  const refused = await decode(pool, '{"inputs":5}');
  assert.ok(refused.kind === 'refused');
  assert.deepEqual([refused.operation, refused.error.code], ['tei.predict', 'INVALID_INPUT']);
});

test('in a large request each item is finished with its own memo, though others failed before it', async (t) => {
  const pool = openPool(t);
  const source = await ownTask(
    t,
    `export function prepare({ value }) {
       if (value === 1) throw Object.assign(new Error('bad'), { status: 422 });
       if (value === 2) throw new TypeError('secret detail');
       return { inputs: { x: { data: [value], shape: [1] } }, memo: value };
     }
     export const finish = (outputs, context, memo) => memo;`,
  );
  const values = Array.from({ length: 70 }, (_, index) => index);
  const decoded = await decode(pool, JSON.stringify({ items: values }), { source });
  assert.ok(decoded.kind === 'items' && decoded.request !== undefined && 'chunks' in decoded.request.items);
  const { items, luggage } = decoded.request;
  const results: RanItem[] = [];
  await unpackChunks(items.chunks, (item) => {
    const { kind, ...error } = item as PreparedItem;
    results.push(kind === 'refused' ? { error: error as PlainError } : { outputs: { y: tensor('FP64', [1], [0]) } });
  });
  const { answer } = await pool.run<'encode'>({
    ...{ kind: 'encode', of: 'items', operation: 'native.predict', source, head: HEAD },
    ...{ results: { chunks: await packChunks(results) }, options: undefined, luggage },
  });
  assert.ok('chunks' in answer);
  const told = JSON.parse(Buffer.concat(answer.chunks).toString()) as { results: { result?: number; code?: string }[] };
  assert.deepEqual(
    told.results.map(({ result, code }) => result ?? code),
    values.map((value) => ['INVALID_INPUT', 'INTERNAL'][value - 1] ?? value),
  );
});

test('many items come and go in chunks, with what only threads need unread', async (t) => {
  const pool = openPool(t);
  const values = Array.from({ length: 100 }, (_, index) => index);
  const decoded = await decode(pool, JSON.stringify({ items: values }));
  assert.ok(decoded.kind === 'items');
  const { items, luggage } = decoded.request ?? {};
  assert.ok(items !== undefined && 'chunks' in items && items.chunks.length === 2);
  const seen: unknown[] = [];
  await unpackChunks(items.chunks, (item) => {
    seen.push(...elements((item as { prepared: Prepared }).prepared.inputs['x']));
  });
  assert.deepEqual(seen, values);
  const results = values.map((value) => ({ outputs: { y: tensor('FP64', [1], [value * value]) } }));
  const { answer } = await pool.run<'encode'>({
    kind: 'encode',
    of: 'items',
    operation: 'native.predict',
    source: numbers,
    head: HEAD,
    results: { chunks: await packChunks(results) },
    options: undefined,
    luggage,
  });
  assert.ok('chunks' in answer);
  const told = JSON.parse(Buffer.concat(answer.chunks).toString()) as { results: { result: number }[] };
  assert.deepEqual(
    told.results.map(({ result }) => result),
    values.map((value) => value * value),
  );
});

test('OIP bodies are decoded and encoded', async (t) => {
  const pool = openPool(t);
  const tensorModel = { name: 'm', version: '1', signature: NUMBERS, maxItems: 8 };
  const text = '{"id":"a","inputs":[{"name":"x","shape":[2],"datatype":"FP64","data":[1.5,2]}]}';
  const decodeTensors = (body: string) =>
    pool.run<'decode'>({
      kind: 'decode',
      operation: 'oip.infer',
      body: new Uint8Array(Buffer.from(body)),
      context: { itemLimit: 10 },
      models: {},
      tensorModel,
    });
  const decoded = await decodeTensors(text);
  assert.ok(decoded.kind === 'tensors');
  const { request } = decoded;
  const { inputs } = request;
  assert.deepEqual([request.rows, elements(inputs[0])], [2, [1.5, 2]]);
  const outputs: Tensor[] = [fromTypedArray('FP64', [2], new Float64Array([2.25, 4]))];
  const { answer } = await pool.run<'encode'>({
    kind: 'encode',
    of: 'tensors',
    operation: 'oip.infer',
    source: numbers,
    request,
    outputs,
    tensorModel,
  });
  assert.ok('chunks' in answer);
  const reply = JSON.parse(Buffer.concat(answer.chunks).toString()) as { id: string; outputs: { data: number[] }[] };
  assert.deepEqual([reply.id, reply.outputs[0]?.data], ['a', [2.25, 4]]);
  await assert.rejects(decodeTensors('{"inputs":[]}'), ServerError);
});
