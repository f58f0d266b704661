import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { logSumExp, LogSoftmax } from '../../../src/programs/sampler/log-softmax.ts';

test('log probabilities are those of a softmax, of the logits as they were', () => {
  const logits = Float32Array.from([0.1, 0.2, 0.7], Math.log);
  const softmax = new LogSoftmax(logits, 2);
  logits.fill(0);
  const { logprob, top } = softmax.of(0);
  assert.ok(Math.abs(logprob - Math.log(0.1)) < 1e-6);
  assert.deepEqual(
    top.map(({ id }) => id),
    [2, 1],
  );
});

test('the logarithm of a sum of exponentials equals its definition', () => {
  const number = fc.double({ min: -30, max: 30, noNaN: true });
  fc.assert(
    fc.property(fc.array(number, { minLength: 1, maxLength: 50 }), (values) => {
      const exact = Math.log(values.reduce((sum, value) => sum + Math.exp(Math.fround(value)), 0));
      assert.ok(Math.abs(logSumExp(Float32Array.from(values)) - exact) < 1e-4);
    }),
  );
});
