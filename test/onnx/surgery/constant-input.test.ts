import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InferenceSession } from 'onnxruntime-node';
import { PROBE_GRAPH } from '../../../src/onnx/probe-graph.ts';
import { constantInput } from '../../../src/onnx/surgery/constant-input.ts';
import { rewritten } from '../../../src/onnx/surgery/rewrite.ts';
import { tinyDecoder } from '../../programs/speech/tiny-whisper.ts';
import { writeBytes } from '../models.ts';

const CHANGE = { input: 'use_cache_branch', value: true, drop: (name: string) => name.includes('.encoder.') };

test('a merged decoder loses the input and the dropped outputs, and nothing else', async (t) => {
  const file = await writeBytes(t, tinyDecoder());
  const changed = rewritten(file, [constantInput(CHANGE)]);
  assert.ok(changed !== undefined);
  const before = await InferenceSession.create(file);
  const after = await InferenceSession.create(changed);
  assert.deepEqual(
    after.inputNames,
    before.inputNames.filter((name) => name !== CHANGE.input),
  );
  assert.deepEqual(
    after.outputNames,
    before.outputNames.filter((name) => !CHANGE.drop(name)),
  );
  await before.release();
  await after.release();
});

test('a graph without the input is refused', async (t) => {
  const file = await writeBytes(t, PROBE_GRAPH);
  assert.throws(() => rewritten(file, [constantInput(CHANGE)]), /no input use_cache_branch/);
});
