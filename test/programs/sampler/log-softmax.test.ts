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

test('a sum over a vocabulary is as exact as one of Math.exp', () => {
  const logits = Float32Array.from({ length: 50_000 }, (_, id) => 12 * Math.sin(id * 12.9898));
  const exact = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - 12), 0)) + 12;
  assert.ok(Math.abs(logSumExp(logits) - exact) < 1e-8);
});

test('what is no number or infinitely small counts as nothing', () => {
  assert.ok(Math.abs(logSumExp(Float32Array.of(NaN, 2, -Infinity, 2)) - (2 + Math.LN2)) < 1e-8);
  assert.equal(logSumExp(Float32Array.of(-Infinity, NaN)), -Infinity);
});
