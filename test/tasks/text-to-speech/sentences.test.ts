import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clausesOf } from '../../../src/tasks/text-to-speech/clauses.ts';
import { sentencesOf } from '../../../src/tasks/text-to-speech/sentences.ts';

test('a text is cut where sentences and lines end, not after abbreviations or within numbers', () => {
  assert.deepEqual(
    sentencesOf('Dr. Smith owes 3.50 dollars to J. Doe. He will pay soon! Will he?\nNobody knows that'),
    ['Dr. Smith owes 3.50 dollars to J. Doe.', 'He will pay soon!', 'Will he?', 'Nobody knows that'],
  );
  assert.deepEqual(sentencesOf('今日は晴れです。明日は雨です。'), ['今日は晴れです。', '明日は雨です。']);
});

test('what has nothing to be spoken is left out', () => {
  assert.deepEqual(sentencesOf('... \n\n !? \n *** \n one'), ['one']);
  assert.deepEqual(sentencesOf('🙂'), []);
});

test('a long sentence is cut after a comma, between words or, if there is neither, anywhere but within a character', () => {
  const words = `${'some words, and '.repeat(80)}an end.`;
  const pieces = sentencesOf(words);
  assert.ok(pieces.length > 2 && pieces.every((piece) => piece.length <= 400));
  assert.ok(pieces.slice(0, -1).every((piece) => piece.endsWith(',')));
  assert.equal(pieces.join(' '), words);
  const letters = `a${'😀b'.repeat(400)}`;
  const cut = sentencesOf(letters);
  assert.equal(cut.join(''), letters);
  assert.ok(cut.every((piece) => !/\p{Surrogate}/u.test(piece)));
});

test('a long text is cut as its parts are, wherever the windows end in which it is looked at', () => {
  const parts = Array.from(
    { length: 900 },
    (_, index) => `Sentence ${'no '.repeat(index % 7)}${index} of Dr. Who ends here.`,
  );
  assert.deepEqual(sentencesOf(parts.join(' ')), parts);
  const spaced = `${' '.repeat(5000)}One sentence stands here alone.${' '.repeat(5000)}`;
  assert.deepEqual(sentencesOf(spaced), ['One sentence stands here alone.']);
  const letters = `a${'😀b'.repeat(4000)}`;
  const pieces = sentencesOf(letters);
  assert.equal(pieces.join(''), letters);
  assert.ok(pieces.every((piece) => piece.length <= 400 && !/\p{Surrogate}/u.test(piece)));
  // Nothing here ends a sentence for sure.
  const initials = 'A. '.repeat(30_000).trim();
  assert.equal(sentencesOf(initials).join(' '), initials);
});

test('clauses end at punctuation, which is kept apart from their words', () => {
  const marks = (text: string) => clausesOf(text).map(({ words, mark }) => `${words}|${mark}`);
  assert.deepEqual(marks('Well, "it is so"; isn\'t it?!'), ['Well|,', 'it is so|;', "isn't it|?"]);
  assert.deepEqual(marks('At 3.5 or 1,000 (perhaps) - who knows...'), ['At 3.5 or 1,000 perhaps|,', 'who knows|.']);
  assert.deepEqual(marks('Dr. Smith, at 5 a.m. on: hello.'), ['Dr. Smith|,', 'at 5 a.m. on|:', 'hello|.']);
  assert.deepEqual(marks('¿Qué? ¡Sí!'), ['Qué|?', 'Sí|!']);
  assert.deepEqual(marks('你好，世界。'), ['你好|,', '世界|.']);
  assert.deepEqual(marks('no end\nand a line'), ['no end and a line|']);
  assert.deepEqual(marks('?! ...'), []);
});
