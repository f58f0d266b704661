import assert from 'node:assert/strict';
import test from 'node:test';
import { GrammarError } from '../../src/grammar/grammar-error.ts';
import { Grammar, Matcher } from '../../src/grammar/matcher.ts';
import { allows, answersOf, compile, numbers, tokensOf, walk } from './support.ts';

const PATTERNS = [
  'a|bc|',
  '[a-c]+(?:x|y)?z{2,4}',
  '(a|b)*abb',
  '\\d{3}-\\w\\s\\S\\D\\W',
  '[^a-y\\d]é[\\]\\-\\b]',
  '.{1,3}\\n\\t\\x41\\u00e9\\u{1F600}\\ud83d\\ude00',
  '(?<year>[0-9]{4})\\/\\.\\^\\$',
  '((a{2}){2,}|b?c*?){1,2}',
  '[\\p{Lu}&&]\\P{L}',
  '^a|b$',
];

for (const pattern of PATTERNS)
  test(`every answer matches the whole pattern: ${pattern}`, () => {
    const whole = new RegExp(`^(?:${pattern})$`, 'u');
    const answers = answersOf({ kind: 'regex', text: pattern }, { count: 60 });
    for (const text of answers) assert.match(text, whole);
    assert.ok(new Set(answers).size > 1);
  });

test('a pattern allows what it should', () => {
  const allowed = (text: string, answer: string): boolean => allows({ kind: 'regex', text }, answer);
  assert.ok(allowed('(a|b)*a(a|b){3}', 'bbabbb') && !allowed('(a|b)*a(a|b){3}', 'bbbbbb'));
  assert.ok(allowed('[^"]', '読') && !allowed('[^"]', '"') && !allowed('.', '\n'));
  assert.ok(allowed('a{0}b', 'b') && !allowed('a{0}b', 'ab'));
});

test('patterns that are not supported are refused by name, whatever stands in them', () => {
  const cases: [string, RegExp][] = [
    ['(?=a)b', /lookahead and lookbehind/],
    ['(?<!a)b', /lookahead and lookbehind/],
    ['(a)\\1', /backreferences/],
    ['\\k<a>', /backreferences/],
    ['\\bword\\b', /word boundaries/],
    ['a^b', /"\^" behind the beginning/],
    ['(a$)b', /"\$" within a group/],
    ['a$b', /"\$" before the end/],
    ['(?i)a', /flags/],
    ['a**', /nothing is to be repeated/],
    ['a{2,1}', /out of order/],
    ['[b-a]', /out of order/],
    ['(a', /"\(" without "\)"/],
    ['a)', /"\)" without "\("/],
    ['[a', /end that comes too early/],
    ['\\p{Nonsense}', /no class of characters/],
    ['\\u{110000}', /half a character/],
    ['(((a{1,999}){1,999}){1,999})', /more than 100000 steps/],
    ['('.repeat(500) + ')'.repeat(500), /more than 64 deep/],
    ['a'.repeat(300_000), /262144 characters/],
  ];
  for (const [text, message] of cases)
    assert.throws(
      () => compile({ kind: 'regex', text }),
      (error) => error instanceof GrammarError && message.test(error.message),
      text.slice(0, 40),
    );
  const random = numbers(7);
  const letters = '()[]{}|*+?.^$\\dpu<>=!:-,1aé';
  for (let count = 0; count < 600; count += 1) {
    const text = Array.from({ length: 1 + random() * 9 }, () => letters[Math.floor(random() * letters.length)]).join(
      '',
    );
    try {
      compile({ kind: 'regex', text });
    } catch (error) {
      if (!(error instanceof GrammarError)) throw error;
    }
  }
});

test('a choice is one of its texts', () => {
  const spec = { kind: 'choice', choices: ['yes', 'no', 'not "now"', '読'] } as const;
  assert.deepEqual(new Set(answersOf(spec, { count: 60 })), new Set(spec.choices));
  assert.ok(!allows(spec, 'ye') && !allows(spec, 'yes!'));
  assert.throws(() => compile({ kind: 'choice', choices: ['a', ''] }), /none may be empty/);
});

test('many choices are one reading', () => {
  const choices = Array.from({ length: 5000 }, (_, index) => `name ${index}`);
  const grammar = new Grammar(compile({ kind: 'choice', choices }));
  assert.equal(grammar.start.readings.length, 1);
  const matcher = new Matcher(grammar);
  for (const byte of Buffer.from('name 4999')) matcher.take(byte);
  assert.ok(matcher.over);
});

test('only tokens that lead to an end are allowed', () => {
  // The second alternative never ends.
  const matcher = new Matcher(new Grammar(compile({ kind: 'ebnf', text: 'root ::= "ab" | "ac" b\nb ::= "b" b' })));
  matcher.take(97);
  assert.deepEqual(tokensOf(matcher.mask()), [98]);
});

test('a pattern that leaves much open is held to in bounded memory, or its answer fails with a reason', () => {
  const grammar = new Grammar(compile({ kind: 'regex', text: '([ab]*a[ab]{30}|[ab]*b[ab]{20})*' }));
  try {
    walk(grammar, numbers(1), 100);
  } catch (error) {
    if (!(error instanceof GrammarError)) throw error;
  }
  assert.ok(grammar.bytes < 128 * 2 ** 20, `${grammar.bytes} bytes`);
});

test('an answer goes on after all states were forgotten', () => {
  const grammar = new Grammar(compile({ kind: 'json' }));
  const matcher = new Matcher(grammar);
  for (const byte of Buffer.from('{"a": [1, ')) {
    matcher.mask();
    grammar.forget();
    matcher.take(byte);
  }
  assert.equal(matcher.accepted([...Buffer.from('2]}')]), 3);
  assert.equal(matcher.accepted([...Buffer.from('2}')]), 1);
});
