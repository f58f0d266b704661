import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { setAccuracyLevel } from '../../../src/onnx/surgery/accuracy-level.ts';
import { openGraph } from '../../../src/onnx/graph.ts';
import { Message } from '../../../src/onnx/protobuf/message.ts';
import { sharedModel } from '../../shared-models.ts';
import { simple, writeModel } from '../models.ts';

const LANE = { device: { kind: 'cpu' as const }, intraOpThreads: 1, progress: new SharedArrayBuffer(8) };

/** An attribute as exporters write it; some write its type before its value. */
function attribute(name: string, level: number, typeFirst: boolean): Message {
  const message = new Message().field(1, name);
  if (typeFirst) message.integer(20, 2);
  return message.integer(3, level);
}

test('sets the level of every operator that states one, and touches nothing else', () => {
  const parts = [
    attribute('accuracy_level', 1, false),
    attribute('accuracy_level', 4, true),
    attribute('accuracy_levels', 1, false),
    attribute('bits', 4, false),
    new Message().field(1, 'accuracy_level').field(4, 'text'),
  ].map((message) => new Message().field(5, message).finish());
  const before = Buffer.concat(parts);
  const model = Buffer.from(before);
  assert.equal(setAccuracyLevel(model, 2), 2);
  const changed = [...model.entries()].filter(([index, byte]) => byte !== before[index]).map(([, byte]) => byte);
  assert.deepEqual(changed, [2, 2]);
});

test('a graph without such operators refuses a level', async (t) => {
  const file = await writeModel(t, simple('Mul', 'FP32', ['batch', 'n']));
  await assert.rejects(openGraph(file, { accuracyLevel: 4 }, LANE), /no operator of the graph has one/);
});

const whisper = sharedModel('transcription');
test(
  'a real model opens at another level and answers nearly the same',
  { skip: whisper === undefined ? 'the shared models are not here' : false },
  async () => {
    const file = `${whisper ?? ''}/onnx/encoder_model_quantized.onnx`;
    assert.equal(setAccuracyLevel(await readFile(file), 1), 24);
    const { Tensor } = await import('onnxruntime-node');
    const values = Float32Array.from({ length: 80 * 3000 }, (_, at) => Math.sin(at));
    const outputs: Float32Array[] = [];
    for (const accuracyLevel of [undefined, 1]) {
      const graph = await openGraph(file, { accuracyLevel }, LANE);
      const output = await graph.run({ input_features: new Tensor('float32', values, [1, 80, 3000]) });
      outputs.push(output['last_hidden_state']?.data as Float32Array);
      await graph.release();
    }
    const [one = new Float32Array(), other = new Float32Array()] = outputs;
    assert.notDeepEqual(one, other);
    let [dot, squares, otherSquares] = [0, 0, 0];
    for (const [at, value] of one.entries()) {
      const beside = other[at] ?? 0;
      dot += value * beside;
      squares += value * value;
      otherSquares += beside * beside;
    }
    assert.ok(dot / Math.sqrt(squares * otherSquares) > 0.999);
  },
);
