import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InferenceSession } from 'onnxruntime-node';
import { withConstantInput } from '../../../src/onnx/surgery/constant-input.ts';
import { tinyDecoder } from '../../programs/speech/tiny-whisper.ts';

const CHANGE = { input: 'use_cache_branch', value: true, drop: (name: string) => name.includes('.encoder.') };

test('a merged decoder loses the input and the dropped outputs, and nothing else', async () => {
  const merged = tinyDecoder();
  const changed = withConstantInput(merged, CHANGE);
  assert.ok(changed !== undefined);
  const before = await InferenceSession.create(merged);
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

test('a graph without the input, and bytes that are no model, are left alone', async () => {
  const { PROBE_GRAPH } = await import('../../../src/onnx/probe-graph.ts');
  assert.equal(withConstantInput(PROBE_GRAPH, CHANGE), undefined);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      withConstantInput(bytes, CHANGE);
    }),
    { numRuns: 1000 },
  );
});
