import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, stat, truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { Tensor } from 'onnxruntime-node';
import { readExternalData, sizeWithExternalData } from '../../src/onnx/external-data.ts';
import { openGraph } from '../../src/onnx/graph.ts';
import { Message } from '../../src/onnx/protobuf/message.ts';
import { endOutputs } from '../../src/onnx/surgery/end-outputs.ts';
import { laneData } from './models.ts';

const COUNT = 4096;
const FP32 = 1;
const END = endOutputs('end.', [{ name: 'end.y', of: 'y', axis: 0, length: 1, type: 'float32' }]);

/** y = x + w, with w in a file beside the graph. */
async function writeModel(t: TestContext, location: string): Promise<{ file: string; weights: string }> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-external-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const weights = path.join(folder, location);
  await mkdir(path.dirname(weights), { recursive: true });
  await writeFile(weights, Buffer.from(Float32Array.from({ length: COUNT }, (_, at) => at).buffer));
  const entry = (key: string, value: string) => new Message().field(1, key).field(2, value);
  const tensor = new Message().integer(1, COUNT).integer(2, FP32).field(8, 'w');
  tensor.field(13, entry('location', location)).field(13, entry('offset', '0'));
  tensor.field(13, entry('length', String(COUNT * 4))).integer(14, 1);
  const value = (name: string) => {
    const shape = new Message().field(1, new Message().integer(1, COUNT));
    return new Message()
      .field(1, name)
      .field(2, new Message().field(1, new Message().integer(1, FP32).field(2, shape)));
  };
  const add = new Message().field(1, 'x').field(1, 'w').field(2, 'y').field(4, 'Add');
  const graph = new Message().field(1, add).field(2, 'g').field(5, tensor).field(11, value('x')).field(12, value('y'));
  const model = new Message().integer(1, 8).field(7, graph).field(8, new Message().integer(2, 17));
  const file = path.join(folder, 'model.onnx');
  await writeFile(file, model.finish());
  return { file, weights };
}

for (const location of ['model.onnx_data', 'weights/w.bin'])
  test(`weights in ${location} may be written over and cut short while the model is open`, async (t) => {
    const { file, weights } = await writeModel(t, location);
    const lane = laneData();
    const graphs = [await openGraph(file, {}, lane), await openGraph(file, {}, lane, [END])];
    const attacks = [() => writeFile(weights, Buffer.alloc(COUNT * 4, 1), { flag: 'r+' }), () => truncate(weights, 0)];
    for (const attack of attacks) {
      await attack();
      for (const graph of graphs) {
        const { y } = await graph.run({ x: new Tensor('float32', new Float32Array(COUNT), [COUNT]) });
        assert.deepEqual([y?.data[0], y?.data[COUNT - 1]], [0, COUNT - 1]);
      }
    }
    for (const graph of graphs) await graph.release();
  });

test('weights that would not fit in memory twice stay mapped, and the log says so', async (t) => {
  const { file } = await writeModel(t, 'model.onnx_data');
  assert.deepEqual([readExternalData(file).files.length, readExternalData(file).mappedBytes], [1, 0]);
  const mapped = readExternalData(file, COUNT * 4 * 2);
  assert.deepEqual([mapped.files.length, mapped.mappedBytes], [0, COUNT * 4]);
});

test('weights that are missing, or out of the folder, are for ONNX Runtime to refuse', async (t) => {
  const { file, weights } = await writeModel(t, 'model.onnx_data');
  await rm(weights);
  assert.equal(readExternalData(file).files.length, 0);
  await assert.rejects(openGraph(file, {}, laneData()), /model\.onnx_data/);
  const inner = await writeModel(t, '../carpool-external-outside.bin');
  t.after(() => rm(inner.weights, { force: true }));
  assert.equal(readExternalData(inner.file).files.length, 0);
});

test('the size of a graph counts the weights beside it, whatever their file is called', async (t) => {
  const { file } = await writeModel(t, 'weights/w.bin');
  assert.equal(sizeWithExternalData(file), (await stat(file)).size + COUNT * 4);
});
