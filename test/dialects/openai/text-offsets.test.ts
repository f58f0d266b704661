import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textOffsets } from '../../../src/dialects/openai/text-offsets.ts';

const spelled = (...tokens: string[]) => tokens.map((token) => ({ token, bytes: [...Buffer.from(token)] }));

test('offsets count characters, not UTF-16 units', () => {
  assert.deepEqual(textOffsets('a😀b', spelled('a', '😀', 'b')), [0, 1, 2]);
  assert.deepEqual(textOffsets('a😀b', spelled('a', '😀', 'b'), 5), [5, 6, 7]);
  assert.deepEqual(textOffsets('é', [{ token: 'é', bytes: null }]), [0]);
});

test('special tokens that the text does not have take no room; those it has do', () => {
  assert.deepEqual(textOffsets('Hi!', spelled('<s>', 'Hi', '!', '</s>')), [0, 0, 2, 3]);
  assert.deepEqual(textOffsets('<s>Hi', spelled('<s>', 'Hi')), [0, 3]);
});

test('offsets stay right after the space before the first word, and after letters that a normaliser has changed', () => {
  assert.deepEqual(textOffsets('The cat', spelled(' The', ' cat')), [0, 3]);
  assert.deepEqual(textOffsets('Ｔhe cat sat', spelled('T', 'he', ' cat', ' sat')), [0, 0, 3, 7]);
  assert.deepEqual(textOffsets('', spelled('a', 'b')), [0, 0]);
});

test('tokens that begin after a stop text has cut the text begin where it ends', () => {
  assert.deepEqual(textOffsets(' Par', spelled(' Paris', '.', '\n')), [0, 4, 4]);
  assert.deepEqual(
    textOffsets('The capital is Pa', spelled('The', ' capital', ' is', ' Paris', '.')),
    [0, 3, 11, 14, 17],
  );
});
