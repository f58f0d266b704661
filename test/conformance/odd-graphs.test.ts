import assert from 'node:assert/strict';
import { appendFile, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Message } from '../../src/onnx/protobuf/message.ts';
import { onnxModel } from '../../tools/onnx-writer.ts';
import { Carpool } from '../process/carpool.ts';
import { node, value, type Graph } from '../onnx/models.ts';

/** Graphs that ONNX allows and few exporters write. */

const FOREST = fileURLToPath(new URL('../../../test/conformance/models/forest-zipmap.onnx', import.meta.url));
const GRAPHS: Readonly<Record<string, Graph>> = {
  proto: {
    inputs: [value('__proto__', 'FP32', ['batch', 2])],
    outputs: [value('y', 'FP32', ['batch', 2])],
    nodes: [node('Neg', ['__proto__'], 'y')],
  },
  constant: {
    inputs: [],
    outputs: [value('y', 'FP32', [2])],
    nodes: [node('Neg', ['one'], 'y')],
    initializers: [{ name: 'one', datatype: 'FP32', shape: [2], data: Float32Array.of(1, 2) }],
  },
  rankless: {
    inputs: [{ name: 'x', datatype: 'FP32' }],
    outputs: [{ name: 'y', datatype: 'FP32' }],
    nodes: [node('Neg', ['x'], 'y')],
  },
  sequence: {
    inputs: [value('x', 'FP32', ['batch', 2])],
    outputs: [value('y', 'FP32', ['batch', 2])],
    nodes: [node('Neg', ['x'], 'y'), node('SequenceConstruct', ['y'], 'all')],
  },
};

/** To be written behind `sequence`: its second output, of a type that the writer has not got. */
function sequenceOutput(): Uint8Array {
  const tensor = new Message().field(1, new Message().integer(1, 1));
  const type = new Message().field(4, new Message().field(1, tensor));
  return new Message().field(7, new Message().field(12, new Message().field(1, 'all').field(2, type))).finish();
}

test('odd graphs are served', { timeout: 120_000 }, async (t) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-odd-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  for (const name of [...Object.keys(GRAPHS), 'forest']) await mkdir(path.join(folder, name));
  for (const [name, graph] of Object.entries(GRAPHS))
    await writeFile(path.join(folder, name, 'model.onnx'), onnxModel({ name, ...graph }));
  await appendFile(path.join(folder, 'sequence', 'model.onnx'), sequenceOutput());
  await copyFile(FOREST, path.join(folder, 'forest', 'model.onnx'));
  await using carpool = await Carpool.start({ MODELS_DIR: folder });
  const post = async (at: string, body: string): Promise<unknown> => {
    const headers = { 'Content-Type': 'application/json' };
    const response = await fetch(carpool.url + at, { method: 'POST', headers, body });
    const answer = (await response.json()) as Record<string, unknown>;
    return answer['result'] ?? answer['outputs'] ?? answer;
  };
  const infer = (model: string, inputs: string) => post(`/v2/models/${model}/infer`, `{"inputs":${inputs}}`);

  await t.test('an input called __proto__', async () => {
    assert.deepEqual(await post('/predict/proto', '{"data":{"__proto__":[1,2]}}'), [-1, -2]);
    const input = '{"name":"__proto__","datatype":"FP32","shape":[1,2],"data":[1,2]}';
    assert.deepEqual(await infer('proto', `[${input}]`), [
      { name: 'y', datatype: 'FP32', shape: [1, 2], data: [-1, -2] },
    ]);
  });
  await t.test('no input at all', async () => {
    const outputs = [{ name: 'y', datatype: 'FP32', shape: [2], data: [-1, -2] }];
    assert.deepEqual(await infer('constant', '[]'), outputs);
    assert.deepEqual(await post('/v2/models/constant/infer', '{}'), outputs);
    assert.deepEqual(await post('/predict/constant', '{"data":{}}'), [-1, -2]);
    assert.deepEqual(await post('/predict/constant', '{"data":null}'), [-1, -2]);
  });
  await t.test('an input of any number of dimensions', async () => {
    assert.deepEqual(await post('/predict/rankless', '{"data":[[1],[2]]}'), [[-1], [-2]]);
    assert.deepEqual(await post('/predict/rankless', '{"data":3}'), -3);
    const input = '{"name":"x","datatype":"FP32","shape":[1,1,2],"data":[1,2]}';
    assert.deepEqual(await infer('rankless', `[${input}]`), [
      { name: 'y', datatype: 'FP32', shape: [1, 1, 2], data: [-1, -2] },
    ]);
  });
  await t.test('maps from class to score', async () => {
    const input = '{"name":"X","datatype":"FP32","shape":[1,4],"data":[5.1,3.5,1.4,0.2]}';
    assert.deepEqual(await infer('forest', `[${input}]`), [
      { name: 'output_label', datatype: 'INT64', shape: [1], data: [0] },
      { name: 'output_probability', datatype: 'FP32', shape: [1, 3], data: [1.0000001, 0, 0] },
    ]);
  });
  await t.test('a sequence is left out, and the log says how to have it', async () => {
    const input = '{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2]}';
    assert.deepEqual(await infer('sequence', `[${input}]`), [
      { name: 'y', datatype: 'FP32', shape: [1, 2], data: [-1, -2] },
    ]);
    const line = await carpool.log(({ msg }) => msg === 'outputs are left out');
    assert.match(String(line['why']), /all: no tensor.*export the model/);
  });
});
