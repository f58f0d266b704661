import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SpeechTokens } from '../../../src/tasks/transcription/speech-work.ts';
import { logSumExp } from '../../../src/programs/sampler/log-softmax.ts';
import { plainSampling, TokenSampler } from '../../../src/programs/sampler/token-sampler.ts';
import { chooseToken } from '../../../src/programs/speech/token-choice.ts';

const greedy = new TokenSampler(plainSampling(0, 0), []);

/** Text 0..9, end 10, no timestamps 11, timestamps 12..31. */
const TOKENS: SpeechTokens = {
  start: 9,
  end: 10,
  noTimestamps: 11,
  timestampBegin: 12,
  noSpeech: undefined,
  startOfPrevious: undefined,
  languages: {},
  transcribe: undefined,
  translate: undefined,
  suppress: [3],
  beginSuppress: [10],
  maxInitialTimestamp: 4,
  alignmentHeads: [],
  maxPositions: 448,
};

function logits(high: Readonly<Record<number, number>>): Float32Array {
  const values = new Float32Array(32);
  for (const [token, value] of Object.entries(high)) values[Number(token)] = value;
  return values;
}

function choose(high: Readonly<Record<number, number>>, tokens: readonly number[], timestamps = false): number {
  return chooseToken(logits(high), { tokens, timestamps, sampler: greedy }, TOKENS).token;
}

test('the likeliest token is taken, with its log probability', () => {
  const values = logits({ 5: 4 });
  const total = logSumExp(logits({ 5: 4, 3: -Infinity }));
  const choice = chooseToken(values, { tokens: [1], timestamps: false, sampler: greedy }, TOKENS);
  assert.equal(choice.token, 5);
  assert.ok(Math.abs(choice.logprob - (4 - total)) < 1e-5);
});

test('suppressed tokens are never taken, and the end not at once', () => {
  assert.equal(choose({ 3: 9, 5: 1 }, [1]), 5);
  assert.equal(choose({ 10: 9, 5: 1 }, []), 5);
  assert.equal(choose({ 10: 9, 5: 1 }, [1]), 10);
});

test('with timestamps, the first token is an early timestamp', () => {
  assert.equal(choose({ 5: 9, 30: 8, 14: 1 }, [], true), 14);
});

test('after one timestamp that closes, there is another or the end; after two, text', () => {
  assert.equal(choose({ 5: 9, 20: 8 }, [12, 5, 20], true), 20);
  assert.equal(choose({ 5: 9, 10: 8 }, [12, 5, 20], true), 10);
  assert.equal(choose({ 5: 1, 25: 9 }, [12, 5, 20, 20], true), 5);
});

test('timestamps do not go back, and a segment is not empty', () => {
  assert.equal(choose({ 12: 9, 13: 8, 14: 7 }, [13, 5], true), 14);
});

test('a timestamp is taken when all of them together are likelier than any text', () => {
  const high: Record<number, number> = { 5: 5 };
  for (let token = 13; token < 32; token += 1) high[token] = 4.9;
  assert.ok(choose(high, [12, 4], true) >= 12);
  assert.equal(choose({ 5: 5 }, [12, 4], true), 5);
});

test('sampling depends on the seed alone and keeps to what is likely', () => {
  const draw = (seed: number): number[] => {
    const sampler = new TokenSampler(plainSampling(0.5, seed), []);
    return Array.from({ length: 50 }, () => {
      const written = { tokens: [1], timestamps: false, sampler };
      return chooseToken(logits({ 5: 12, 6: 12 }), written, TOKENS).token;
    });
  };
  assert.deepEqual(draw(7), draw(7));
  assert.notDeepEqual(draw(7), draw(8));
  assert.deepEqual([...new Set(draw(7))].sort(), [5, 6]);
});
