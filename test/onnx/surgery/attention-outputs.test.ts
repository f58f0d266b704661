import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InferenceSession } from 'onnxruntime-node';
import { readOnnxModel } from '../../../src/onnx/structure.ts';
import { attentionOutputs, findAttention } from '../../../src/onnx/surgery/attention-outputs.ts';
import { PROBE_GRAPH } from '../../../src/onnx/probe-graph.ts';
import { rewritten } from '../../../src/onnx/surgery/rewrite.ts';
import { tinyDecoder } from '../../programs/speech/tiny-whisper.ts';
import { writeBytes } from '../models.ts';

test("a decoder's attention to the audio becomes outputs, beside those it has", async (t) => {
  const file = await writeBytes(t, tinyDecoder());
  const found = findAttention(readOnnxModel(file).graph);
  assert.deepEqual(
    found.map(({ name }) => name),
    ['cross_attentions.0'],
  );
  const changed = rewritten(file, [attentionOutputs(found)]);
  assert.ok(changed !== undefined);
  const before = await InferenceSession.create(file);
  const after = await InferenceSession.create(changed);
  assert.deepEqual(after.outputNames, [...before.outputNames, 'cross_attentions.0']);
  await before.release();
  await after.release();
});

test('a graph without such attention has none', async (t) => {
  assert.deepEqual(findAttention(readOnnxModel(await writeBytes(t, PROBE_GRAPH)).graph), []);
});
