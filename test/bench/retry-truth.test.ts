import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judgeRetryAfter } from '../../bench/retry-truth.ts';

describe('judgeRetryAfter', () => {
  it('compares each refusal with the request admitted nearest to it', () => {
    const admitted = { dueMs: [1000, 0, 500], latencyMs: [400, 100, 200] };
    const refused = { dueMs: [990, 10, 480, 700], retryAfterMs: [400, 50, 100, 1000] };
    // Ratios: 400/400, 50/100, 100/200, 1000/200.
    assert.deepEqual(judgeRetryAfter(admitted, refused), { medianRatio: 0.75, withinTwo: 0.75, told: 1 });
  });

  it('finds the nearest among admitted requests of one and the same time', () => {
    const admitted = { dueMs: [0, 0, 0, 100], latencyMs: [1, 1, 1, 50] };
    assert.equal(judgeRetryAfter(admitted, { dueMs: [99], retryAfterMs: [50] }).medianRatio, 1);
  });

  it('counts refusals that told nothing', () => {
    const truth = judgeRetryAfter({ dueMs: [0], latencyMs: [100] }, { dueMs: [1, 2], retryAfterMs: [100, Number.NaN] });
    assert.deepEqual(truth, { medianRatio: 1, withinTwo: 1, told: 0.5 });
  });

  it('says nothing when there is nothing to compare', () => {
    const none = { medianRatio: Number.NaN, withinTwo: Number.NaN, told: Number.NaN };
    assert.deepEqual(judgeRetryAfter({ dueMs: [], latencyMs: [] }, { dueMs: [1], retryAfterMs: [1] }), none);
    assert.deepEqual(judgeRetryAfter({ dueMs: [1], latencyMs: [1] }, { dueMs: [], retryAfterMs: [] }), none);
  });
});
