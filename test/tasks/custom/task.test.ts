import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { InferenceSession } from 'onnxruntime-node';
import { ServerError } from '../../../src/errors.ts';
import { createTask } from '../../../src/tasks/registry.ts';
import type { Task, TaskSource } from '../../../src/tasks/task.ts';
import { float32, type Signature } from '../../../src/tensors/tensor.ts';
import { answer, json, jsonOf, pathOf, raw, refusal, sourceFor, spec } from '../support.ts';

const SQUARE: Signature = {
  inputs: [spec('x', 'FP64', [-1])],
  outputs: [spec('y', 'FP64', [-1])],
  batchable: true,
};
const PAIR: Signature = {
  inputs: [spec('x', 'FP32', [-1, 2]), spec('n', 'INT64', [], null)],
  outputs: [spec('y', 'FP32', [-1, 2])],
  batchable: true,
};

let folder: string;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'carpool-custom-'));
});
after(async () => {
  await rm(folder, { recursive: true });
});

let modules = 0;
async function taskOf(code: string, more: Partial<TaskSource> = {}): Promise<Task> {
  modules += 1;
  const file = path.join(folder, `task-${modules}.mjs`);
  await writeFile(file, code);
  return createTask(sourceFor(file, PAIR, more));
}

const GOOD_INPUTS = `{ x: { data: [1, 2], shape: [1, 2] }, n: { data: [5], shape: [] } }`;

function preparing(inputs: string): Promise<Task> {
  return taskOf(`export const prepare = () => ({ inputs: ${inputs} }); export const finish = () => 1;`);
}

function finishing(expression: string): Promise<Task> {
  return taskOf(
    `export const prepare = () => ({ inputs: ${GOOD_INPUTS} }); export const finish = (outputs, context, memo) => (${expression});`,
  );
}

const OUTPUTS = { y: float32([1, 2], Float32Array.of(0.1, 0.5)) };

/** An INTERNAL error whose cause says this; the client reads nothing of it. */
function internal(cause: RegExp): (error: unknown) => boolean {
  return (error) =>
    error instanceof ServerError &&
    error.code === 'INTERNAL' &&
    error.message === 'Internal error.' &&
    error.cause instanceof Error &&
    cause.test(error.cause.message);
}

test('the example task answers with its model', async () => {
  const home = pathOf('examples/custom-task');
  const { options, task: module } = JSON.parse(await readFile(`${home}/model.json`, 'utf8')) as {
    options: Record<string, unknown>;
    task: string;
  };
  const task = await createTask(sourceFor(path.join(home, module), SQUARE, { options }));
  const session = await InferenceSession.create(`${home}/model.onnx`, { intraOpNumThreads: 1 });
  const ask = async (item: Parameters<Task['prepare']>[0]): Promise<unknown> =>
    jsonOf(await answer({ task, session }, item));
  assert.deepEqual(await ask(json({ side: 12 })), { side: 12, area: 144, unit: 'm²' });
  assert.deepEqual(await ask(raw('text/plain', Buffer.from('1.5 m'))), { side: 1.5, area: 2.25, unit: 'm²' });
  await assert.rejects(ask(json({ side: -1 })), refusal('INVALID_INPUT', /side must be a number/));
  await assert.rejects(ask(json(null)), refusal('INVALID_INPUT', /side must be a number/));
  await assert.rejects(ask(raw('text/plain', Buffer.from('x'))), refusal('INVALID_INPUT', /"12 m"/));
  await assert.rejects(ask(raw('image/png', Buffer.from('x'))), refusal('UNSUPPORTED_MEDIA_TYPE', /text\/plain/));
});

test('the context describes the model, and setup runs once', async () => {
  const task = await taskOf(
    `let runs = 0;
     export const setup = (context) => { runs += 1; return { runs, given: context.state === undefined }; };
     export const prepare = () => ({ inputs: ${GOOD_INPUTS}, memo: 'kept' });
     export const finish = (outputs, context, memo) => ({ ...context, signature: undefined, memo });`,
    { labels: ['a'], options: { depth: 2 }, files: { words: '/words' }, folder: '/here', model: 'mine' },
  );
  await task.prepare(json(1));
  const { memo } = await task.prepare(json(1));
  assert.deepEqual(jsonOf(await task.finish(OUTPUTS, memo)), {
    model: 'mine',
    folder: '/here',
    files: { words: '/words' },
    labels: ['a'],
    options: { depth: 2 },
    state: { runs: 1, given: true },
    memo: 'kept',
  });
});

test('inputs may be plain numbers or typed arrays, and become tensors of their own', async () => {
  const task = await taskOf(
    `const shared = Float32Array.of(1, 2);
     export const prepare = () => ({ inputs: { x: { data: shared, shape: [1, 2] }, n: { data: [5], shape: [] } } });
     export const cost = (inputs) => inputs.x.data.byteLength;
     export const finish = () => 1;`,
  );
  const [first, second] = [await task.prepare(json(1)), await task.prepare(json(1))];
  assert.deepEqual(first.inputs['x'], float32([1, 2], Float32Array.of(1, 2)));
  assert.deepEqual([...(first.inputs['n']?.data ?? [])], [5, 0, 0, 0, 0, 0, 0, 0]);
  assert.equal(first.cost, 8);
  const buffers = [first, second].map(({ inputs }) => (inputs['x']?.data as Uint8Array).buffer);
  assert.notEqual(buffers[0], buffers[1]);
});

test('inputs that do not fit the model say which and why', async () => {
  const n = 'n: { data: [5], shape: [] }';
  const cases: [string, RegExp][] = [
    ['undefined', /must return an object/],
    [`{ x: { data: [1, 2], shape: [1, 2] } }`, /input n: must be \{ data, shape \}/],
    [`{ x: [1, 2], ${n} }`, /input x: must be \{ data, shape \}/],
    [`{ x: { data: [1, 2], shape: [2] }, ${n} }`, /input x: has shape \[2\] where one item has \[1, 2\]/],
    [`{ x: { data: [1, 2, 3, 4], shape: [2, 2] }, ${n} }`, /one item has \[1, 2\]/],
    [`{ x: { data: [1], shape: [1, 2] }, ${n} }`, /has 1 elements where shape \[1, 2\] has 2/],
    [`{ x: { data: [], shape: [1, 0] }, ${n} }`, /no dimension of 0/],
    [`{ x: { data: [1, 'a'], shape: [1, 2] }, ${n} }`, /element 1 must be a number/],
    [`{ x: { data: Float64Array.of(1, 2), shape: [1, 2] }, ${n} }`, /a Float64Array where FP32 takes Float32Array/],
    [`{ x: { data: [1, 2], shape: [1, 2], datatype: 'FP64' }, ${n} }`, /is FP64 where the model takes FP32/],
    [`{ x: { data: new Uint8Array(7), shape: [1, 2], datatype: 'FP32' }, ${n} }`, /7 bytes/],
    [`{ x: { data: [1, 2], shape: [1, 2] }, ${n}, z: 1 }`, /no input z/],
  ];
  for (const [inputs, message] of cases) {
    const task = await preparing(inputs);
    await assert.rejects(async () => task.prepare(json(1)), internal(message), inputs);
  }
});

test('a reply may be any JSON, typed arrays included, or bytes of a type', async () => {
  const reply = async (expression: string): Promise<unknown> =>
    (await finishing(expression)).finish(OUTPUTS, undefined);
  assert.deepEqual(await reply('outputs.y.data'), { json: [0.1, 0.5] });
  assert.deepEqual(await reply('({ shape: outputs.y.shape, none: undefined, big: 2n ** 60n, nan: NaN })'), {
    json: { shape: [1, 2], big: '1152921504606846976', nan: null },
  });
  assert.deepEqual(await reply('Promise.resolve({ contentType: "text/plain", bytes: Buffer.from("hi") })'), {
    contentType: 'text/plain',
    bytes: Uint8Array.from(Buffer.from('hi')),
  });
  await assert.rejects(reply('undefined'), internal(/type undefined/));
  await assert.rejects(reply('() => 1'), internal(/type function/));
  await assert.rejects(reply('(() => { const cycle = []; cycle.push(cycle); return cycle; })()'), internal(/nested/));
});

test('errors of the module are the client’s only when it marks them so', async () => {
  const throwing = async (error: string): Promise<unknown> => {
    const task = await taskOf(`export const prepare = () => { throw ${error}; }; export const finish = () => 1;`);
    return task.prepare(json(1));
  };
  const withStatus = (status: number): string => `Object.assign(new Error('too blue'), { status: ${status} })`;
  await assert.rejects(throwing(withStatus(422)), refusal('INVALID_INPUT', /^too blue$/));
  await assert.rejects(throwing(withStatus(400)), refusal('BAD_REQUEST', /^too blue$/));
  await assert.rejects(throwing(withStatus(413)), refusal('TOO_LARGE', /^too blue$/));
  await assert.rejects(throwing(withStatus(418)), refusal('INVALID_INPUT', /^too blue$/));
  await assert.rejects(throwing(withStatus(503)), internal(/too blue/));
  await assert.rejects(throwing(`new TypeError('secret')`), internal(/secret/));
  await assert.rejects(throwing('null'), refusal('INTERNAL'));
});

test('a setup that failed is tried again with the next request', async () => {
  const task = await taskOf(
    `let runs = 0;
     export const setup = () => { runs += 1; if (runs === 1) throw new Error('not yet'); return runs; };
     export const prepare = () => ({ inputs: ${GOOD_INPUTS} });
     export const finish = (outputs, context) => context.state;`,
  );
  await assert.rejects(async () => task.prepare(json(1)), internal(/not yet/));
  assert.equal((await task.prepare(json(1))).cost, 1);
  assert.equal(jsonOf(await task.finish(OUTPUTS, undefined)), 2);
});

test('a cost that is no number above 0 is the module’s fault', async () => {
  const task = await taskOf(
    `export const prepare = () => ({ inputs: ${GOOD_INPUTS} }); export const finish = () => 1; export const cost = () => 0;`,
  );
  await assert.rejects(async () => task.prepare(json(1)), internal(/cost must return a number above 0/));
});

test('a reloaded model runs the new code', async () => {
  const file = path.join(folder, 'reloaded.mjs');
  const load = async (value: number, key: string): Promise<unknown> => {
    await writeFile(file, `export const prepare = () => ({ inputs: {} }); export const finish = () => ${value};`);
    return jsonOf(await (await createTask(sourceFor(file, PAIR, { key }))).finish(OUTPUTS, undefined));
  };
  assert.equal(await load(1, 'mine/1#1'), 1);
  assert.equal(await load(2, 'mine/1#2'), 2);
});

test('a module that is missing, broken or incomplete is refused at load', async () => {
  await assert.rejects(createTask(sourceFor(path.join(folder, 'none.js'), PAIR)), /cannot be loaded/);
  await assert.rejects(taskOf('export const ='), /cannot be loaded/);
  await assert.rejects(taskOf('export const prepare = 1; export const setup = 2;'), (error: unknown) => {
    assert.ok(error instanceof Error && !(error instanceof ServerError));
    assert.match(error.message, /export function prepare; export function finish; setup must be a function/);
    return true;
  });
  await assert.rejects(
    taskOf('export const prepare = () => 1; export const finish = () => 1; export const rawTypes = "text/plain";'),
    /rawTypes/,
  );
});

test('a user’s code never runs on the main thread', async () => {
  const task = await finishing('1');
  assert.equal(task.isLight(json(1)), false);
  assert.equal(task.isLightReply(1), false);
});

test('a reply of bytes has a media type that a header can hold', async () => {
  const typed = (type: string) => finishing(`({ contentType: ${JSON.stringify(type)}, bytes: Uint8Array.of(65) })`);
  for (const type of ['text/plain', 'text/plain; charset=utf-8', 'application/vnd.own+json']) {
    const reply = await (await typed(type)).finish(OUTPUTS, undefined);
    assert.ok('bytes' in reply && reply.contentType === type);
  }
  for (const type of ['', 'text', 'text/html\r\nX-Own: 1', 'text/☃', 'text/plain; a\n'])
    await assert.rejects(async () => (await typed(type)).finish(OUTPUTS, undefined), internal(/is no media type/));
});
