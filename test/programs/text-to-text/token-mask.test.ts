import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyRules } from '../../../src/programs/text-to-text/token-mask.ts';
import type { TokenRules } from '../../../src/tasks/text-to-text/work.ts';

const NONE: TokenRules = {
  ...{ repetitionPenalty: 1, noRepeatNgram: 0, badWords: [], minTokens: 0 },
  ...{ forcedLast: [], suppress: [], beginSuppress: [] },
};

/** Tokens that may come behind a text that token 0 starts. */
function allowed(text: readonly number[], rules: Partial<TokenRules>, maxTokens = 100): number[] {
  const scores = new Float32Array(6).fill(1);
  applyRules(scores, [0, ...text], { rules: { ...NONE, ...rules }, maxTokens, endTokens: [5], started: 1 });
  return [...scores.keys()].filter((token) => (scores[token] ?? 0) > -Infinity);
}

test('no run of tokens comes twice, the start included', () => {
  assert.deepEqual(allowed([1, 2, 3, 1, 2], { noRepeatNgram: 3 }), [0, 1, 2, 4, 5]);
  assert.deepEqual(allowed([1, 2, 1], { noRepeatNgram: 2 }), [0, 1, 3, 4, 5]);
  assert.deepEqual(allowed([1, 0], { noRepeatNgram: 2 }), [0, 2, 3, 4, 5]);
  assert.deepEqual(allowed([1, 2], { noRepeatNgram: 1 }), [3, 4, 5]);
  assert.deepEqual(allowed([1], { noRepeatNgram: 4 }), [0, 1, 2, 3, 4, 5]);
});

test('bad words never come, and longer ones only in part', () => {
  assert.deepEqual(allowed([], { badWords: [[4]] }), [0, 1, 2, 3, 5]);
  assert.deepEqual(allowed([1, 2], { badWords: [[1, 2, 3]] }), [0, 1, 2, 4, 5]);
  assert.deepEqual(allowed([2, 2], { badWords: [[1, 2, 3]] }), [0, 1, 2, 3, 4, 5]);
});

test('the end waits for the least length, and the first and the last token may be given', () => {
  assert.deepEqual(allowed([1], { minTokens: 2 }), [0, 1, 2, 3, 4]);
  assert.deepEqual(allowed([1, 1], { minTokens: 2 }), [0, 1, 2, 3, 4, 5]);
  assert.deepEqual(allowed([], { forcedFirst: 3 }), [3]);
  assert.deepEqual(allowed([3], { forcedFirst: 3 }), [0, 1, 2, 3, 4, 5]);
  assert.deepEqual(allowed([1, 1], { forcedLast: [5] }, 3), [5]);
  assert.deepEqual(allowed([1], { forcedLast: [5] }, 3), [0, 1, 2, 3, 4, 5]);
});

test('suppressed tokens, and those suppressed at the beginning', () => {
  assert.deepEqual(allowed([], { suppress: [1], beginSuppress: [2] }), [0, 3, 4, 5]);
  assert.deepEqual(allowed([3], { suppress: [1], beginSuppress: [2] }), [0, 2, 3, 4, 5]);
});

test('tokens that have come lose by the penalty, once each', () => {
  const scores = Float32Array.of(2, 2, -2, -2);
  const rules = { ...NONE, repetitionPenalty: 2 };
  applyRules(scores, [0, 2, 2, 9], { rules, maxTokens: 9, endTokens: [], started: 1 });
  assert.deepEqual([...scores], [1, 2, -4, -2]);
});
