import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ToolCallDelta } from '../../../../src/tasks/chat/tools/call-draft.ts';
import { CallParser, type CallRules } from '../../../../src/tasks/chat/tools/call-parser.ts';
import { TOOL_FORMATS, toolFormat, writeCalls, type ToolFormatName } from '../../../../src/tasks/chat/tools/formats.ts';
import { NAMES, RECORDED, TEXTS } from './recorded.ts';

interface Told {
  readonly text: string;
  readonly calls: readonly (readonly [string, unknown])[];
  /** Deltas in each piece. */
  readonly deltas: readonly (readonly ToolCallDelta[])[];
}

const rules = (format: ToolFormatName, own: Partial<CallRules> = {}): CallRules => ({
  ...{ format: toolFormat(format), names: NAMES, texts: TEXTS, parallel: true, inPieces: true, ...own },
});

/** Parses pieces, and puts the deltas together as clients do; they must be what the parser has in the end. */
function parse(of: CallRules, pieces: readonly string[], isCut = false): Told {
  const parser = new CallParser(of);
  const told = [...pieces.map((piece) => parser.push(piece)), parser.end(isCut)];
  const joined: { id: string; type: string; function: { name: string; arguments: string } }[] = [];
  for (const { index, id, type, function: own } of told.flatMap(({ calls }) => calls)) {
    const call = joined[index];
    if (call !== undefined) {
      assert.deepEqual([id, type, own.name], [undefined, undefined, undefined]);
      call.function.arguments += own.arguments;
      continue;
    }
    assert.equal(index, joined.length);
    assert.ok(id !== undefined && type !== undefined && own.name !== undefined);
    joined.push({ id, type, function: { name: own.name, arguments: own.arguments } });
  }
  assert.deepEqual(joined, parser.calls);
  const read = (text: string): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      return text;
    }
  };
  return {
    text: told.map(({ text }) => text).join(''),
    calls: joined.map(({ function: { name, arguments: given } }) => [name, read(given)]),
    deltas: told.map(({ calls }) => calls),
  };
}

function assertTold({ text, calls }: Told, expected: Pick<Told, 'text' | 'calls'>, where: string): void {
  assert.deepEqual({ text, calls }, { text: expected.text, calls: expected.calls }, where);
}

test('a dict in Python has no dict as a key: its JSON would double with each level', () => {
  const depth = 31;
  const keys = `${'{'.repeat(depth)}"a": 1${'}: 1'.repeat(depth - 1)}}`;
  const answer = `<|tool_call_start|>[add(a=${keys})]<|tool_call_end|>`;
  assertTold(parse(rules('lfm'), [answer]), { text: answer, calls: [] }, 'keys of keys');
  const scalars = '<|tool_call_start|>[add(a={1: 2, None: 3, true: 4})]<|tool_call_end|>';
  assertTold(
    parse(rules('lfm'), [scalars]),
    { text: '', calls: [['add', { a: { 1: 2, null: 3, true: 4 } }]] },
    'scalars',
  );
});

test('a call in Python that breaks off is given back, and a call behind it is read, however the text is cut', () => {
  const broken = '<|tool_call_start|>[add(a=")", ?, 1';
  const answer = `${broken}<|tool_call_start|>{"name": "add", "arguments": {"a": 1}}<|tool_call_end|>`;
  const expected = { text: broken, calls: [['add', { a: 1 }]] as const };
  for (const pieces of [[answer], Array.from(answer)]) assertTold(parse(rules('lfm'), pieces), expected, 'broken');
});

describe('calls in the answers of each family, however the text is cut', () => {
  for (const { format, what, answer, text, calls } of RECORDED)
    test(`${format}: ${what}`, () => {
      for (const inPieces of [true, false]) {
        const own = rules(format, { inPieces });
        for (let at = 0; at <= answer.length; at += 1)
          assertTold(parse(own, [answer.slice(0, at), answer.slice(at)]), { text, calls }, `cut at ${at}`);
        assertTold(parse(own, Array.from(answer)), { text, calls }, 'character by character');
      }
    });

  test('what a family writes is what it reads', () => {
    const args = fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 4 }).map((value) => JSON.stringify(value));
    const call = fc.record({ name: fc.constantFrom(...NAMES), arguments: args });
    const cuts = fc.array(fc.nat(400), { maxLength: 12 });
    fc.assert(
      fc.property(
        ...[fc.constantFrom(...TOOL_FORMATS), fc.array(call, { minLength: 1, maxLength: 3 }), cuts],
        (format, written, places) => {
          const answer = writeCalls(toolFormat(format), written);
          const sorted = [...new Set([0, ...places.filter((place) => place < answer.length), answer.length])].sort(
            (one, other) => one - other,
          );
          const pieces = sorted.slice(1).map((end, index) => answer.slice(sorted[index], end));
          const calls = written.map((one) => [one.name, JSON.parse(one.arguments) as unknown] as const);
          assertTold(parse(rules(format), pieces), { text: '', calls }, answer);
        },
      ),
      { numRuns: 300 },
    );
  });
});

test('arguments are told as they come, and words as soon as they cannot be a marker', () => {
  const answer = '<tool_call>{"name": "get_weather", "arguments": {"city": "Paris"}}</tool_call>';
  const { deltas } = parse(rules('hermes'), Array.from(answer));
  const pieces = deltas.flat();
  assert.deepEqual([pieces[0]?.function.name, pieces[0]?.function.arguments], ['get_weather', '{']);
  assert.deepEqual(
    pieces.map((piece) => piece.function.arguments),
    Array.from('{"city": "Paris"}'),
  );
  const parser = new CallParser(rules('hermes'));
  assert.equal(parser.push('5 < 6, <tool').text, '5 < 6,');
  assert.equal(parser.push('s>').text, ' <tools>');
});

/** What is no call, and what it is told as where calls are told whole. */
const BROKEN: readonly (readonly [ToolFormatName, string])[] = [
  ['hermes', '<tool_call>{"name": "add", "arguments": {"a": 1,}}</tool_call> So?'],
  ['hermes', 'Well. <tool_call>call add with 1</tool_call>'],
  ['hermes', '<tool_call>{"name": 5, "arguments": {}}</tool_call>'],
  ['hermes', '<tool_call>{"arguments": {}}</tool_call>'],
  ['hermes', '<tool_call>{"name": "add", "arguments": [1]}</tool_call>'],
  ['hermes', '<tool_call>{"name": "add", "arguments": {"a": "'],
  ['hermes', `<tool_call>{"${'x'.repeat(300)}`],
  ['hermes', '<tool_call>'],
  ['llama', '<|python_tag|>search.call(query="x")'],
  ['llama', '{"name": "add", "parameters": {"a": '],
  ['llama', '{"name"'],
  ['mistral', '[TOOL_CALLS]Hello'],
  ['mistral-args', `[TOOL_CALLS]add${' and'.repeat(200)}`],
  ['mistral-args', '[TOOL_CALLS]add[ARGS]{"a": x}'],
  ['granite', '<|tool_call|>['],
  ['deepseek', '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>add\n```json\n[1]\n```'],
];

test('a broken call is given back as text, every letter of it', () => {
  for (const [format, answer] of BROKEN)
    for (let at = 0; at <= answer.length; at += 1) {
      const told = parse(rules(format, { inPieces: false }), [answer.slice(0, at), answer.slice(at)]);
      assertTold(told, { text: answer, calls: [] }, `${answer} cut at ${at}`);
    }
});

test('a call that was told before it broke stays as it is', () => {
  const answer = '<tool_call>{"name": "add", "arguments": {"a": 1,}}</tool_call>';
  assertTold(parse(rules('hermes'), Array.from(answer)), { text: '', calls: [['add', '{"a": 1,}']] }, answer);
  const open = '<tool_call>{"name": "add", "arguments": {"a": "';
  assertTold(parse(rules('hermes'), Array.from(open)), { text: '', calls: [['add', '{"a": "']] }, open);
});

test('of an answer that was cut, the call comes as far as it got, and no marker as text', () => {
  const answer = '<tool_call>{"name": "add", "arguments": {"a": "b';
  for (const inPieces of [true, false]) {
    const own = rules('hermes', { inPieces });
    assertTold(parse(own, Array.from(answer), true), { text: '', calls: [['add', '{"a": "b']] }, answer);
    for (let length = 11; length < answer.indexOf(' {"a"'); length += 1)
      assertTold(parse(own, [answer.slice(0, length)], true), { text: '', calls: [] }, answer.slice(0, length));
  }
  const bare = '{"name": "get';
  assertTold(parse(rules('llama'), [bare], true), { text: bare, calls: [] }, bare);
});

test('without parallel calls the answer ends with the first', () => {
  const parser = new CallParser(rules('hermes', { parallel: false }));
  const call = '<tool_call>{"name": "now", "arguments": {}}';
  parser.push(call);
  assert.equal(parser.done, true);
  assert.deepEqual(parser.push(`</tool_call>\n${call}</tool_call> and more`), { text: '', calls: [] });
  assert.equal(parser.calls.length, 1);
});

test('a model that calls without end is stopped, and one that never ends a value gets it back as text', () => {
  const parser = new CallParser(rules('hermes'));
  const call = '<tool_call>{"name": "now"}</tool_call>';
  for (let count = 0; count < 127; count += 1) parser.push(call);
  assert.equal(parser.done, false);
  parser.push(call + call);
  assert.deepEqual([parser.done, parser.calls.length], [true, 128]);
  const endless = `<tool_call>{"name": "add", "id": "${'x'.repeat(40_000)}`;
  assert.equal(new CallParser(rules('hermes')).push(endless).text, endless);
});

test('no text ends in an error, and none loses letters that are no call', () => {
  const parts = ['<tool_call>', '</tool_call>', '{', '}', '"name"', ':', '"add"', '"arguments"', ',', '[', 'x', '\\"'];
  const more = ['[TOOL_CALLS]', '[ARGS]', '<|python_tag|>', '<｜tool▁call▁begin｜>', '<｜tool▁sep｜>', '\n```json\n'];
  const texts = fc.array(fc.constantFrom(...parts, ...more), { maxLength: 14 });
  fc.assert(
    fc.property(
      fc.constantFrom(...TOOL_FORMATS),
      texts,
      fc.boolean(),
      fc.boolean(),
      (format, pieces, inPieces, cut) => {
        const told = parse(rules(format, { inPieces }), pieces, cut);
        const whole = parse(rules(format, { inPieces }), [pieces.join('')], cut);
        assertTold(told, whole, pieces.join(''));
        if (!pieces.some((piece) => /[<[{]/.test(piece))) assert.equal(told.text, pieces.join(''));
      },
    ),
    { numRuns: 500 },
  );
});
