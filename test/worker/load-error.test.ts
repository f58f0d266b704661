import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { openGraph, openGraphBytes } from '../../src/worker/graph.ts';
import { onnxModel } from '../../tools/onnx-writer.ts';
import { laneData, node, value } from './models.ts';

async function write(t: TestContext, bytes: Uint8Array): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-load-error-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = path.join(folder, 'model.onnx');
  await writeFile(file, bytes);
  return file;
}

const graph = (datatype: 'BF16' | 'FP32') =>
  onnxModel({
    name: 'odd',
    inputs: [value('ids', 'INT64', ['n']), value('hidden states', datatype, ['n'])],
    outputs: [value('y', 'FP32', ['n'])],
    nodes: [node('Cast', ['hidden states'], 'y', { to: { int: 1 } })],
  });

test('a tensor of a type that Node has no array for is named', async (t) => {
  const file = await write(t, graph('BF16'));
  const message =
    /^input hidden states is bfloat16, which ONNX Runtime for Node cannot pass: export the model with float32/;
  await assert.rejects(openGraph(file, {}, laneData()), { message });
  const bytes = await readFile(file);
  await assert.rejects(openGraphBytes(bytes, { file, own: {}, lane: laneData() }), { message });
});

test('a file that was cut off is told as that', async (t) => {
  const bytes = graph('FP32');
  const file = await write(t, bytes.subarray(0, bytes.byteLength - 20));
  await assert.rejects(openGraph(file, {}, laneData()), {
    message: /the file \(\d+ bytes\) is no ONNX model or was cut off/,
  });
});
