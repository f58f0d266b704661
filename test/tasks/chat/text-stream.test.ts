import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { StopTexts } from '../../../src/tasks/chat/stop-texts.ts';
import { TextStream } from '../../../src/tasks/chat/text-stream.ts';
import { tokenBytes } from '../../../src/tasks/chat/token-bytes.ts';
import { createTokenizer, type TextTokenizer } from '../../../src/tasks/text/tokenizer.ts';
import { TINY_TOKENIZER, VOCABULARY } from '../text/tiny-encoder.ts';
import { byteTokenizer, sentencePieceTokenizer } from './support.ts';

function pieces(tokenizer: TextTokenizer, tokens: readonly number[]): string[] {
  const stream = new TextStream(tokenizer);
  return [...tokens.map((token) => stream.push(token)), stream.end()];
}

describe('tokens to text, piece by piece', () => {
  const bytes = byteTokenizer();

  test('the pieces are the text, and none ends within a character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 30 }), (text) => {
        const tokens = [...new TextEncoder().encode(text)];
        const told = pieces(bytes, tokens);
        assert.equal(told.join(''), new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(tokens)));
        for (const piece of told)
          assert.ok(!/\p{Surrogate}/u.test(piece) && (!piece.includes('\ufffd') || text.includes('\ufffd')));
      }),
    );
  });

  test('an emoji of four tokens comes with its last', () => {
    assert.deepEqual(pieces(bytes, [...new TextEncoder().encode('a🚗b')]), ['a', '', '', '', '🚗', 'b', '']);
  });

  test('what never becomes a character comes in the end, and does not hold up the rest for ever', () => {
    assert.deepEqual(pieces(bytes, [0x61, 0xf0, 0x9f]), ['a', '', '', '\ufffd']);
    const told = pieces(bytes, Array<number>(40).fill(0x80));
    assert.ok(told.slice(0, 20).some((piece) => piece !== ''));
  });

  test('special tokens have no text', () => {
    assert.deepEqual(pieces(bytes, [257, 0x61, 256]), ['', 'a', '', '']);
  });

  test('the space before a word is kept where SentencePiece drops that of the first', () => {
    const tokenizer = sentencePieceTokenizer();
    const tokens = [1, 2, 3, 4, 1].map(Number);
    assert.equal(pieces(tokenizer, tokens).join(''), 'Hello world! Hello');
    const emoji = [...new TextEncoder().encode('é🚗')].map((byte) => 6 + byte);
    assert.deepEqual(pieces(tokenizer, [1, ...emoji]), ['Hello', '', 'é', '', '', '', '🚗', '']);
  });

  test('a token that is a part of a character has its own bytes', () => {
    assert.deepEqual(tokenBytes(bytes, 0xf0), { text: '\ufffd', bytes: [0xf0] });
    assert.deepEqual(tokenBytes(bytes, 0x61), { text: 'a', bytes: [0x61] });
    assert.deepEqual(tokenBytes(sentencePieceTokenizer(), 6 + 0x9f), { text: '\ufffd', bytes: [0x9f] });
    assert.deepEqual(tokenBytes(sentencePieceTokenizer(), 2).text, ' wor');
    assert.deepEqual(tokenBytes(createTokenizer(TINY_TOKENIZER), VOCABULARY.indexOf('##a')).text, 'a');
    assert.deepEqual(tokenBytes(createTokenizer(TINY_TOKENIZER), VOCABULARY.indexOf('film')).text, ' film');
  });
});

describe('stop texts', () => {
  test('cut at the first of them, wherever the pieces are cut; no part of one is sent', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 24 });
    const stops = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4 }), {
      maxLength: 3,
    });
    fc.assert(
      fc.property(letters, stops, fc.array(fc.nat(24), { maxLength: 8 }), (text, wanted, cuts) => {
        const places = [0, ...cuts.filter((cut) => cut < text.length).sort((one, other) => one - other), text.length];
        const filter = new StopTexts(wanted);
        let told = '';
        for (const [index, place] of places.slice(1).entries()) {
          told += filter.push(text.slice(places[index], place));
          const firsts = wanted.map((stop) => text.slice(0, place).indexOf(stop)).filter((first) => first >= 0);
          assert.equal(filter.stopped, firsts.length > 0);
          if (!filter.stopped) continue;
          // Whole by the first cut behind a stop text: the first text up to there is where it ends.
          assert.equal(told, text.slice(0, Math.min(...firsts)));
          return;
        }
        assert.equal(told + filter.end(), text);
      }),
    );
  });

  test('hold back no more than what may be a beginning', () => {
    const filter = new StopTexts(['\n\nUser:']);
    assert.equal(filter.push('Fine.\n'), 'Fine.');
    assert.equal(filter.push('\nUs'), '');
    assert.equal(filter.push('ing'), '\n\nUsing');
    assert.equal(filter.push('\n\nUser: more'), '');
    assert.equal(filter.stopped, true);
    assert.equal(filter.push('anything'), '');
  });
});
