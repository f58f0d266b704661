import assert from 'node:assert/strict';
import { test } from 'node:test';
import { framesOf } from '../../../../src/tasks/transcription/ctc/contract.ts';
import { spell, wordsOf } from '../../../../src/tasks/transcription/ctc/letters.ts';
import { writeLetters } from '../../../../src/tasks/transcription/ctc/reply.ts';
import type { Window } from '../../../../src/tasks/transcription/windows.ts';

/** Tokens: 0 blank, 1 between words, 2 special, then letters. */
const VOCABULARY = {
  letters: [undefined, undefined, undefined, 'A', 'B', 'C'],
  blank: 0,
  delimiter: 1,
  isLowerCased: false,
};
/** Of 100 ms. */
const FRAME = 1600;

function window(start: number, frames: number, overlap = 0): Window {
  return { start: start * FRAME, end: (start + frames) * FRAME, overlap: overlap * FRAME, speechEnd: 0 };
}

function heard(tokens: readonly number[], index = 0) {
  return { window: index, tokens: Int32Array.from(tokens), scores: new Float32Array(tokens.length).fill(-0.5) };
}

/** Words with their times in frames. */
function read(
  windows: readonly Window[],
  rows: readonly (readonly number[])[],
  vocabulary: typeof VOCABULARY | (Omit<typeof VOCABULARY, 'delimiter'> & { delimiter: undefined }) = VOCABULARY,
) {
  const words = wordsOf(
    windows,
    rows.map((row, index) => heard(row, index)),
    vocabulary,
    FRAME,
  );
  return words.map((word) => [
    spell(word, vocabulary),
    Math.round((word[0]?.start ?? 0) * 10),
    Math.round((word.at(-1)?.end ?? 0) * 10),
  ]);
}

test('frames in a row are one letter, a blank tells two of them apart, a delimiter ends a word', () => {
  const tokens = [0, 3, 3, 0, 3, 4, 1, 1, 5, 2, 4, 0, 0];
  assert.deepEqual(read([window(0, 13)], [tokens]), [
    ['AAB', 1, 6],
    ['CB', 8, 11],
  ]);
  assert.deepEqual(read([window(0, 4)], [[0, 1, 2, 0]]), []);
});

test('a cut in a pause ends the word and the letter; windows that share audio meet in its middle', () => {
  assert.deepEqual(
    read(
      [window(0, 3), window(10, 3)],
      [
        [0, 3, 4],
        [4, 5, 0],
      ],
    ),
    [
      ['AB', 1, 3],
      ['BC', 10, 12],
    ],
  );
  // Frames 4 and 5 are heard by both.
  const windows = [window(0, 6), window(4, 6, 2)];
  assert.deepEqual(
    read(windows, [
      [0, 3, 0, 4, 4, 3],
      [3, 4, 4, 5, 0, 0],
    ]),
    [['ABC', 1, 8]],
  );
});

test('without a delimiter each letter is a word, and there are no spaces', () => {
  const vocabulary = { ...VOCABULARY, delimiter: undefined };
  assert.deepEqual(read([window(0, 5)], [[3, 3, 0, 4, 5]], vocabulary), [
    ['A', 0, 2],
    ['B', 3, 4],
    ['C', 4, 5],
  ]);
  const parts = {
    windows: [window(0, 5)],
    takes: [heard([3, 3, 0, 4, 5])],
    stretches: [],
    timestamps: false,
    words: false,
  };
  assert.equal(writeLetters(parts, vocabulary, FRAME).text, 'ABC');
});

test('segments end at pauses, and where lines of subtitles would be too long', () => {
  const tokens = [3, 1, 4, 1, 0, 0, 0, 0, 0, 0, 5, 1, 3];
  const parts = { windows: [window(0, 13)], takes: [heard(tokens)], stretches: [], timestamps: true, words: false };
  const { segments, words } = writeLetters(parts, VOCABULARY, FRAME);
  assert.deepEqual(
    segments.map(({ id, start, end, text, tokens: ids, avg_logprob: logprob }) => [id, start, end, text, ids, logprob]),
    [
      [0, 0, 0.3, 'A B', [3, 4], -0.5],
      [1, 1, 1.3, 'C A', [5, 3], -0.5],
    ],
  );
  assert.equal(words, undefined);
  const many = Array.from({ length: 200 }, (_, at) => (at % 2 === 0 ? 3 : 1));
  const long = writeLetters({ ...parts, windows: [window(0, 200)], takes: [heard(many)] }, VOCABULARY, FRAME);
  assert.deepEqual(
    long.segments.map(({ text }) => text.length <= 84),
    [true, true, true],
  );
});

test('convolutions say how many frames there are', () => {
  const wav2vec2 = [10, 3, 3, 3, 3, 2, 2].map((kernel, at) => ({ kernel, stride: at === 0 ? 5 : 2 }));
  assert.deepEqual(
    [0, 399, 400, 719, 720, 16_000, 480_000].map((samples) => framesOf(samples, wav2vec2)),
    [0, 0, 1, 1, 2, 49, 1499],
  );
});
