import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReasoningSplit, thinkingAfter, thoughtMarksOf } from '../../../src/tasks/chat/reasoning.ts';
import { createTokenizer } from '../../../src/tasks/text/tokenizer.ts';
import { BYTE_TOKENIZER, byteTokenizer } from './support.ts';

const tokenizer = byteTokenizer();
const marks = { begin: '<think>', end: '</think>' };

/** The parts of an answer, given in pieces of this many characters. */
function split(answer: string, { begun = false, size = answer.length } = {}) {
  const splitter = new ReasoningSplit({ ...marks, begun }, tokenizer);
  const parts = [];
  for (let at = 0; at < answer.length; at += size) parts.push(splitter.push(answer.slice(at, at + size)));
  parts.push(splitter.end());
  return [parts.map(({ reasoning }) => reasoning).join(''), parts.map(({ text }) => text).join('')];
}

/** Answer, whether its prompt began the thoughts, what was thought, what was said. */
const ANSWERS: [string, boolean, string, string][] = [
  ['<think>\nTwo  and\n\ntwo.\n</think>\n\nFour. \n', false, 'Two  and\n\ntwo.', 'Four. \n'],
  ['\n<think>a</think>b', false, 'a', 'b'],
  ['Two and two.\n</think>\n\nFour.', true, 'Two and two.', 'Four.'],
  ['<think>\n\n</think>\n\nFour.', false, '', 'Four.'],
  ['  Four < five </think>.', false, '', '  Four < five </think>.'],
  ['<thin air', false, '', '<thin air'],
  ['<thi', false, '', '<thi'],
  ['<think>cut here </thi', false, 'cut here </thi', ''],
  ['cut here \n', true, 'cut here', ''],
  ['a </thinking> b</think>c<think>d</think>', true, 'a </thinking> b', 'c<think>d</think>'],
  ['', true, '', ''],
  [' ', false, '', ' '],
];

for (const [answer, begun, reasoning, text] of ANSWERS)
  test(`thoughts and answer of ${JSON.stringify(answer)}${begun ? ', begun by the prompt' : ''}`, () => {
    for (const size of [answer.length || 1, 1, 2, 3, 5, 7])
      assert.deepEqual(split(answer, { begun, size }), [reasoning, text], `in pieces of ${size}`);
  });

test('pieces come as soon as they are certain', () => {
  const splitter = new ReasoningSplit({ ...marks, begun: true }, tokenizer);
  assert.deepEqual(
    ['Let me', ' see', '. \n', '</', 'think>', '\n\n', 'Four', '.'].map((piece) => splitter.push(piece)),
    [
      ['Let me', ''],
      [' see', ''],
      ['.', ''],
      ['', ''],
      ['', ''],
      ['', ''],
      ['', 'Four'],
      ['', '.'],
    ].map(([reasoning, text]) => ({ reasoning, text })),
  );
});

test('marks are those of the template, or of the vocabulary', () => {
  assert.equal(thoughtMarksOf('{{ messages }}', tokenizer), undefined);
  assert.deepEqual(thoughtMarksOf("{{ content.split('</think>') }}", tokenizer), marks);
  const special = (id: number, content: string) => ({
    ...{ id, content, special: true, single_word: false, lstrip: false, rstrip: false, normalized: false },
  });
  const magistral = createTokenizer({
    ...BYTE_TOKENIZER,
    added_tokens: [special(256, '[THINK]'), special(257, '[/THINK]')],
  });
  const known = thoughtMarksOf('', magistral);
  assert.deepEqual(known, { begin: '[THINK]', end: '[/THINK]' });
  // Special tokens have no text but here.
  const splitter = new ReasoningSplit({ ...known, begun: false }, magistral);
  assert.deepEqual([splitter.spelling(256), splitter.spelling(65)], ['[THINK]', undefined]);
  splitter.push('[THINK]a[/THINK]b');
  assert.deepEqual([splitter.spelling(257), splitter.tokens], [undefined, 2]);
});

test('a prompt that ends with the first mark has begun the thoughts, one that closed them has not', () => {
  assert.equal(thinkingAfter('<|im_start|>assistant\n<think>\n', marks).begun, true);
  assert.equal(thinkingAfter('<|im_start|>assistant\n<think>\n\n</think>\n\n', marks).begun, false);
  assert.equal(thinkingAfter('<|im_start|>assistant\n', marks).begun, false);
});
