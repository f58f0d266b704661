import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { Tensor as OrtTensor } from 'onnxruntime-node';
import { openGraph } from '../../src/onnx/graph.ts';
import { Message } from '../../src/onnx/protobuf/message.ts';
import { endOutputs } from '../../src/onnx/surgery/end-outputs.ts';
import { onnxModel } from '../../tools/onnx-writer.ts';
import { laneData, node, value, writeBytes } from './models.ts';

const graph = (datatype: 'BF16' | 'FP32') =>
  onnxModel({
    name: 'odd',
    inputs: [value('ids', 'INT64', ['n']), value('hidden states', datatype, ['n'])],
    outputs: [value('y', 'FP32', ['n'])],
    nodes: [node('Cast', ['hidden states'], 'y', { to: { int: 1 } })],
  });

/** y = x + w, with w in the file w.bin. */
function externalGraph(): Uint8Array {
  const entry = (key: string, text: string) => new Message().field(1, key).field(2, text);
  const tensor = new Message().integer(1, 64).integer(2, 1).field(8, 'w');
  tensor.field(13, entry('location', 'w.bin')).field(13, entry('length', '256')).integer(14, 1);
  const end = (name: string) => {
    const type = new Message().integer(1, 1).field(2, new Message().field(1, new Message().integer(1, 64)));
    return new Message().field(1, name).field(2, new Message().field(1, type));
  };
  const add = new Message().field(1, 'x').field(1, 'w').field(2, 'y').field(4, 'Add');
  const graph = new Message().field(1, add).field(2, 'g').field(5, tensor).field(11, end('x')).field(12, end('y'));
  return new Message().integer(1, 8).field(7, graph).field(8, new Message().integer(2, 17)).finish();
}

test('a tensor of a type that Node has no array for is named', async (t) => {
  const file = await writeBytes(t, graph('BF16'));
  const message =
    /^input hidden states is bfloat16, which ONNX Runtime for Node cannot pass: export the model with float32/;
  await assert.rejects(openGraph(file, {}, laneData()), { message });
  const edit = endOutputs('end.', [{ name: 'end.y', of: 'y', axis: 0, length: 1, type: 'float32' }]);
  await assert.rejects(openGraph(file, {}, laneData(), [edit]), { message });
});

test('missing or cut off external data is reported with what it must be', async (t) => {
  const file = await writeBytes(t, externalGraph());
  const message = /external data of a graph must lie beside it, whole/;
  await assert.rejects(openGraph(file, {}, laneData()), { message });
  await writeFile(path.join(path.dirname(file), 'w.bin'), 'short');
  await assert.rejects(openGraph(file, {}, laneData()), { message });
});

test('a file that was cut off is reported as that', async (t) => {
  const bytes = graph('FP32');
  const file = await writeBytes(t, bytes.subarray(0, bytes.byteLength - 20));
  await assert.rejects(openGraph(file, {}, laneData()), {
    message: /the file \(\d+ bytes\) is no ONNX model or was cut off/,
  });
});

test('a locale that the machine lacks is named, with what installs it', async (t) => {
  const text = onnxModel({
    name: 'text',
    inputs: [value('x', 'BYTES', [1])],
    outputs: [value('y', 'BYTES', [1])],
    nodes: [node('StringNormalizer', ['x'], 'y', { case_change_action: { text: 'LOWER' }, locale: { text: 'xx_YY' } })],
  });
  const file = await writeBytes(t, text);
  const open = async () => {
    const { session } = await openGraph(file, {}, laneData());
    await session.run({ x: new OrtTensor('string', ['A'], [1]) });
  };
  await assert.rejects(open, /lacks the locale xx_YY.*localedef/);
});

test('a file of a newer ONNX is reported with the version to export for', async (t) => {
  const newer = (irVersion: number, opset: number) =>
    new Message()
      .integer(1, irVersion)
      .field(7, new Message().field(2, 'g'))
      .field(8, new Message().integer(2, opset))
      .finish();
  await assert.rejects(openGraph(await writeBytes(t, newer(99, 17)), {}, laneData()), {
    message: /made for a newer ONNX .*\(IR version 99, at most \d+\): export it for IR version \d+$/,
  });
  await assert.rejects(openGraph(await writeBytes(t, newer(8, 99)), {}, laneData()), {
    message: /made for a newer ONNX .*\(opset 99, at most \d+\): export it for opset \d+$/,
  });
});
