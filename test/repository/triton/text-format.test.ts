import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readTritonConfig } from '../../../src/repository/triton/config.ts';
import { parseTextFormat, TextFormatError, type TextField } from '../../../src/repository/triton/text-format.ts';

/** Fields as nested arrays, without places. */
function plain(fields: readonly TextField[]): unknown[] {
  return fields.map(({ name, value }) => [name, value.kind === 'message' ? plain(value.fields) : value.text]);
}

test('messages, lists, comments and separators in all their forms', () => {
  const text = `
    # a comment { that is not read
    a: 1, b: "two"; c: THREE # another
    d { e: -4 } f < g: 5 > h: { i: 6 }
    j [ { k: 7 }, < l: 8 > ] m: [ 9, 10 ] n: [] o: [ "p", 'q' ]
    r: - 1.5e-3f s: .5 t: 0x1F u: -inf`;
  assert.deepEqual(plain(parseTextFormat(text)), [
    ...[
      ['a', '1'],
      ['b', 'two'],
      ['c', 'THREE'],
    ],
    ...[
      ['d', [['e', '-4']]],
      ['f', [['g', '5']]],
      ['h', [['i', '6']]],
    ],
    ...[
      ['j', [['k', '7']]],
      ['j', [['l', '8']]],
      ['m', '9'],
      ['m', '10'],
      ['o', 'p'],
      ['o', 'q'],
    ],
    ...[
      ['r', '-1.5e-3f'],
      ['s', '.5'],
      ['t', '0x1F'],
      ['u', '-inf'],
    ],
  ]);
});

test('quoted texts: escapes are bytes of UTF-8, and neighbours are one text', () => {
  const text = String.raw`a: "x\n\t\"\\\x41\101" 'y' "\303\251\u00e9\U0001F600 ü"`;
  assert.deepEqual(plain(parseTextFormat(text)), [['a', 'x\n\t"\\AAyéé😀 ü']]);
});

test('what is wrong is told with its line and column', () => {
  for (const [text, where] of [
    ['a: 1\n  b ? 2', 'line 2, column 5: expected : or {, got "?"'],
    ['a {\n b: 1\n', 'line 3, column 1: the text ends before }'],
    ['a: "x', 'line 1, column 6: a text without its closing quote'],
    ['a: "x\ny"', 'line 1, column 6: a text without its closing quote'],
    [String.raw`a: "\q"`, 'line 1, column 5: an unknown escape'],
    [String.raw`a: "\xff"`, 'line 1, column 4: a text that is not UTF-8'],
    ['a: [1 2]', 'line 1, column 7: expected , or ] in a list, got "2"'],
    ['[a.b]: 1', 'line 1, column 1: extensions are not supported'],
    ['a:', 'line 1, column 3: expected a value, got the end of the text'],
    ['}', 'line 1, column 1: expected the name of a field, got "}"'],
    ['a {'.repeat(100_000), 'line 1, column 100: messages may be nested 32 deep at most'],
  ] as const)
    assert.throws(() => parseTextFormat(text), { name: 'TextFormatError', message: where }, text);
  assert.throws(() => parseTextFormat(' '.repeat(1024 * 1024 + 1)), /more than 1048576 characters/);
});

test('whatever comes in: fields, problems or a TextFormatError', () => {
  const pieces = [
    'input',
    'name',
    'max_batch_size',
    ':',
    '{',
    '}',
    '<',
    '>',
    '[',
    ']',
    ',',
    ' ',
    '\n',
    '"a"',
    "'",
    '-',
  ];
  const words = fc.array(fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 3 })), { maxLength: 40 });
  fc.assert(
    fc.property(words, (parts) => {
      try {
        readTritonConfig(parseTextFormat(parts.join('')), []);
      } catch (error) {
        assert.ok(error instanceof TextFormatError, String(error));
      }
    }),
  );
});

test('of many problems, some are told', () => {
  const problems: string[] = [];
  const config = readTritonConfig(parseTextFormat('max_batch_sise: 1\n'.repeat(20_000)), problems);
  assert.equal(config.maxBatchSize, 0);
  assert.equal(problems.length, 50);
  assert.equal(problems[49], 'line 50, column 1: max_batch_sise: unknown field; did you mean max_batch_size?');
});
