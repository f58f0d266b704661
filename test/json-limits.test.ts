import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkItemValue, checkParameters, countValues } from '../src/json-limits.ts';
import { refusal } from './tasks/support.ts';

test('values are counted at all depths, and no further than asked', () => {
  assert.equal(countValues('text', 10), 1);
  assert.equal(countValues({ a: [1, 2], b: { c: null } }, 100), 6);
  assert.ok(countValues(new Array(1_000_000).fill(0), 10) > 10);
  assert.ok(countValues([[[new Array(50).fill(0)]]], 10) > 10);
});

test('parameters and items of more values than any task reads are refused', () => {
  const names = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`n${index}`, index]));
  checkParameters({ chat_template_kwargs: names(4000) });
  assert.throws(() => checkParameters({ chat_template_kwargs: names(5000) }), refusal('INVALID_INPUT'));
  checkItemValue({ prompt: new Array(150_000).fill(1) });
  assert.throws(() => checkItemValue({ messages: new Array(250_000).fill('') }), refusal('TOO_LARGE'));
});
