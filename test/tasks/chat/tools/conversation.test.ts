import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { formatOfTemplate } from '../../../../src/tasks/chat/tools/formats.ts';
import { test, type TestContext } from 'node:test';
import { readMessages } from '../../../../src/tasks/chat/messages.ts';
import { loadChatTemplate } from '../../../../src/tasks/chat/template.ts';
import { readToolUse } from '../../../../src/tasks/chat/tools/tool-use.ts';
import { createTokenizer } from '../../../../src/tasks/text/tokenizer.ts';
import { BYTE_TOKENIZER } from '../support.ts';

const TOOL = {
  type: 'function',
  function: { name: 'add', description: 'Adds', parameters: { type: 'object' }, strict: true },
};
const TALK = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: '1+2, 3+4?' },
  {
    role: 'assistant',
    content: null,
    tool_calls: [
      { id: 'call_1', type: 'function', function: { name: 'add', arguments: '{"a":1,"b":2}' } },
      { id: 'call_2', type: 'function', function: { name: 'add', arguments: '{"a":3,"b":4}' } },
    ],
  },
  { role: 'tool', tool_call_id: 'call_1', content: '3' },
  { role: 'tool', tool_call_id: 'call_2', content: '7' },
];

async function render(t: TestContext, template: unknown, messages: unknown, tools: readonly unknown[] = [TOOL]) {
  const folder = await mkdtemp(path.join(tmpdir(), 'carpool-tools-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'chat_template.jinja');
  const isText = typeof template === 'string';
  await writeFile(file, isText ? template : '');
  const tokenizer = createTokenizer(BYTE_TOKENIZER, isText ? {} : { chat_template: template });
  const loaded = await loadChatTemplate(isText ? { chatTemplate: file } : {}, tokenizer);
  assert.ok(loaded !== undefined);
  const request = { messages: readMessages(messages), toolUse: readToolUse({ tools }), addGenerationPrompt: true };
  return { format: loaded.toolFormat, text: loaded({ ...request, variables: {} }) };
}

const PLAIN = '{% for message in messages %}[{{ message.role }}]{{ message.content }}{% endfor %}';

test('a template that knows tools gets them and their calls as transformers gives them', async (t) => {
  const template = [
    '{% if tools %}{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}{% endif %}',
    '{% for message in messages %}[{{ message.role }}]{% if message.content %}{{ message.content }}{% endif %}',
    '{% if message.tool_calls is defined %}{% for call in message.tool_calls %}<tool_call>',
    '{{ call.function.arguments | tojson }}{% endfor %}{% endif %}{% endfor %}',
  ].join('');
  const { format, text } = await render(t, template, TALK);
  assert.equal(format, 'hermes');
  assert.equal(
    text,
    '{"type": "function", "function": {"name": "add", "description": "Adds", "parameters": {"type": "object"}}}\n' +
      '[system]Be brief.[user]1+2, 3+4?[assistant]<tool_call>{"a": 1, "b": 2}<tool_call>{"a": 3, "b": 4}[tool]3[tool]7',
  );
  assert.equal((await render(t, template, TALK.slice(0, 2), [])).text, '[system]Be brief.[user]1+2, 3+4?');
});

test('a template that does not know tools has all of it in its texts', async (t) => {
  const { format, text } = await render(t, PLAIN, TALK);
  assert.equal(format, 'hermes');
  assert.match(text, /^\[system\]Be brief\.\n\nYou may call functions/);
  assert.match(text, /<tools>\n\{"type":"function","function":\{"name":"add",.*\}\n<\/tools>/);
  const call = (given: string) => `<tool_call>\n{"name": "add", "arguments": ${given}}\n</tool_call>`;
  const result = (given: string) => `<tool_response>\n${given}\n</tool_response>`;
  const turns = [
    `[assistant]${call('{"a":1,"b":2}')}\n${call('{"a":3,"b":4}')}`,
    `[user]${result('3')}\n${result('7')}`,
  ];
  assert.ok(text.endsWith(turns.join('')), text);
  assert.match((await render(t, PLAIN, TALK.slice(1, 2))).text, /^\[system\]You may call functions[^]*\[user\]1\+2/);
  assert.doesNotMatch((await render(t, PLAIN, TALK, [])).text, /You may call/);
});

test('Mistral takes ids of nine characters, the same for a call and its result', async (t) => {
  const template = [
    '{% for tool in tools %}{% endfor %}{% for message in messages %}{% if message.tool_calls is defined %}[TOOL_CALLS]',
    '{% for call in message.tool_calls %}{{ call.id }},{% endfor %}{% endif %}',
    "{% if message.role == 'tool' %}{{ message.tool_call_id }} {{ message.name }};{% endif %}{% endfor %}",
  ].join('');
  const { format, text } = await render(t, template, TALK);
  assert.equal(format, 'mistral');
  const [, one, two] = /^\[TOOL_CALLS\]([a-z0-9]{9}),([a-z0-9]{9}),/.exec(text) ?? [];
  assert.ok(one !== two);
  assert.equal(text, `[TOOL_CALLS]${one ?? ''},${two ?? ''},${one ?? ''} add;${two ?? ''} add;`);
});

test('DeepSeek takes arguments as a text, and no content beside calls', async (t) => {
  const template =
    "{{ tools }}{% for message in messages %}{% if message['content'] is none %}{{ '<｜tool▁calls▁begin｜>' + message.tool_calls[0].function.arguments + '!' }}{% endif %}{% endfor %}";
  const asked = TALK.map((turn) => ('tool_calls' in turn ? { ...turn, content: '' } : turn));
  const { format, text } = await render(t, template, asked);
  assert.equal(format, 'deepseek');
  assert.ok(text.endsWith('<｜tool▁calls▁begin｜>{"a":1,"b":2}!'), text);
});

test('Phi takes tools in the system message, Granite calls in the text', async (t) => {
  const phi =
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}{% if 'tools' in message %}<|tool|>{{ message['tools'] }}<|/tool|>{% endif %}{% endfor %}";
  const { format, text } = await render(t, phi, TALK.slice(0, 2));
  assert.equal(format, 'phi');
  const listed = '[{"name":"add","description":"Adds","parameters":{"type":"object"}}]';
  assert.equal(text, `<|system|>Be brief.<|tool|>${listed}<|/tool|><|user|>1+2, 3+4?`);
  const granite = `{% if tools %}<|tool_call|>{% endif %}${PLAIN}`;
  const told = await render(t, granite, TALK);
  assert.equal(told.format, 'granite');
  assert.match(told.text, /\[assistant\]<\|tool_call\|>\[\{"name": "add", "arguments": \{"a":1,"b":2\}\}, /);
  assert.match(told.text, /\[tool\]3\[tool\]7$/);
});

test('of several templates, tools take the one that is named so', async (t) => {
  const several = [
    { name: 'default', template: `plain${PLAIN}` },
    { name: 'tool_use', template: `{{ tools | length }}<|python_tag|>${PLAIN}` },
  ];
  const { format, text } = await render(t, several, TALK.slice(0, 1));
  assert.deepEqual([format, text], ['llama', '1<|python_tag|>[system]Be brief.']);
  assert.equal((await render(t, several, TALK.slice(0, 1), [])).text, 'plain[system]Be brief.');
});

test('the older form of calls is read as the newer', () => {
  assert.deepEqual(
    readMessages([
      { role: 'assistant', content: null, function_call: { name: 'add', arguments: '{"a":1}' } },
      { role: 'function', name: 'add', content: '5' },
      { role: 'assistant', tool_calls: [{ id: 'x', function: { name: 'now', arguments: {} } }] },
    ]),
    [
      {
        ...{ role: 'assistant', content: null },
        tool_calls: [{ id: 'call_add', type: 'function', function: { name: 'add', arguments: '{"a":1}' } }],
      },
      { role: 'tool', content: '5', tool_call_id: 'call_add', name: 'add' },
      {
        ...{ role: 'assistant', content: null },
        tool_calls: [{ id: 'x', type: 'function', function: { name: 'now', arguments: '{}' } }],
      },
    ],
  );
});

test('a call without arguments may have null, or none', () => {
  for (const own of [{ name: 'now', arguments: null }, { name: 'now' }, { name: 'now', arguments: '' }]) {
    const [turn] = readMessages([{ role: 'assistant', content: null, tool_calls: [{ id: 'x', function: own }] }]);
    assert.deepEqual(turn?.tool_calls?.[0]?.function, { name: 'now', arguments: '{}' });
  }
});

test('a template that knows calls and no tools keeps its role of results; a content may be empty, not null', async (t) => {
  const template = [
    "{% for message in messages %}[{{ message.role }}]{{ message.content + '.' }}",
    "{% if message['tool_calls'] %}{{ message['tool_calls'] | length }}{% endif %}{% if message.role == 'tool' %}!{% endif %}{% endfor %}",
  ].join('');
  const { text } = await render(t, template, TALK);
  assert.match(text, /^\[system\]Be brief\.\n\nYou may call functions/);
  assert.ok(text.endsWith('[assistant].2[tool]3.![tool]7.!'), text);
});

test('the family of a model is told by its template', () => {
  const templates: [string, string][] = [
    ['If you choose to call a function:\n<tool_call>\n<function=example_function_name>', 'qwen-coder'],
    ['<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}', 'hermes'],
    ["{{ 'List of tools: <|tool_list_start|>[' }}", 'lfm'],
    ["{{ 'List of tools: [' + tools | join(', ') }}{{ '<|tool_call_start|>' }}", 'lfm'],
  ];
  for (const [template, format] of templates) assert.equal(formatOfTemplate(template), format);
});
