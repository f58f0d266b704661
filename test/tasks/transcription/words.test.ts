import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Segment, Take } from '../../../src/tasks/transcription/segments.ts';
import { boundWords, type TimedSegment } from '../../../src/tasks/transcription/word-bounds.ts';
import { wordsOf } from '../../../src/tasks/transcription/words.ts';

const TAKE: Take = { window: 0, start: 0, end: 1, tokens: [], avgLogprob: 0, noSpeechProb: 0, temperature: 0 };

/** A segment of 10 s whose tokens are these texts, each a second long where they have times. */
function segment(
  texts: readonly string[],
  timed = true,
): { segment: Segment; decode: (ids: readonly number[]) => string } {
  const bytes = texts.map((text) => Buffer.from(text, 'latin1'));
  return {
    segment: {
      ...{ start: 0, end: 10, ids: [...texts.keys()], take: TAKE },
      spans: timed ? texts.map((_, at) => [at, at + 1] as const) : undefined,
    },
    decode: (ids) => Buffer.concat(ids.map((id) => bytes[id] ?? Buffer.alloc(0))).toString(),
  };
}

function words(texts: readonly string[], { language = 'en', timed = true } = {}): [string, number, number][] {
  const { segment: own, decode } = segment(texts, timed);
  return wordsOf(own, { decode, language }).map(({ word, start, end }) => [word, start, end]);
}

const latin1 = (text: string): string => Buffer.from(text).toString('latin1');

test('tokens become words at spaces, with the times of their first and last token', () => {
  assert.deepEqual(words([' Good', ' morn', 'ing', ' all']), [
    [' Good', 0, 1],
    [' morning', 1, 3],
    [' all', 3, 4],
  ]);
});

test('punctuation goes with its word and takes none of its time', () => {
  assert.deepEqual(words([' He', ' said', ':', ' "', 'no', '!', '"']), [
    [' He', 0, 1],
    [' said:', 1, 2],
    [' "no!"', 3, 5],
  ]);
  assert.deepEqual(words([' o', "'", 'clock']), [[" o'clock", 0, 3]]);
});

test('characters of several tokens are not torn apart, and languages without spaces have a word a character', () => {
  const [e1, e2] = latin1('é');
  assert.deepEqual(words([' caf', e1 ?? '', e2 ?? '', ' noir']), [
    [' café', 0, 3],
    [' noir', 3, 4],
  ]);
  const ni = Array.from(latin1('你好'));
  assert.deepEqual(words(ni, { language: 'zh' }), [
    ['你', 0, 3],
    ['好', 3, 6],
  ]);
});

test('without times of tokens, a segment is divided among its characters', () => {
  assert.deepEqual(words([' ab', ' abcdefg'], { timed: false }), [
    [' ab', 0, (10 * 3) / 11],
    [' abcdefg', (10 * 3) / 11, 10],
  ]);
});

const word = (text: string, start: number, end: number) => ({ word: text, start, end });

test('a word at the end of a sentence does not take the pause after it', () => {
  const own = [word(' a', 1, 1.5), word(' b', 1.5, 2), word(' c.', 2, 5), word(' d', 5, 5.5)];
  const [bounded] = boundWords([{ words: own, start: 1, end: 5.5 }], 1);
  assert.deepEqual(bounded?.words[2], word(' c.', 2, 3));
});

test('the first word after a pause does not take the pause before it, and the segment begins with it', () => {
  const own = [word(' a', 2, 9), word(' b', 9, 9.5), word(' c', 9.5, 10)];
  const [bounded] = boundWords([{ words: own, start: 2, end: 10 }], 0);
  assert.deepEqual([bounded?.words[0], bounded?.start, bounded?.end], [word(' a', 8, 9), 8, 10]);
});

test('words that run beyond their segment are cut to it', () => {
  const own = [word(' a', 0, 0.5), word(' b', 0.5, 1), word(' c', 1, 3)];
  const segments: TimedSegment[] = [{ words: own, start: 0, end: 1.25 }];
  assert.deepEqual(boundWords(segments, 0)[0]?.words.at(-1), word(' c', 1, 1.5));
});

test('segments without words, and words without length, stay as they are', () => {
  const empty: TimedSegment[] = [{ words: [], start: 1, end: 2 }];
  assert.deepEqual(boundWords(empty, 0), empty);
  const flat: TimedSegment[] = [{ words: [word(' a', 1, 1)], start: 1, end: 2 }];
  assert.deepEqual(boundWords(flat, 0), flat);
});
