import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkItemValue, checkParameters, countValues, parseJson, parseJsonObject } from '../src/json.ts';
import { refusal } from './tasks/support.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test('reads JSON in UTF-8, and refuses other text, deep nesting, and values other than objects where one is needed', () => {
  assert.deepEqual(parseJson(bytes('{"a":[1,"é"]}')), { a: [1, 'é'] });
  assert.deepEqual(parseJson(bytes('\ufeff{"a":"\ufeff"}')), { a: '\ufeff' });
  assert.throws(() => parseJson(bytes('{"a"')), refusal('BAD_REQUEST', /not valid JSON: .*(position|end)/));
  assert.throws(() => parseJson(Uint8Array.of(0x22, 0xff, 0x22)), refusal('BAD_REQUEST'));
  assert.throws(() => parseJson(bytes('['.repeat(70) + ']'.repeat(70))), refusal('BAD_REQUEST', /64 deep/));
  assert.throws(() => parseJsonObject(bytes('[1]')), refusal('BAD_REQUEST'));
});

test('a large body may hold long texts and many numbers, but not millions of arrays, objects or fields', () => {
  const text = 'a "quoted" [text]: {of} signs, with a backslash \\ at its end \\';
  const many = bytes(JSON.stringify({ inputs: new Array<string>(30_000).fill(text) }));
  assert.equal((parseJsonObject(many)['inputs'] as string[]).length, 30_000);
  const numbers = bytes(JSON.stringify({ input: Array.from({ length: 1_500_000 }, (_, index) => index) }));
  assert.equal((parseJsonObject(numbers)['input'] as number[]).length, 1_500_000);
  for (const part of ['[],', '{},', '{"k":1},']) {
    const body = bytes(`[${part.repeat(1_100_000)}0]`);
    assert.throws(() => parseJson(body), refusal('TOO_LARGE', /arrays, objects and fields/));
  }
  assert.throws(() => parseJson(bytes(`"${'x'.repeat(2_000_000)}`)), refusal('BAD_REQUEST'));
});

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
  checkParameters({ chat_template_kwargs: { text: 'a'.repeat(1_000_000) } });
  const long = { labels: ['a'.repeat(600_000), { [`b${'b'.repeat(600_000)}`]: 1 }] };
  assert.throws(() => checkParameters(long), refusal('INVALID_INPUT', /1048576 characters/));
  checkItemValue({ prompt: new Array(150_000).fill(1) });
  assert.throws(() => checkItemValue({ messages: new Array(250_000).fill('') }), refusal('TOO_LARGE'));
});
