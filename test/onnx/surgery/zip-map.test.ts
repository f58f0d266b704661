import assert from 'node:assert/strict';
import { appendFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { Message } from '../../../src/onnx/protobuf/message.ts';
import { openSession } from '../../../src/onnx/session.ts';
import { findBatching } from '../../../src/trial/find-batching.ts';
import { elements, laneData, node, specOf, tensor, value, writeModel } from '../models.ts';

type Classes = readonly number[] | readonly string[];

/** A classifier as scikit-learn's converter ends it: labels, and for each row a map from class to score. */
async function writeClassifier(t: TestContext, classes: Classes): Promise<string> {
  const file = await writeModel(t, {
    inputs: [value('x', 'FP32', ['', 3])],
    outputs: [value('label', 'INT64', [''])],
    nodes: [
      node('ArgMax', ['x'], 'label', { axis: { int: 1 }, keepdims: { int: 0 } }),
      node('Mul', ['x', 'x'], 'scores'),
    ],
  });
  // What writers of tensors cannot write: protobuf joins a second graph to the first.
  await appendFile(file, mapsBehind(classes));
  return file;
}

function mapsBehind(classes: Classes): Uint8Array {
  const isText = typeof classes[0] === 'string';
  const labels = new Message().field(1, isText ? 'classlabels_strings' : 'classlabels_int64s');
  for (const label of classes) {
    if (typeof label === 'string') labels.field(9, label);
    else labels.integer(8, label);
  }
  labels.integer(20, isText ? 8 : 7);
  const zipMap = new Message().field(1, 'scores').field(2, 'maps').field(4, 'ZipMap').field(5, labels);
  zipMap.field(7, 'ai.onnx.ml');
  const float = new Message().field(1, new Message().integer(1, 1));
  const map = new Message().field(5, new Message().integer(1, isText ? 8 : 7).field(2, float));
  const sequence = new Message().field(4, new Message().field(1, map));
  const graph = new Message().field(1, zipMap).field(12, new Message().field(1, 'maps').field(2, sequence));
  const operators = new Message().field(1, 'ai.onnx.ml').integer(2, 1);
  return new Message().field(7, graph).field(8, operators).finish();
}

for (const [kind, classes] of [
  ['numbers', [0, 1, 7]],
  ['texts', ['cat', 'dog', 'emu']],
] as const)
  test(`maps from classes that are ${kind} to scores are a tensor of the scores, and rows share runs`, async (t) => {
    const session = await openSession(specOf(await writeClassifier(t, classes)), laneData());
    t.after(() => session.release());
    assert.deepEqual(
      session.signature.outputs.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
      [
        { name: 'label', datatype: 'INT64', shape: [-1] },
        { name: 'maps', datatype: 'FP32', shape: [-1, 3] },
      ],
    );
    const { outputs } = await session.run([tensor('FP32', [2, 3], [1, 2, 3, 6, 5, 4])]);
    assert.deepEqual(outputs.map(elements), [
      [2, 0],
      [1, 4, 9, 36, 25, 16],
    ]);
    const { why } = await findBatching(session, undefined);
    assert.equal(why, undefined);
    assert.deepEqual(
      session.signature.outputs.map(({ batchAxis }) => batchAxis),
      [0, 0],
    );
  });
