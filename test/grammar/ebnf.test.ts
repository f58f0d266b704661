import assert from 'node:assert/strict';
import test from 'node:test';
import { GrammarError } from '../../src/grammar/grammar-error.ts';
import { allows, answersOf, compile, numbers } from './support.ts';

const SUMS = `
# sums of numbers, in brackets or not
root  ::= sum "\\n"?
sum   ::= term (("+" | "-") term)*   # as many as there are
term  ::= [0-9]{1,3} | "(" sum ")" | other-name
other-name ::= [^\\x00-\\x60{-\\U0010FFFF] "\\u00e9"
`;

test('every answer is one of the grammar', () => {
  for (const text of answersOf({ kind: 'ebnf', text: SUMS }, { count: 60 })) assert.match(text, /^[-+()0-9a-zé]+\n?$/);
  const spec = { kind: 'ebnf', text: SUMS } as const;
  for (const text of ['1', '1+22-(3+aé)\n', '((1))']) assert.ok(allows(spec, text), text);
  for (const text of ['', '1+', '1234', '(1', 'a', '1\n\n', '1)']) assert.ok(!allows(spec, text), text);
});

test('repetitions may be empty, and of what may be empty', () => {
  const spec = { kind: 'ebnf', text: 'root ::= (a* | "x"{0,2})+ . [\\]-]?\na ::= "a"?' } as const;
  for (const text of ['é', 'aax.', 'xxa]-']) assert.ok(allows(spec, text), text);
  assert.ok(!allows(spec, ''));
});

test('grammars that cannot be used are refused with a reason', () => {
  const cases: [string, RegExp][] = [
    ['', /no rule "root"/],
    ['start ::= "a"', /no rule "root"/],
    ['root ::= a', /no rule "a"/],
    ['root ::= "a"\nroot ::= "b"', /two rules "root"/],
    ['root ::= "a', /cannot be read/],
    ['root ::= ("a"', /"\(" without "\)"/],
    ['root ::= "a" )', /"\)" is not expected/],
    ['"a"', /a rule "name ::= ..." is expected/],
    ['root ::= root "a" | "b"', /left recursion/],
    ['root ::= a\na ::= b? c\nb ::= "b"\nc ::= a "c" | "d"', /left recursion/],
    ['root ::= "a" root', /no text can fit/],
    ['root ::= [b-a]', /out of order/],
    ['root ::= "a"{3,2}', /out of order/],
    ['root ::= "a"{20000}', /above 10000/],
    ['root ::= (("a"{9999}){9999}){9999}', /too long for an answer/],
    ['root ::= ' + '('.repeat(200) + '"a"' + ')'.repeat(200), /more than 64 deep/],
    ['root ::= "\\ud800"', /half a character/],
  ];
  for (const [text, message] of cases)
    assert.throws(
      () => compile({ kind: 'ebnf', text }),
      (error) => error instanceof GrammarError && message.test(error.message),
      text.slice(0, 60),
    );
  const random = numbers(3);
  const words = [
    'root',
    'a',
    '::=',
    '"b"',
    '[c-d]',
    '(',
    ')',
    '|',
    '*',
    '+',
    '?',
    '{2}',
    '{1,}',
    '.',
    '\n',
    '#',
    '"',
    '[',
  ];
  for (let count = 0; count < 400; count += 1) {
    const some = Array.from({ length: 1 + random() * 12 }, () => words[Math.floor(random() * words.length)]);
    try {
      compile({ kind: 'ebnf', text: `root ::= ${some.join(' ')}` });
    } catch (error) {
      if (!(error instanceof GrammarError)) throw error;
    }
  }
});
