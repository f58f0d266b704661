import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { argmax } from '../../../src/programs/sampler/ranking.ts';
import { randomNumbers } from '../../../tools/make-mlp.ts';
import { TokenSampler } from '../../../src/programs/sampler/token-sampler.ts';
import { GREEDY } from '../generation/support.ts';

/** Sixteenths, so that some are equal, and unequal ones clearly differ. */
const logitsOf = fc
  .array(fc.integer({ min: -320, max: 320 }), { minLength: 1, maxLength: 60 })
  .map((values) => Float32Array.from(values, (value) => value / 16));

/** Tokens that can come out, found by many draws. */
function drawn(logits: Float32Array, sampling: Partial<typeof GREEDY>, draws = 60): Set<number> {
  const sampler = new TokenSampler({ ...GREEDY, temperature: 1, seed: 5, ...sampling }, []);
  return new Set(Array.from({ length: draws }, () => sampler.next(logits.slice())));
}

/** Tokens by falling probability at temperature 1, with it. */
function ranked(logits: Float32Array): { token: number; share: number }[] {
  const most = Math.max(...logits);
  const weights = Array.from(logits, (logit) => Math.exp(logit - most));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights
    .map((weight, token) => ({ token, share: weight / total }))
    .sort((one, other) => other.share - one.share || one.token - other.token);
}

describe('choosing a token', () => {
  test('greedy takes the likeliest, the first of equals', () => {
    fc.assert(
      fc.property(logitsOf, (logits) => {
        const token = new TokenSampler(GREEDY, []).next(logits.slice());
        assert.equal(token, logits.indexOf(Math.max(...logits)));
      }),
    );
  });

  test('no token is chosen when no logit is a number', () => {
    for (const bad of [NaN, -Infinity]) assert.equal(new TokenSampler(GREEDY, []).next(Float32Array.of(bad, bad)), -1);
    assert.equal(argmax(Float32Array.of(NaN, 3, NaN)), 1);
  });

  test('top_k draws from the k likeliest alone', () => {
    fc.assert(
      fc.property(logitsOf, fc.integer({ min: 1, max: 8 }), (logits, topK) => {
        const allowed = new Set(
          ranked(logits)
            .slice(0, topK)
            .map(({ token }) => token),
        );
        for (const token of drawn(logits, { topK })) assert.ok(allowed.has(token));
      }),
    );
  });

  test('top_p draws from the fewest likeliest that reach it', () => {
    fc.assert(
      fc.property(logitsOf, fc.double({ min: 0.05, max: 0.99, noNaN: true }), (logits, topP) => {
        let mass = 0;
        const allowed = new Set<number>();
        for (const { token, share } of ranked(logits)) {
          // Sums in another order may differ in the last digits.
          if (mass >= topP + 1e-9) break;
          allowed.add(token);
          mass += share;
        }
        for (const token of drawn(logits, { topP })) assert.ok(allowed.has(token));
      }),
    );
  });

  test('min_p draws from those that are likely enough beside the likeliest', () => {
    fc.assert(
      fc.property(logitsOf, fc.double({ min: 0.01, max: 1, noNaN: true }), (logits, minP) => {
        const order = ranked(logits);
        const least = minP * (order[0]?.share ?? 0);
        const share = new Map(order.map((entry) => [entry.token, entry.share]));
        for (const token of drawn(logits, { minP })) assert.ok((share.get(token) ?? 0) >= least * (1 - 1e-5));
      }),
    );
  });

  test('tokens come as often as they are likely, whatever the sampling parameters', () => {
    const shares = [0.5, 0.3, 0.15, 0.05];
    const logits = Float32Array.from(shares, Math.log);
    const draws = 20_000;
    for (const sampling of [{}, { topK: 4 }, { topP: 0.9999 }, { topK: 3, topP: 0.95 }]) {
      const sampler = new TokenSampler({ ...GREEDY, temperature: 1, seed: 9, ...sampling }, []);
      const counts = shares.map(() => 0);
      for (let draw = 0; draw < draws; draw += 1) {
        const token = sampler.next(logits.slice());
        counts[token] = (counts[token] ?? 0) + 1;
      }
      const kept = 'topK' in sampling && sampling.topK === 3 ? 3 : 4;
      const total = shares.slice(0, kept).reduce((sum, share) => sum + share, 0);
      for (const [token, share] of shares.entries()) {
        const expected = token < kept ? share / total : 0;
        // Four standard deviations of a draw's mean are 0.015 at most.
        assert.ok(Math.abs((counts[token] ?? 0) / draws - expected) < 0.015, JSON.stringify({ sampling, counts }));
      }
    }
  });

  test('temperature sharpens and flattens', () => {
    const logits = Float32Array.of(2, 0, 0, 0);
    const best = (temperature: number): number => {
      const sampler = new TokenSampler({ ...GREEDY, temperature, seed: 1 }, []);
      return Array.from({ length: 2000 }, () => sampler.next(logits.slice())).filter((token) => token === 0).length;
    };
    assert.ok(best(0.3) > 1950);
    assert.ok(best(100) < 700);
  });

  test('penalties lower what was there, by the formulas of the APIs', () => {
    const logits = Float32Array.of(3, 2.9, -1);
    const next = (own: Partial<typeof GREEDY>, prompt: readonly number[], count = 1): number[] => {
      const sampler = new TokenSampler({ ...GREEDY, ...own }, prompt);
      return Array.from({ length: count }, () => sampler.next(logits.slice()));
    };
    // The prompt's tokens count for repetition alone.
    assert.deepEqual(next({ repetitionPenalty: 1.1 }, [0]), [1]);
    assert.deepEqual(next({ presencePenalty: 2 }, [0]), [0]);
    assert.deepEqual(next({ presencePenalty: 0.5 }, [], 3), [0, 1, 0]);
    assert.deepEqual(next({ frequencyPenalty: 0.08 }, [], 5), [0, 0, 1, 0, 1]);
    // Multiplying lowers a negative logit.
    const sampler = new TokenSampler({ ...GREEDY, repetitionPenalty: 2 }, [0]);
    assert.equal(sampler.next(Float32Array.of(-1, -1.5)), 1);
  });

  test('logit_bias is added', () => {
    const sampler = new TokenSampler(
      {
        ...GREEDY,
        logitBias: [
          [2, 100],
          [7, 100],
        ],
      },
      [],
    );
    assert.equal(sampler.next(Float32Array.of(5, 4, -50)), 2);
  });

  test('tokens are drawn as often as their probabilities say', () => {
    const logits = Float32Array.of(2, 1, 0, -1, -20);
    const powers = Array.from(logits, Math.exp);
    const total = powers.reduce((sum, power) => sum + power, 0);
    const counts = new Array<number>(5).fill(0);
    const draws = 50_000;
    const sampler = new TokenSampler({ ...GREEDY, temperature: 1, seed: 3 }, []);
    for (let draw = 0; draw < draws; draw += 1) {
      const token = sampler.next(logits.slice());
      counts[token] = (counts[token] ?? 0) + 1;
    }
    for (const [token, power] of powers.entries())
      assert.ok(Math.abs((counts[token] ?? 0) - (draws * power) / total) < 500, counts.join(', '));
    assert.equal(counts[4], 0);
  });

  test('logits moved by a batch change a draw only where two tokens were that close', () => {
    const random = randomNumbers(9);
    let different = 0;
    for (let seed = 0; seed < 2000; seed += 1) {
      const logits = Float32Array.from({ length: 500 }, () => 6 * random());
      const moved = logits.map((logit) => logit + 0.0002 * (random() - 0.5));
      const draw = (values: Float32Array) => new TokenSampler({ ...GREEDY, temperature: 1, seed }, []).next(values);
      if (draw(logits) !== draw(moved)) different += 1;
    }
    assert.ok(different <= 5, `${different} of 2000 draws differ`);
  });
});
