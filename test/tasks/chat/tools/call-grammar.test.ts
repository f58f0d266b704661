import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { GrammarSpec } from '../../../../src/grammar/spec.ts';
import { grammarOfCalls } from '../../../../src/tasks/chat/tools/call-grammar.ts';
import { CallParser } from '../../../../src/tasks/chat/tools/call-parser.ts';
import { TOOL_FORMATS, toolFormat, writeCalls, type ToolFormatName } from '../../../../src/tasks/chat/tools/formats.ts';
import { readToolUse } from '../../../../src/tasks/chat/tools/tool-use.ts';
import { allows, answersOf } from '../../../grammar/support.ts';

/** What a grammar lets a model write, the parser reads: random answers, a model that knows nothing. */

const PARAMETERS = {
  get_weather: {
    type: 'object',
    properties: {
      city: { type: 'string' },
      unit: { enum: ['C', 'F'] },
      days: { type: 'array', items: { type: 'integer' } },
    },
    required: ['city', 'unit'],
    additionalProperties: false,
  },
  now: { type: 'object', properties: {}, additionalProperties: false },
};
const tools = Object.entries(PARAMETERS).map(([name, parameters]) => ({
  type: 'function',
  function: { name, parameters, strict: true },
}));
const ajv = new Ajv2020();
const checks = new Map(Object.entries(PARAMETERS).map(([name, schema]) => [name, ajv.compile(schema)]));
const COUNT = 24;

/** The calls in an answer, each checked, and the text besides them. */
function read(format: ToolFormatName, answer: string): { calls: number; text: string } {
  const rules = { format: toolFormat(format), names: [...checks.keys()], parallel: true, inPieces: false };
  const parser = new CallParser(rules);
  const text = parser.push(answer).text + parser.end(false).text;
  for (const { function: called } of parser.calls) {
    const check = checks.get(called.name);
    assert.ok(check?.(JSON.parse(called.arguments)), `${called.name}: ${called.arguments}`);
  }
  return { calls: parser.calls.length, text };
}

function specOf(format: ToolFormatName, given: object, form?: GrammarSpec): GrammarSpec {
  const spec = grammarOfCalls(readToolUse({ tools, ...given }), toolFormat(format), form);
  assert.ok(spec !== undefined);
  return spec;
}

function answers(format: ToolFormatName, given: object, form?: GrammarSpec): string[] {
  return answersOf(specOf(format, given, form), { count: COUNT });
}

for (const format of TOOL_FORMATS)
  test(`${format}: calls that must be made are calls and nothing else, and fit their schemas`, () => {
    const told = answers(format, { tool_choice: 'required' }).map((answer) => read(format, answer));
    for (const { calls, text } of told) assert.ok(calls > 0 && text === '', text);
    for (const answer of answers(format, { tool_choice: 'required', parallel_tool_calls: false }))
      assert.equal(read(format, answer).calls, 1);
    const form = { kind: 'schema', schema: JSON.stringify({ type: 'array', items: { type: 'boolean' } }) } as const;
    for (const { calls, text } of answers(format, {}, form).map((answer) => read(format, answer)))
      assert.ok(calls > 0 ? text === '' : Array.isArray(JSON.parse(text)), text);
    const either = specOf(format, {}, form);
    const call = writeCalls(toolFormat(format), [{ name: 'now', arguments: '{}' }]);
    for (const [answer, isAllowed] of [
      [call, true],
      ['[true, false]', true],
      ['[5]', false],
    ] as const)
      assert.equal(allows(either, answer), isAllowed, answer);
  });

test('strict tools that need not be called fit their schemas where they are called', () => {
  for (const format of TOOL_FORMATS.filter((name) => name !== 'llama')) {
    const spec = specOf(format, {});
    const written = (...given: object[]): string =>
      writeCalls(
        toolFormat(format),
        given.map((one) => ({ name: 'get_weather', arguments: JSON.stringify(one) })),
      );
    const good = { city: 'Paris', unit: 'C' };
    for (const words of ['', 'Let me see: <tool_ [TOOL <| é\n'])
      for (const calls of ['', written(good), written(good, good)])
        assert.ok(allows(spec, words + calls), words + calls);
    for (const bad of [written({ city: 'Paris' }), written(good, { ...good, days: ['one'] })])
      assert.equal(allows(spec, `So: ${bad}`), false, bad);
  }
});
