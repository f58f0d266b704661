import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { SpeechTokens } from '../../../src/tasks/transcription/speech-work.ts';
import { chooseToken, logSum, seededRandom } from '../../../src/programs/speech/token-choice.ts';

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
  maxPositions: 448,
};

function logits(high: Readonly<Record<number, number>>): Float32Array {
  const values = new Float32Array(32);
  for (const [token, value] of Object.entries(high)) values[Number(token)] = value;
  return values;
}

function choose(high: Readonly<Record<number, number>>, tokens: readonly number[], timestamps = false): number {
  return chooseToken(logits(high), { tokens, timestamps, temperature: 0, random: () => 0 }, TOKENS).token;
}

test('the likeliest token is taken, with its log probability', () => {
  const values = logits({ 5: 4 });
  const total = logSum(logits({ 5: 4, 3: -Infinity }), 0, 32);
  const choice = chooseToken(values, { tokens: [1], timestamps: false, temperature: 0, random: () => 0 }, TOKENS);
  assert.equal(choice.token, 5);
  assert.ok(Math.abs(choice.logprob - (4 - total)) < 1e-5);
});

test('suppressed tokens are never taken, and the end not at once', () => {
  assert.equal(choose({ 3: 9, 5: 1 }, [1]), 5);
  assert.equal(choose({ 10: 9, 5: 1 }, []), 5);
  assert.equal(choose({ 10: 9, 5: 1 }, [1]), 10);
});

test('with timestamps, the first token is one, and an early one', () => {
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
    const random = seededRandom(seed);
    return Array.from({ length: 50 }, () => {
      const written = { tokens: [1], timestamps: false, temperature: 0.5, random };
      return chooseToken(logits({ 5: 12, 6: 12 }), written, TOKENS).token;
    });
  };
  assert.deepEqual(draw(7), draw(7));
  assert.notDeepEqual(draw(7), draw(8));
  assert.deepEqual([...new Set(draw(7))].sort(), [5, 6]);
});

test('logSum equals its definition', () => {
  const number = fc.double({ min: -30, max: 30, noNaN: true });
  fc.assert(
    fc.property(fc.array(number, { minLength: 1, maxLength: 50 }), (values) => {
      const exact = Math.log(values.reduce((sum, value) => sum + Math.exp(Math.fround(value)), 0));
      assert.ok(Math.abs(logSum(Float32Array.from(values), 0, values.length) - exact) < 1e-4);
    }),
  );
});
