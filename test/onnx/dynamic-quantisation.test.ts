import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { dynamicOperator } from '../../src/onnx/dynamic-quantisation.ts';
import { Message } from '../../src/onnx/protobuf/message.ts';
import { readOnnxModel } from '../../src/onnx/structure.ts';
import { findBatching } from '../../src/trial/find-batching.ts';
import { generate, openTestProgram } from '../programs/generation/support.ts';
import { tinyDecoder } from '../programs/generation/tiny-decoder.ts';
import { elements, node, openModel, simple, tensor, value, writeModel, type Graph } from './models.ts';
import { quantised } from './quantise.ts';
import { json } from '../tasks/text/encoder-bench.ts';
import { openTiny } from '../tasks/text/tiny-encoder.ts';
import type { Embedding } from '../tasks/text/vectors.ts';

/** y = x W, dynamically quantised. */
const LINEAR: Graph = quantised({
  inputs: [value('x', 'FP32', ['batch', 3])],
  outputs: [value('y', 'FP32', ['batch', 2])],
  nodes: [node('MatMul', ['x', 'w'], 'y')],
  initializers: [{ name: 'w', datatype: 'FP32', shape: [3, 2], data: Float32Array.of(1, -2, 3, 0.5, 0.25, -1) }],
});

/** The file of a graph of one node, bytes as given. */
async function fileOf(t: TestContext, graph: Message, more = new Message()): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-dynamic-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'model.onnx');
  await writeFile(file, new Message().integer(1, 8).field(7, graph).raw(more.finish()).finish());
  return file;
}
const oneNode = (op: string, domain = '', attribute?: Message): Message => {
  const message = new Message().field(4, op).field(7, domain);
  return new Message().field(1, attribute === undefined ? message : message.field(5, attribute));
};

test('an operator that takes its scale from a whole tensor is found: in a graph, a branch, a function', async (t) => {
  const inner = oneNode('DynamicQuantizeMatMul', 'com.microsoft');
  const branch = new Message().field(1, 'then_branch').field(6, inner).integer(20, 5);
  const own = new Message().field(
    25,
    new Message().field(1, 'Mine').field(7, new Message().field(4, 'DynamicQuantizeLinear')),
  );
  const cases: [string, string | undefined][] = [
    [await writeModel(t, LINEAR), 'DynamicQuantizeLinear'],
    [await fileOf(t, oneNode('DynamicQuantizeLSTM', 'com.microsoft')), 'DynamicQuantizeLSTM'],
    [await fileOf(t, oneNode('If', '', branch)), 'DynamicQuantizeMatMul'],
    [await fileOf(t, oneNode('Mine', 'own'), own), 'DynamicQuantizeLinear'],
    [await writeModel(t, simple('Mul', 'FP32', ['batch'])), undefined],
    [await fileOf(t, oneNode('DynamicQuantizeLinear', 'somebody.else')), undefined],
  ];
  for (const [file, expected] of cases) assert.equal(dynamicOperator(readOnnxModel(file)), expected);
});

test('rows of a dynamically quantised graph are not stacked, and the reason names the operator and the setting', async (t) => {
  const session = await openModel(t, LINEAR);
  const { signature, why } = await findBatching(session, [tensor('FP32', [1, 3], [1, 2, 3])]);
  assert.equal(signature.batchable, false);
  assert.match(why ?? '', /DynamicQuantizeLinear.*dynamicQuantisation/);
});

test('model.json may let rows share runs, which changes them', async (t) => {
  const session = await openModel(t, LINEAR, { dynamicQuantisation: 'together' });
  const { signature, why } = await findBatching(session, [tensor('FP32', [1, 3], [1, 2, 3])]);
  assert.deepEqual([signature.batchable, why], [true, undefined]);
  const row = [0.5, -0.25, 0.125];
  const alone = elements((await session.run([tensor('FP32', [1, 3], row)])).outputs[0]);
  const beside = elements((await session.run([tensor('FP32', [2, 3], [...row, 900, -800, 5])])).outputs[0]);
  assert.notDeepEqual(beside.slice(0, 2), alone);
});

test('texts of a dynamically quantised encoder get their own vectors, to the last bit, in any company', async (t) => {
  const bench = await openTiny(t, { task: 'embeddings', quantised: true });
  const { signature, why, graph } = bench.program.description;
  assert.deepEqual([signature.batchable, graph?.batchable], [false, false]);
  assert.match(why ?? '', /DynamicQuantizeLinear/);
  const texts = ['the good film', 'bad', 'was the film not very good ? '.repeat(3)].map((text) => json(text));
  const alone = await Promise.all(texts.map(async (text) => bench.answer(text)));
  assert.deepEqual(await bench.answers(texts), alone);
});

test('texts that share runs by model.json are changed by each other', async (t) => {
  const bench = await openTiny(t, { task: 'embeddings', quantised: true, dynamicQuantisation: 'together' });
  assert.equal(bench.program.description.signature.batchable, true);
  const texts = ['the good film', 'was the film not very good ? '.repeat(3)].map((text) => json(text));
  const [alone] = (await bench.answers(texts.slice(0, 1))) as Embedding[];
  const [beside] = (await bench.answers(texts)) as Embedding[];
  assert.notDeepEqual(beside?.embedding, alone?.embedding);
});

for (const [what, kind] of Object.entries({ 'a plain export': {}, GroupQueryAttention: { grouped: true } }))
  test(`a dynamically quantised chat model gives the same answer in any company, and after any: ${what}`, async (t) => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-dynamic-'));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const file = path.join(folder, 'model.onnx');
    await writeFile(file, tinyDecoder({ dynamic: true, ...kind }));
    // Pieces of 16 tokens, prefixes kept: both must not depend on others here.
    const options = { contextTokens: 256, prefillChunk: 16, prefixCacheBytes: 2 ** 20 };
    const prompt = (length: number, step: number) => Array.from({ length }, (_, at) => (at * step) % 19);
    const requests = [prompt(60, 7), prompt(9, 5), prompt(37, 7), prompt(60, 7), [3, 1, 4]].map((ids, at) => ({
      prompt: ids,
      joins: at * 2,
    }));
    const alone = [];
    for (const { prompt: ids } of requests) {
      const program = await openTestProgram(file, options);
      assert.match(program.description.why ?? '', /DynamicQuantizeLinear/);
      alone.push((await generate(program, [{ prompt: ids }]))[0]?.tokens);
      await program.release();
    }
    const program = await openTestProgram(file, options);
    t.after(() => program.release());
    for (let round = 0; round < 2; round += 1)
      assert.deepEqual(
        (await generate(program, requests, round * 100)).map(({ tokens }) => tokens),
        alone,
      );
  });
