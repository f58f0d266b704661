import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeptItems } from '../../../../src/dialects/openai/responses/kept-items.ts';
import { messagesOf } from '../../../../src/dialects/openai/responses/input.ts';
import { decodeResponse } from '../../../../src/dialects/openai/responses/request.ts';
import { ServerError } from '../../../../src/errors.ts';

const decode = (fields: object) => decodeResponse(Buffer.from(JSON.stringify({ input: 'Hi', ...fields })));
const itemOf = (fields: object) => {
  const [item] = decode(fields).items;
  assert.ok(item?.kind === 'json');
  return item;
};
const USER = { role: 'user', content: 'Hi' };

test('a response is a chat: instructions, input, tools and format under their names there', () => {
  assert.deepEqual(itemOf({}), { kind: 'json', value: { messages: [USER] } });
  const parameters = { type: 'object', properties: { city: { type: 'string' } } };
  const { value, parameters: given } = itemOf({
    instructions: 'Be brief.',
    tools: [{ type: 'function', name: 'weather', description: 'Of a city.', parameters, strict: true }],
    tool_choice: { type: 'function', name: 'weather' },
    parallel_tool_calls: false,
    text: { format: { type: 'json_schema', name: 'a', schema: parameters, strict: true }, verbosity: 'low' },
    ...{ max_output_tokens: 9, temperature: 0.5, top_p: 0.9, top_logprobs: 2, top_k: 5 },
    reasoning: { effort: 'low', summary: 'auto' },
  });
  const called = { name: 'weather', description: 'Of a city.', parameters, strict: true };
  assert.deepEqual(value, {
    messages: [{ role: 'system', content: 'Be brief.' }, USER],
    tools: [{ type: 'function', function: called }],
    tool_choice: { type: 'function', function: { name: 'weather' } },
    parallel_tool_calls: false,
  });
  assert.deepEqual(given, {
    ...{ temperature: 0.5, top_p: 0.9, top_k: 5, max_tokens: 9, logprobs: true, top_logprobs: 2 },
    response_format: { type: 'json_schema', json_schema: { name: 'a', schema: parameters, strict: true } },
    chat_template_kwargs: { reasoning_effort: 'low' },
  });
  assert.deepEqual(itemOf({ text: { format: { type: 'json_object' } } }).parameters, {
    response_format: { type: 'json_object' },
  });
  assert.deepEqual(itemOf({ include: ['message.output_text.logprobs'] }).parameters, { logprobs: true });
  assert.deepEqual(itemOf({ tools: [], tool_choice: 'auto', text: { format: { type: 'text' } } }), itemOf({}));
  const allowed = { type: 'allowed_tools', mode: 'required', tools: [{ type: 'function', name: 'f' }] };
  const chosen = itemOf({ tools: [{ type: 'function', name: 'f' }], tool_choice: allowed }).value;
  assert.deepEqual((chosen as { tool_choice: unknown }).tool_choice, {
    type: 'allowed_tools',
    allowed_tools: { mode: 'required', tools: [{ type: 'function', function: { name: 'f' } }] },
  });
});

test('what only says how OpenAI stores, bills or routes has no effect, and the answer repeats what it should', () => {
  const asked = { metadata: { a: 'b' }, user: 'me', temperature: 1, instructions: 'Be brief.' };
  const { ignored, options } = decode({
    ...asked,
    ...{ store: true, service_tier: 'auto', truncation: 'auto', background: false, include: [], colour: 1 },
    ...{ previous_response_id: null, conversation: null, prompt: null, stream: true },
  });
  assert.deepEqual(ignored, ['colour']);
  assert.deepEqual(options, { stream: true, summary: false, asked });
});

test('the items of a conversation become its turns', () => {
  const part = (type: string, text: string) => ({ type, text });
  assert.deepEqual(
    messagesOf(
      [
        { role: 'developer', content: 'Be brief.' },
        { type: 'message', role: 'user', content: [part('input_text', 'a'), part('input_text', 'b')] },
        {
          type: 'reasoning',
          id: 'rs',
          summary: [part('summary_text', 'Short.')],
          content: [part('reasoning_text', 'Long.')],
        },
        {
          type: 'message',
          id: 'msg',
          role: 'assistant',
          status: 'completed',
          content: [part('output_text', 'One moment.')],
        },
        { type: 'function_call', id: 'fc', call_id: 'c1', name: 'f', arguments: '{}' },
        { type: 'function_call', call_id: 'c2', name: 'g', arguments: '{"a":1}' },
        { type: 'function_call_output', call_id: 'c1', output: '1' },
        { type: 'function_call_output', call_id: 'c2', output: [part('input_text', '2')] },
        { role: 'assistant', content: 'Both.' },
        { role: 'assistant', content: [{ type: 'refusal', refusal: 'No.' }] },
        { type: 'reasoning', summary: [part('summary_text', 'Short.')] },
      ],
      new KeptItems(),
    ),
    [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'a\nb' },
      {
        ...{ role: 'assistant', content: 'One moment.', reasoning_content: 'Long.' },
        tool_calls: [
          { id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' } },
          { id: 'c2', type: 'function', function: { name: 'g', arguments: '{"a":1}' } },
        ],
      },
      { role: 'tool', tool_call_id: 'c1', content: '1' },
      { role: 'tool', tool_call_id: 'c2', content: '2' },
      { role: 'assistant', content: 'Both.' },
      { role: 'assistant', content: 'No.' },
      { role: 'assistant', content: '', reasoning_content: 'Short.' },
    ],
  );
});

test('a reference stands for an item of an earlier answer, as long as that is kept', () => {
  const kept = new KeptItems(20);
  const message = (id: string, content: string) => ({ id, type: 'message', role: 'assistant', content });
  kept.keep(message('msg_1', 'One.'), 12);
  assert.deepEqual(messagesOf([{ type: 'item_reference', id: 'msg_1' }], kept), [
    { role: 'assistant', content: 'One.' },
  ]);
  kept.keep(message('msg_2', 'Two.'), 12);
  kept.keep(message('msg_3', 'Far too long.'), 21);
  assert.deepEqual([kept.get('msg_1'), kept.get('msg_2')?.id, kept.get('msg_3')], [undefined, 'msg_2', undefined]);
  assert.throws(
    () => messagesOf([{ type: 'item_reference', id: 'msg_1' }], kept),
    (error) => error instanceof ServerError && error.param === 'input[0].id' && /'store': false/.test(error.message),
  );
});

/** Fields of a response, and the parameter that is at fault. */
const bad: [object, string][] = [
  [{ input: null }, 'input'],
  [{ input: 5 }, 'input'],
  [{ input: [] }, 'input'],
  [{ input: ['Hi'] }, 'input[0]'],
  [{ input: [{ content: 'Hi' }] }, 'input[0].role'],
  [{ input: [{ role: 'user' }] }, 'input[0].content'],
  [{ input: [{ role: 'tool', content: 'Hi' }] }, 'input[0].role'],
  [{ input: [USER, { role: 'user', content: [{ type: 'input_image', image_url: 'x' }] }] }, 'input[1].content[0]'],
  [{ input: [{ role: 'user', content: [{ type: 'input_text' }] }] }, 'input[0].content[0].text'],
  [{ input: [{ type: 'function_call', call_id: 'a', arguments: '{}' }] }, 'input[0].name'],
  [{ input: [{ type: 'function_call_output', output: 'a' }] }, 'input[0].call_id'],
  [{ input: [{ type: 'web_search_call', id: 'a' }] }, 'input[0]'],
  [{ previous_response_id: 'resp_1' }, 'previous_response_id'],
  [{ conversation: 'conv_1' }, 'conversation'],
  [{ prompt: { id: 'p' } }, 'prompt'],
  [{ background: true }, 'background'],
  [{ tools: [{ type: 'web_search' }] }, 'tools[0]'],
  [{ tool_choice: { type: 'file_search' } }, 'tool_choice'],
  [{ text: { format: { type: 'xml' } } }, 'text.format.type'],
  [{ max_output_tokens: 0 }, 'max_output_tokens'],
  [{ temperature: 3 }, 'temperature'],
  [{ max_output_token: 5 }, 'max_output_token'],
];
for (const [fields, param] of bad)
  test(`a response with ${JSON.stringify(fields).slice(0, 80)} is refused for ${param}`, () => {
    assert.throws(
      () => decode(fields),
      (error) => error instanceof ServerError && error.code === 'BAD_REQUEST' && error.param === param,
    );
  });
