import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { readParameters, refuseParameters, topKParameter } from '../../src/tasks/parameters.ts';
import { refusal } from './support.ts';

const schema = z.strictObject({ top_k: topKParameter, raw_scores: z.boolean().optional() });
const item = (parameters: Readonly<Record<string, unknown>>) => ({ kind: 'json', value: 1, parameters }) as const;

test('an unknown parameter is refused with the known ones, and with the one that was probably meant', () => {
  assert.throws(
    () => readParameters(item({ topk: 1 }), schema),
    refusal('INVALID_INPUT', /^There is no parameter "topk"; there are top_k, raw_scores\. Did you mean "top_k"\?$/),
  );
  assert.throws(
    () => readParameters(item({ colour: 1, rawScores: true }), schema),
    refusal('INVALID_INPUT', /"colour", "rawScores"; .* Did you mean "raw_scores"\?$/),
  );
  assert.throws(
    () => readParameters(item({ colour: 1 }), schema),
    refusal('INVALID_INPUT', /^There is no parameter "colour"; there are top_k, raw_scores\.$/),
  );
  assert.throws(() => refuseParameters(item({ top_k: 1 })), refusal('INVALID_INPUT', /this model has none\.$/));
});

test('null means absent', () => {
  assert.deepEqual(readParameters(item({ top_k: null, colour: null }), schema), {});
  refuseParameters(item({ top_k: null }));
});
