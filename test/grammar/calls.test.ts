import assert from 'node:assert/strict';
import test from 'node:test';
import { GrammarError } from '../../src/grammar/grammar-error.ts';
import type { CallsSpec } from '../../src/grammar/spec.ts';
import { SPECIAL } from '../../src/grammar/token-trie.ts';
import { allows, answersOf, compile } from './support.ts';

const schema = JSON.stringify({
  type: 'object',
  properties: { x: { type: 'integer', minimum: 0, maximum: 9 } },
  required: ['x'],
});
const HERMES: CallsSpec = {
  kind: 'calls',
  calls: ['f', 'g'].map((name) => ({ begin: `<tool>\n{"name": "${name}", "arguments": `, schema, end: '}\n</tool>' })),
  separator: '\n',
  most: 2,
};
const one = (name: string, x: number): string => `<tool>\n{"name": "${name}", "arguments": {"x": ${x}}}\n</tool>`;

test('forced calls are calls of the tools, as many as there may be', () => {
  for (const text of [one('f', 1), `${one('f', 1)}\n${one('g', 2)}`]) assert.ok(allows(HERMES, text), text);
  for (const text of [
    '',
    'Hi',
    one('h', 1),
    one('f', 10),
    `${one('f', 1)}${one('f', 1)}`,
    [1, 2, 3].map((x) => one('f', x)).join('\n'),
  ])
    assert.ok(!allows(HERMES, text), text);
  for (const text of answersOf(HERMES, { count: 20 }))
    assert.match(text, /^(<tool>\n\{"name": "[fg]", "arguments": \{.*?\}\}\n<\/tool>\n?){1,2}$/s);
});

test('texts stand around calls', () => {
  const spec: CallsSpec = {
    kind: 'calls',
    before: '[',
    after: ']',
    separator: ', ',
    most: 2,
    calls: [{ begin: '{"a":', schema, end: '}' }],
  };
  assert.ok(allows(spec, '[{"a":{"x":1}}, {"a":{"x":2}}]') && !allows(spec, '[]') && !allows(spec, '{"a":{"x":1}}'));
});

test('with a trigger, any text may stand in front or alone, but what begins like a call must be one', () => {
  const spec: CallsSpec = { ...HERMES, trigger: '<tool>' };
  for (const text of [
    '',
    'Hi <too 読 <to<tool',
    `Hi ${one('f', 1)}`,
    `<<tool<${one('g', 2)}`,
    one('f', 3),
    `${one('f', 1)}\n${one('f', 1)}`,
  ])
    assert.ok(allows(spec, text), text);
  for (const text of ['<tool>', 'Hi <tool> there', `${one('f', 1)} Bye`, `<t<tool>`])
    assert.ok(!allows(spec, text), text);
});

test('a trigger that begins like itself is found wherever it stands', () => {
  const spec: CallsSpec = { kind: 'calls', trigger: 'aabaa!', calls: [{ begin: 'aabaa!', schema, end: '' }] };
  const call = 'aabaa!{"x":1}';
  for (const before of ['', 'a', 'aaba', 'aabaab', 'aabaaabaa'])
    assert.ok(allows(spec, before + call) && !allows(spec, `${before}aabaa!no`), before);
});

test('special tokens are written as such', () => {
  const spec: CallsSpec = { kind: 'calls', trigger: '<call>', calls: [{ begin: '<call>go', schema, end: '<call>' }] };
  const mark = Buffer.concat([Buffer.of(SPECIAL), Buffer.from('<call>')]);
  const text = (...parts: (string | Buffer)[]): Buffer =>
    Buffer.concat(parts.map((part) => Buffer.from(part as string)));
  assert.ok(allows(spec, text('Hi ', mark, 'go{"x":1}', mark)));
  // Spelled out, it is a text like any other.
  assert.ok(allows(spec, 'Hi <call>'));
  assert.ok(!allows(spec, text(mark, 'stop')));
});

test('arguments whose schema cannot be held to are refused, or any object where that will do', () => {
  const call = { begin: 'f', schema: '{"not":{}}', end: '' };
  assert.throws(() => compile({ kind: 'calls', calls: [call] }), GrammarError);
  assert.ok(allows({ kind: 'calls', calls: [{ ...call, loose: true }] }, 'f{"a": 1}'));
  assert.throws(() => compile({ kind: 'calls', calls: [] }), GrammarError);
  assert.throws(() => compile({ ...HERMES, trigger: 'x' }), /do not begin with the trigger/);
});

test('a loose schema of too many states is any object, and the schemas of other tools are held to', () => {
  const large = JSON.stringify({ type: 'object', properties: { text: { type: 'string', maxLength: 1_000_000 } } });
  const calls = [
    { begin: 'l', schema: large, end: '', loose: true },
    { begin: 's', schema, end: '', loose: true },
  ];
  const spec: CallsSpec = { kind: 'calls', calls };
  for (const text of ['l{"text": 1}', 's{"x":1}']) assert.ok(allows(spec, text), text);
  assert.ok(!allows(spec, 's{"x":"a"}'));
  const strict = calls.map(({ begin, end, ...others }) => ({ begin, end, schema: others.schema }));
  assert.throws(() => compile({ kind: 'calls', calls: strict }), /300000 states/);
});

test('loose schemas that are too large together are held to as long as there is room', () => {
  const calls = Array.from({ length: 64 }, (_, index) => ({
    begin: `${index}`,
    schema: JSON.stringify({ type: 'object', properties: { text: { type: 'string', maxLength: 2000 + index } } }),
    end: '',
    loose: true,
  }));
  const spec: CallsSpec = { kind: 'calls', calls };
  assert.ok(!allows(spec, '0{"text":1}'));
  assert.ok(allows(spec, '63{"text":1}'));
});
