import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerError } from '../../../../src/errors.ts';
import { grammarOfCalls } from '../../../../src/tasks/chat/tools/call-grammar.ts';
import { toolFormat } from '../../../../src/tasks/chat/tools/formats.ts';
import { readToolUse } from '../../../../src/tasks/chat/tools/tool-use.ts';

const tool = (name: string, own: object = {}) => ({ type: 'function', function: { name, ...own } });
const named = (name: string) => ({ type: 'function', function: { name } });
const two = [tool('a', { description: 'First', parameters: { type: 'object' } }), tool('b', { strict: true })];
const names = (given: object) => readToolUse({ tools: two, ...given })?.tools.map(({ name }) => name);

test('how tools may be called', () => {
  assert.deepEqual(readToolUse({ tools: two }), {
    tools: [
      { name: 'a', description: 'First', parameters: { type: 'object' }, strict: false },
      { name: 'b', parameters: { type: 'object', properties: {} }, strict: true },
    ],
    forced: false,
    parallel: true,
  });
  for (const given of [{}, { tools: [] }, { tools: null, tool_choice: 'auto' }, { tools: two, tool_choice: 'none' }])
    assert.equal(readToolUse(given), undefined);
  assert.equal(readToolUse({ tools: two, tool_choice: 'required' })?.forced, true);
  assert.equal(readToolUse({ tools: two, parallel_tool_calls: false })?.parallel, false);
  assert.deepEqual(names({ tool_choice: named('b') }), ['b']);
  const allowed = (mode: string) => ({
    tool_choice: { type: 'allowed_tools', allowed_tools: { mode, tools: [named('b'), named('b')] } },
  });
  assert.deepEqual(names(allowed('auto')), ['b']);
  assert.equal(readToolUse({ tools: two, ...allowed('required') })?.forced, true);
});

test('what is wrong with tools is refused by name', () => {
  let deep: object = {};
  for (let level = 0; level < 40; level += 1) deep = { items: deep };
  const wide = Object.fromEntries(Array.from({ length: 10_001 }, (_, index) => [`p${index}`, {}]));
  const cases: [object, string][] = [
    [{ tools: {} }, 'tools'],
    [{ tools: Array.from({ length: 129 }, (_, index) => tool(`t${index}`)) }, 'tools'],
    [{ tools: [...two, ...two] }, 'tools.2.function.name'],
    [{ tools: [...two, tool('c'), tool('a b')] }, 'tools.3.function.name'],
    [{ tools: [tool('a'.repeat(129))] }, 'tools.0.function.name'],
    [{ tools: [{ type: 'custom', custom: { name: 'a' } }] }, 'tools.0.type'],
    [{ tools: [{ type: 'function' }] }, 'tools.0.function'],
    [{ tools: [tool('a', { parameters: 5 })] }, 'tools.0.function.parameters'],
    [{ tools: [tool('a', { parameters: { type: 'array' } })] }, 'tools.0.function.parameters'],
    [{ tools: [tool('a', { parameters: deep })] }, 'tools.0.function.parameters'],
    [{ tools: [tool('a', { parameters: { properties: wide } })] }, 'tools.0.function.parameters'],
    [{ tools: [tool('a', { description: 5 })] }, 'tools.0.function.description'],
    [{ tools: two, tool_choice: 'any' }, 'tool_choice'],
    [{ tools: two, tool_choice: named('c') }, 'tool_choice.function.name'],
    [{ tool_choice: 'required' }, 'tool_choice'],
    [{ tools: two, parallel_tool_calls: 'yes' }, 'parallel_tool_calls'],
  ];
  for (const [given, param] of cases)
    assert.throws(
      () => readToolUse(given),
      (error) => error instanceof ServerError && error.code === 'INVALID_INPUT' && error.param === param,
      `${param}: ${JSON.stringify(given).slice(0, 100)}`,
    );
});

test('the grammar of calls: forced, or free until a strict tool is called', () => {
  const grammar = (given: object, format: 'hermes' | 'llama' | 'mistral') =>
    grammarOfCalls(readToolUse({ tools: two, ...given }), toolFormat(format));
  const calls = [
    { begin: '<tool_call>\n{"name": "a", "arguments": ', schema: '{"type":"object","additionalProperties":false}' },
    {
      begin: '<tool_call>\n{"name": "b", "arguments": ',
      schema: '{"type":"object","properties":{},"additionalProperties":false}',
    },
  ].map((call, index) => ({ ...call, end: '}\n</tool_call>', loose: index === 0 }));
  const around = { before: '', separator: '\n', after: '' };
  assert.deepEqual(grammar({ tool_choice: 'required' }, 'hermes'), { kind: 'calls', calls, ...around, most: 8 });
  assert.deepEqual(grammar({ tool_choice: named('a') }, 'hermes'), {
    ...{ kind: 'calls', calls: calls.slice(0, 1), ...around, most: 1 },
  });
  assert.deepEqual(grammar({ parallel_tool_calls: false }, 'hermes'), {
    ...{ kind: 'calls', calls, ...around, most: 1, trigger: '<tool_call>' },
  });
  assert.equal(grammar({ tools: two.slice(0, 1) }, 'hermes'), undefined);
  assert.equal(grammar({}, 'llama'), undefined);
  const form = { kind: 'json' } as const;
  const either = grammarOfCalls(readToolUse({ tools: two }), toolFormat('llama'), form);
  assert.deepEqual(either, { ...grammar({ tool_choice: 'required' }, 'llama'), otherwise: form });
  assert.equal(grammarOfCalls(undefined, toolFormat('llama'), form), form);
  const mistral = grammar({ tool_choice: 'required' }, 'mistral');
  assert.equal(mistral?.kind === 'calls' && mistral.before, '[TOOL_CALLS][');
});
