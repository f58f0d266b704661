import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Row, type RowState } from '../../../src/programs/generation/row.ts';
import { plainSampling } from '../../../src/programs/sampler/token-sampler.ts';

test('an answer does not end before it has the fewest tokens asked for, and its log probabilities are the model own', () => {
  const row = new Row(1, Int32Array.of(0), {
    ...{ sampling: plainSampling(0, 0), maxTokens: 9, stopTokens: [2, 3, 99], minTokens: 2, topLogprobs: 1 },
  });
  // Token 2 is always the likeliest, then 3, then 1.
  const take = (): RowState => row.take(Float32Array.of(0, 1, 9, 5));
  assert.deepEqual([take(), take(), take()], ['more', 'more', 'whole']);
  assert.deepEqual(row.tokens, [1, 1, 2]);
  assert.deepEqual(
    row.tell()?.logprobs?.map(({ top }) => top[0]?.id),
    [2, 2, 2],
  );
});
