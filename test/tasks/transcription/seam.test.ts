import assert from 'node:assert/strict';
import { test } from 'node:test';
import { joinOverlap, type Part } from '../../../src/tasks/transcription/seam.ts';
import { segmentsOf, unfinished, type Take } from '../../../src/tasks/transcription/segments.ts';
import type { SpeechTokens } from '../../../src/tasks/transcription/speech-work.ts';

/** Text tokens are below 1000, 1000 ends, timestamps are above 2000. */
const TOKENS: SpeechTokens = {
  start: 1001,
  end: 1000,
  noTimestamps: 1999,
  timestampBegin: 2000,
  noSpeech: undefined,
  startOfPrevious: undefined,
  languages: {},
  transcribe: undefined,
  translate: undefined,
  suppress: [],
  beginSuppress: [],
  maxInitialTimestamp: 50,
  alignmentHeads: [],
  maxPositions: 448,
};
const RATE = 16_000;

function time(seconds: number): number {
  return 2000 + Math.round(seconds * 50);
}

function take(start: number, end: number, tokens: readonly number[]): Take {
  return { window: 0, start: start * RATE, end: end * RATE, tokens, avgLogprob: 0, noSpeechProb: 0, temperature: 0 };
}

/** A part in which words are said evenly from its start to its end, in one segment. */
function part(start: number, end: number, words: readonly number[], overlap = 0): Part {
  const window = { start: start * RATE, end: end * RATE, overlap: overlap * RATE, speechEnd: end * RATE };
  const tokens = [time(0), ...words, time(end - start), TOKENS.end];
  return { window, segments: segmentsOf(take(start, end, tokens), TOKENS) };
}

function idsOf({ before, after }: ReturnType<typeof joinOverlap>): number[] {
  return [...before, ...after].flatMap(({ ids }) => ids);
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

test('words that two windows share are kept once', () => {
  const joined = joinOverlap(part(0, 30, range(0, 30)), part(25, 55, range(25, 55), 5), String);
  assert.deepEqual(idsOf(joined), range(0, 55));
});

test('words misheard at the very end and the very beginning are taken from the other window', () => {
  const before = part(0, 30, [...range(0, 29), 900]);
  const after = part(25, 55, [901, ...range(26, 55)], 5);
  assert.deepEqual(idsOf(joinOverlap(before, after, String)), range(0, 55));
});

test('the same words at another time are no seam', () => {
  // 20..24 are said again from 25 on.
  const words = [...range(0, 25), ...range(20, 25)];
  const before = part(0, 30, words);
  const after = part(25, 55, [...range(20, 25), ...range(30, 55)], 5);
  assert.deepEqual(idsOf(joinOverlap(before, after, String)), [...words, ...range(30, 55)]);
});

test('windows that agree in nothing each give up half of what they share', () => {
  const joined = joinOverlap(part(0, 30, range(0, 30)), part(25, 55, range(525, 555), 5), String);
  assert.deepEqual(idsOf(joined), [...range(0, 27), ...range(527, 555)]);
});

test('segments never go back in time at a seam', () => {
  const { before, after } = joinOverlap(part(0, 30, range(0, 30)), part(25, 55, range(25, 55), 5), String);
  let last = 0;
  for (const { start, end } of [...before, ...after]) {
    assert.ok(start >= last && end >= start);
    last = end;
  }
});

test('segments lie between timestamps, moved by where their audio begins', () => {
  const segments = segmentsOf(take(100, 130, [time(0), 1, 2, time(4), time(4), 3, time(7.5), TOKENS.end]), TOKENS);
  assert.deepEqual(
    segments.map(({ start, end, ids }) => [start, end, ids]),
    [
      [100, 104, [1, 2]],
      [104, 107.5, [3]],
    ],
  );
});

test('text without timestamps, or cut short, lasts to the end', () => {
  assert.deepEqual(
    segmentsOf(take(0, 9, [1, 2]), TOKENS).map(({ start, end }) => [start, end]),
    [[0, 9]],
  );
  assert.deepEqual(
    segmentsOf(take(0, 9, [time(1), 1]), TOKENS).map(({ start, end }) => [start, end]),
    [[1, 9]],
  );
  assert.deepEqual(segmentsOf(take(0, 9, [TOKENS.end]), TOKENS), []);
});

test('two timestamps at the end leave the rest to be heard, the last sentence with it', () => {
  const written = [time(0), 1, time(4), time(4), 2, time(8), time(8), TOKENS.end];
  assert.deepEqual(unfinished(take(10, 40, written), TOKENS), {
    kept: written.slice(0, 3),
    from: 14 * RATE,
    heardTo: 18 * RATE,
  });
  assert.equal(unfinished(take(10, 40, [time(0), 1, time(4), TOKENS.end]), TOKENS), undefined);
});
