import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accuracyLevel } from '../../../src/onnx/surgery/accuracy-level.ts';
import { rewritten } from '../../../src/onnx/surgery/rewrite.ts';
import { ATTRIBUTE, FUNCTION, GRAPH, MODEL, NODE, TENSOR } from '../../../src/onnx/onnx-proto.ts';
import { openGraph } from '../../../src/onnx/graph.ts';
import { Message } from '../../../src/onnx/protobuf/message.ts';
import { sharedModel } from '../../shared-models.ts';
import { simple, writeBytes, writeModel } from '../models.ts';

const LANE = { device: { kind: 'cpu' as const }, intraOpThreads: 1, progress: new SharedArrayBuffer(8) };

/** An attribute as exporters write it; some write its type before its value. */
function attribute(name: string, level: number, typeFirst: boolean): Message {
  const message = new Message().field(ATTRIBUTE.name, name);
  if (typeFirst) message.integer(ATTRIBUTE.type, 2);
  return message.integer(ATTRIBUTE.integer, level);
}

function nodeWith(...attributes: readonly Message[]): Message {
  const message = new Message().field(NODE.op, 'MatMulNBits');
  for (const own of attributes) message.field(NODE.attribute, own);
  return message;
}

/** A model whose operators have these levels: two of the graph, one of a branch, one of a function. */
function modelOf(levels: readonly [number, number, number, number], weights: Uint8Array): Message {
  const [first, second, inner, own] = levels;
  const branch = new Message().field(GRAPH.node, nodeWith(attribute('accuracy_level', inner, false)));
  const graph = new Message()
    .field(GRAPH.node, nodeWith(attribute('bits', 4, false), attribute('accuracy_level', first, false)))
    .field(GRAPH.node, nodeWith(attribute('accuracy_levels', 1, false), attribute('accuracy_level', second, true)))
    .field(GRAPH.node, nodeWith(new Message().field(ATTRIBUTE.name, 'accuracy_level').field(ATTRIBUTE.text, 'text')))
    .field(GRAPH.node, nodeWith(new Message().field(ATTRIBUTE.name, 'then_branch').field(ATTRIBUTE.graph, branch)))
    .field(GRAPH.initializer, new Message().field(TENSOR.name, 'w').field(TENSOR.raw, weights));
  const operator = new Message().field(FUNCTION.node, nodeWith(attribute('accuracy_level', own, false)));
  return new Message().integer(MODEL.irVersion, 8).field(MODEL.graph, graph).field(MODEL.function, operator);
}

test('sets the level of every operator that states one, and touches nothing else, not weights that look like one', async (t) => {
  const weights = new Message().field(NODE.attribute, attribute('accuracy_level', 1, false)).finish();
  const file = await writeBytes(t, modelOf([1, 4, 0, 3], weights).finish());
  assert.deepEqual(rewritten(file, [accuracyLevel(2)]), modelOf([2, 2, 2, 2], weights).finish());
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
    const { Tensor } = await import('onnxruntime-node');
    const values = Float32Array.from({ length: 80 * 3000 }, (_, at) => Math.sin(at));
    const outputs: Float32Array[] = [];
    for (const level of [undefined, 1]) {
      const graph = await openGraph(file, { accuracyLevel: level }, LANE);
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
