import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ascending, percentile } from '../../src/benchmark/statistics.ts';
import type { RunResult, Sample } from '../../load-tests/runner/samples.ts';
import { judgeThresholds, parseExpression } from '../../load-tests/runner/thresholds.ts';

function sample(latencyMs: number, status = 200, extra: Partial<Sample> = {}): Sample {
  return { name: 'predict', status, latencyMs, expected: status === 200, checks: [], ...extra };
}
const run: RunResult = {
  samples: [
    sample(10, 200, { checks: [{ name: 'right', right: true }] }),
    sample(20, 200, { checks: [{ name: 'right', right: true }] }),
    sample(30, 200, { checks: [{ name: 'right', right: false }], name: 'health' }),
    sample(1, 429, { checks: [{ name: 'right', right: true }] }),
  ],
  dropped: 2,
  elapsedMs: 2000,
  counters: { burst_squares: 8 },
};

describe('percentile', () => {
  it('goes in a straight line between the nearest ranks', () => {
    const values = ascending([4, 1, 3, 2]);
    assert.deepEqual(
      [0, 50, 100].map((percent) => percentile(values, percent)),
      [1, 2.5, 4],
    );
    assert.equal(percentile(values, 95), 1 + 0.95 * 3);
    assert.equal(percentile([], 50), 0);
    assert.equal(percentile([7], 99), 7);
  });

  it('never leaves the range and never falls as the percentage rises', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1 }),
        fc.double({ min: 0, max: 100, noNaN: true }),
        fc.double({ min: 0, max: 100, noNaN: true }),
        (values, one, other) => {
          const sorted = ascending(values);
          const low = percentile(sorted, Math.min(one, other));
          const high = percentile(sorted, Math.max(one, other));
          assert.ok(low <= high + 1e-6 && low >= Math.min(...values) && high <= Math.max(...values) + 1e-6);
        },
      ),
    );
  });
});

describe('judgeThresholds', () => {
  const actual = (metric: string, expression: string): number => {
    const [verdict] = judgeThresholds({ [metric]: [expression] }, run);
    assert.ok(verdict);
    return verdict.actual;
  };
  it('knows every metric and every way to sum it up', () => {
    assert.equal(actual('http_req_duration', 'max<1'), 30);
    assert.equal(actual('http_req_duration', 'min<1'), 1);
    assert.equal(actual('http_req_duration', 'med<1'), 15);
    assert.equal(actual('http_req_duration', 'avg<1'), 15.25);
    assert.equal(actual('http_req_duration{expected_response:true}', 'p(50)<1'), 20);
    assert.equal(actual('http_req_duration{status:429}', 'p(99.9)<1'), 1);
    assert.equal(actual('http_req_duration{name:health,status:200}', 'med<1'), 30);
    assert.equal(actual('http_req_failed', 'rate<1'), 0.25);
    assert.equal(actual('http_reqs', 'rate>1'), 2);
    assert.equal(actual('http_reqs{status:200}', 'count>1'), 3);
    assert.equal(actual('checks', 'rate>1'), 0.75);
    assert.equal(actual('dropped_iterations', 'count<1'), 2);
    assert.equal(actual('burst_squares', 'count==8'), 8);
    assert.equal(actual('http_req_duration{status:503}', 'p(95)<1'), 0);
  });

  it('compares as the expression says', () => {
    const passed = (expression: string) =>
      judgeThresholds({ burst_squares: [expression] }, run).map((verdict) => verdict.passed)[0];
    for (const right of ['count<9', 'count<=8', 'count>7.5', 'count>=8', 'count==8', 'count === 8', 'count!=9'])
      assert.equal(passed(right), true, right);
    for (const wrong of ['count<8', 'count<=7', 'count>8', 'count>=9', 'count==9', 'count===-8', 'count!=8'])
      assert.equal(passed(wrong), false, wrong);
  });

  it('refuses what it does not understand', () => {
    for (const text of ['p95<1', 'count', 'count=1', 'count<one', '']) assert.throws(() => parseExpression(text));
    assert.throws(() => actual('http_req_waiting', 'med<1'), /no metric http_req_waiting/);
    assert.throws(() => actual('http_req_duration', 'rate<1'), /a trend has no such value/);
    assert.throws(() => actual('http_req_duration{scenario:a}', 'med<1'), /no tag scenario/);
  });
});
