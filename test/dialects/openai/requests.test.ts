import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeChat } from '../../../src/dialects/openai/chat.ts';
import { decodeCompletions } from '../../../src/dialects/openai/completions.ts';
import { ServerError } from '../../../src/errors.ts';
import type { Item } from '../../../src/tasks/task.ts';

const context = { itemLimit: 100 };
const MESSAGES = [{ role: 'user', content: 'Hi' }];
const chat = (fields: object) => decodeChat(Buffer.from(JSON.stringify({ messages: MESSAGES, ...fields })), context);
const complete = (fields: object) =>
  decodeCompletions(Buffer.from(JSON.stringify({ prompt: 'a', ...fields })), context);
const valueOf = (item: Item | undefined): unknown => (item?.kind === 'json' ? item.value : undefined);
const refused =
  (param: string, message?: RegExp) =>
  (error: unknown): boolean =>
    error instanceof ServerError &&
    error.code === 'BAD_REQUEST' &&
    error.param === param &&
    (message === undefined || message.test(error.message));

test('choices times the size of the body are bounded, as each holds its prompt', () => {
  const text = 'a '.repeat(150_000);
  const refusal = (error: unknown): boolean =>
    error instanceof ServerError &&
    error.code === 'TOO_LARGE' &&
    error.param === 'n' &&
    /'n' may be 27/.test(error.message);
  assert.throws(() => chat({ messages: [{ role: 'user', content: text }], n: 28 }), refusal);
  assert.throws(() => complete({ prompt: text, n: 28 }), refusal);
  assert.throws(
    () => complete({ prompt: [text.slice(0, text.length / 2), text.slice(text.length / 2)], n: 28 }),
    refusal,
  );
  assert.equal(complete({ prompt: text, n: 27 }).items.length, 27);
  assert.equal(complete({ prompt: 'a'.repeat(9_000_000) }).items.length, 1);
});

test('every sampling field reaches the task under its name, null is absent', () => {
  const sampling = {
    temperature: 0.5,
    top_p: 0.9,
    top_k: 40,
    min_p: 0.1,
    presence_penalty: -1,
    frequency_penalty: 1,
    repetition_penalty: 1.1,
    seed: 7,
    stop: ['a', 'b'],
    logit_bias: { 5: -100 },
    ignore_eos: true,
    min_tokens: 2,
    stop_token_ids: [5],
    include_stop_str_in_output: true,
    max_tokens: 12,
    logprobs: true,
    top_logprobs: 2,
    add_generation_prompt: false,
    chat_template_kwargs: { enable_thinking: false },
  };
  assert.deepEqual(chat({ ...sampling, user: 'me' }).items, [
    { kind: 'json', value: { messages: MESSAGES }, parameters: sampling },
  ]);
  assert.deepEqual(chat({ temperature: null, stop: [], n: null, logprobs: null, stream: null }).items, [
    { kind: 'json', value: { messages: MESSAGES } },
  ]);
  assert.deepEqual(chat({ max_tokens: 5, max_completion_tokens: 6 }).items[0]?.parameters, { max_tokens: 6 });
});

test('harmless fields and features that are switched off are taken', () => {
  const { items } = chat({
    user: 'me',
    store: true,
    metadata: {},
    service_tier: 'auto',
    parallel_tool_calls: false,
    tools: [],
    tool_choice: 'none',
    response_format: { type: 'text' },
    modalities: ['text'],
  });
  assert.deepEqual(items, [{ kind: 'json', value: { messages: MESSAGES } }]);
});

test('the form of an answer goes to the task, in all its spellings', () => {
  const form = (fields: object): unknown => chat(fields).items[0]?.parameters;
  const format = { type: 'json_schema', json_schema: { name: 'a', schema: { type: 'string' }, strict: true } };
  assert.deepEqual(form({ response_format: format }), { response_format: format });
  assert.deepEqual(form({ structured_outputs: { regex: 'a+' } }), { structured_outputs: { regex: 'a+' } });
  assert.deepEqual(form({ guided_json: { type: 'null' } }), { structured_outputs: { json: { type: 'null' } } });
  assert.deepEqual(form({ guided_regex: 'a+' }), { structured_outputs: { regex: 'a+' } });
  assert.deepEqual(form({ guided_choice: ['a'] }), { structured_outputs: { choice: ['a'] } });
  assert.deepEqual(form({ guided_grammar: 'root ::= "a"' }), { structured_outputs: { grammar: 'root ::= "a"' } });
  assert.ok(complete({ prompt: 'a', guided_choice: ['b'] }).items[0]?.parameters?.['structured_outputs'] !== undefined);
});

const TOOLS = [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }];

test('tools and how they may be called reach the task; the older form becomes the newer', () => {
  const named = { type: 'function', function: { name: 'f' } };
  assert.deepEqual(chat({ tools: TOOLS, tool_choice: named, parallel_tool_calls: false }).items, [
    {
      kind: 'json',
      value: { messages: MESSAGES, tools: TOOLS, tool_choice: named, parallel_tool_calls: false },
    },
  ]);
  const { items, options } = chat({ functions: [TOOLS[0]?.function], function_call: { name: 'f' } });
  assert.deepEqual(items, [
    {
      kind: 'json',
      value: { messages: MESSAGES, tools: TOOLS, tool_choice: named, parallel_tool_calls: false },
    },
  ]);
  assert.equal(options.isLegacy, true);
  assert.equal(chat({ tools: TOOLS }).options.isLegacy, false);
});

test('calls of earlier turns and their results reach the task', () => {
  const call = { id: 'call_1', type: 'function', function: { name: 'f', arguments: '{}' } };
  const called = { name: 'f', arguments: '{}' };
  const messages = [
    { role: 'assistant', content: null, tool_calls: [call], refusal: null },
    { role: 'tool', content: [{ type: 'text', text: '5' }], tool_call_id: 'call_1' },
    { role: 'assistant', function_call: called, tool_calls: null },
    { role: 'function', name: 'f', content: '6' },
  ];
  const [item] = decodeChat(Buffer.from(JSON.stringify({ messages })), context).items;
  assert.deepEqual(item?.kind === 'json' && item.value, {
    messages: [
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', content: [{ type: 'text', text: '5' }], tool_call_id: 'call_1' },
      { role: 'assistant', content: null, function_call: called },
      { role: 'function', name: 'f', content: '6' },
    ],
  });
});

test('content may be parts of text; developer is the system', () => {
  const parts = [{ type: 'text', text: 'Hi' }];
  const messages = [
    { role: 'developer', content: 'Be brief.', name: 'boss' },
    { role: 'user', content: parts },
    { role: 'assistant', content: 'Yes?', tool_calls: [], refusal: null },
  ];
  const [item] = decodeChat(Buffer.from(JSON.stringify({ messages })), context).items;
  assert.deepEqual(item?.kind === 'json' && item.value, {
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: parts },
      { role: 'assistant', content: 'Yes?' },
    ],
  });
});

/** Fields of a chat, and the parameter that is at fault. */
const badChats: [object, string][] = [
  [{ messages: 'Hi' }, 'messages'],
  [{ messages: ['Hi'] }, 'messages[0]'],
  [{ messages: [{ role: 'user' }] }, 'messages[0].content'],
  [{ messages: [{ content: 'Hi' }] }, 'messages[0].role'],
  [{ messages: [{ role: 'critic', content: 'Hi' }] }, 'messages[0].role'],
  [{ messages: [{ role: 'assistant' }] }, 'messages[0].content'],
  [{ messages: [{ role: '__proto__', content: 'Hi' }] }, 'messages[0].role'],
  [{ messages: [{ role: 'user', content: [{ type: 'image_url' }] }] }, 'messages[0].content[0]'],
  [{ messages: [{ role: 'user', content: [{ type: 'text' }] }] }, 'messages[0].content[0].text'],
  [{ messages: [{ role: 'assistant', content: '', tool_calls: {} }] }, 'messages[0].tool_calls'],
  [{ response_format: 'json' }, 'response_format'],
  [{ guided_choice: ['a', 1] }, 'guided_choice[1]'],
  [{ audio: {} }, 'audio'],
  [{ modalities: ['text', 'audio'] }, 'modalities'],
  [{ functions: [{}], tools: TOOLS }, 'functions'],
  [{ functions: {} }, 'functions'],
  [{ tools: {} }, 'tools'],
  [{ tools: [5] }, 'tools[0]'],
  [{ tools: TOOLS, tool_choice: 'any' }, 'tool_choice'],
  [{ tools: TOOLS, parallel_tool_calls: 1 }, 'parallel_tool_calls'],
  [{ n: 0 }, 'n'],
  [{ n: 129 }, 'n'],
  [{ n: 1.5 }, 'n'],
  [{ seed: 1e300 }, 'seed'],
  [{ top_logprobs: 3 }, 'top_logprobs'],
  [{ logprobs: true, top_logprobs: 21 }, 'top_logprobs'],
  [{ max_tokens: 0 }, 'max_tokens'],
  [{ top_p: 1.1 }, 'top_p'],
  [{ stop: ['a', 1] }, 'stop[1]'],
  [{ stop: new Array(17).fill('a') }, 'stop'],
  [{ logit_bias: { a: 1 } }, 'logit_bias'],
  [{ logit_bias: { 1: 101 } }, 'logit_bias'],
  [{ stream_options: { include_usage: true } }, 'stream_options'],
  [{ stream: 'yes' }, 'stream'],
  [{ max_token: 1 }, 'max_token'],
  [{ maxTokens: 1 }, 'maxTokens'],
  [{ top_logprob: 1 }, 'top_logprob'],
  [{ seed: 2 ** 65 }, 'seed'],
  [{ repetition_penalty: 0 }, 'repetition_penalty'],
  [{ repeat_penalty: 0 }, 'repeat_penalty'],
  [{ stop_token_ids: ['a'] }, 'stop_token_ids[0]'],
  [{ min_tokens: -1 }, 'min_tokens'],
  [{ messages: [{ role: 'assistant', content: '', reasoning_content: 1 }] }, 'messages[0].reasoning_content'],
];
for (const [fields, param] of badChats)
  test(`a chat with ${JSON.stringify(fields).slice(0, 80)} is refused for ${param}`, () => {
    assert.throws(() => chat(fields), refused(param));
  });

test('what other servers know is ignored, or taken where it means the same here', () => {
  // Of llama.cpp, Ollama, vLLM, SGLang, text-generation-inference and OpenRouter.
  const foreign = [
    ...['cache_prompt', 'chat_template', 'continue_final_message', 'do_sample', 'documents', 'draft_model', 'dry_base'],
    ...['early_stopping', 'format', 'id_slot', 'keep_alive', 'length_penalty', 'min_keep', 'mirostat', 'mirostat_tau'],
    ...['n_keep', 'n_predict', 'n_probs', 'no_repeat_ngram_size', 'num_beams', 'num_ctx', 'num_predict', 'num_thread'],
    ...['options', 'penalize_nl', 'plugins', 'presence_context', 'priority', 'prompt_logprobs', 'provider', 'raw'],
    ...[
      'reasoning',
      'reasoning_format',
      'regex',
      'repeat_last_n',
      'request_id',
      'return_full_text',
      'route',
      'samplers',
    ],
    ...['skip_special_tokens', 'spaces_between_special_tokens', 'stop_regex', 'stop_sequences', 'system', 'tfs_z'],
    ...['template', 'thinking', 'thinking_budget', 'timings_per_token', 'top_n_sigma', 'top_n_tokens', 'transforms'],
    ...[
      'truncate',
      'truncate_prompt_tokens',
      'ttl',
      'typical_p',
      'use_beam_search',
      'use_cache',
      'watermark',
      'xtc_probability',
    ],
  ];
  assert.deepEqual(chat(Object.fromEntries(foreign.map((name) => [name, 1]))).ignored, foreign);
  assert.deepEqual(chat({ repeat_penalty: 1.2 }).items[0]?.parameters, { repetition_penalty: 1.2 });
  assert.deepEqual(chat({ repeat_penalty: 1.2, repetition_penalty: 1.3 }).items[0]?.parameters, {
    repetition_penalty: 1.3,
  });
});

test('the effort of reasoning reaches the template, and what was thought goes with the messages', () => {
  assert.deepEqual(chat({ reasoning_effort: 'low' }).items[0]?.parameters, {
    chat_template_kwargs: { reasoning_effort: 'low' },
  });
  assert.deepEqual(chat({ reasoning_effort: 'none', chat_template_kwargs: { a: 1 } }).items[0]?.parameters, {
    chat_template_kwargs: { reasoning_effort: 'none', enable_thinking: false, a: 1 },
  });
  for (const name of ['reasoning_content', 'reasoning']) {
    const messages = [{ role: 'assistant', content: 'Four.', [name]: '2 + 2' }, ...MESSAGES];
    assert.deepEqual(valueOf(chat({ messages }).items[0]), {
      messages: [{ role: 'assistant', content: 'Four.', reasoning_content: '2 + 2' }, ...MESSAGES],
    });
  }
  assert.equal(chat({ include_reasoning: false }).options.includeReasoning, false);
});

test('where token counts go in a stream follows from what is asked', () => {
  const where = (options?: object) => chat({ stream: true, stream_options: options }).options.usage;
  assert.deepEqual(
    [where(), where({}), where({ include_usage: true }), where({ include_usage: false })],
    ['finish', 'finish', 'end', 'none'],
  );
});

test('unknown fields are ignored and named in the reply, but a misspelt known one is refused', () => {
  const request = chat({
    length_penalty: 1,
    top_a: 0.5,
    guided_decoding_backend: {},
    constructor: 1,
    __proto__: 2,
    nothing: null,
  });
  assert.deepEqual(request.ignored, ['length_penalty', 'top_a', 'guided_decoding_backend', 'constructor']);
  assert.deepEqual(request.items, [{ kind: 'json', value: { messages: MESSAGES } }]);
  assert.deepEqual(complete({}).ignored, []);
  assert.throws(
    () => chat({ temprature: 1 }),
    refused('temprature', /^Unrecognized request argument supplied: temprature\. Did you mean 'temperature'\?$/),
  );
});

test('values that ask for nothing are taken', () => {
  const nothing = { logprobs: false, top_logprobs: 0, stream_options: { include_usage: false }, stop: '', tools: null };
  assert.deepEqual(chat(nothing).items[0]?.parameters, { logprobs: false });
  assert.deepEqual(complete({ logprobs: false, stop: [''], best_of: 1 }).items[0]?.parameters, { max_tokens: 16 });
  assert.deepEqual(chat({ top_p: 0, top_k: -1 }).items[0]?.parameters, { top_p: 0, top_k: -1 });
});

test('a seed may be any of 64 bits, and each choice has another', () => {
  const seeds = chat({ seed: 2 ** 63, n: 2 }).items.map(({ parameters }) => parameters?.['seed'] as number);
  assert.ok(seeds.every(Number.isSafeInteger) && seeds[0] !== seeds[1], String(seeds));
});

test('prompts are texts or token ids, with the older form of log probabilities', () => {
  const { items, options } = complete({ prompt: [[1, 2], 'b'], n: 2, seed: 1, logprobs: 0, echo: true, stream: true });
  const parameters = { seed: 1, max_tokens: 16, logprobs: true, top_logprobs: 0, echo: true };
  assert.deepEqual(items, [
    { kind: 'json', value: { prompt: [1, 2] }, parameters },
    { kind: 'json', value: { prompt: [1, 2] }, parameters: { ...parameters, seed: 2 } },
    { kind: 'json', value: { prompt: 'b' }, parameters },
    { kind: 'json', value: { prompt: 'b' }, parameters: { ...parameters, seed: 2 } },
  ]);
  assert.deepEqual(options, { choices: 2, count: 4, isList: true, stream: true, usage: 'finish' });
  assert.throws(() => complete({ prompt: [1, -2] }), refused('prompt[0]'));
  assert.throws(() => complete({ best_of: 2 }), refused('best_of'));
  assert.deepEqual(valueOf(complete({ suffix: 'x' }).items[0]), { prompt: 'a', suffix: 'x' });
  assert.deepEqual(valueOf(complete({ suffix: '' }).items[0]), { prompt: 'a' });
  assert.equal(complete({ max_tokens: 0, echo: true }).items[0]?.parameters?.['max_tokens'], 0);
  assert.throws(() => complete({ max_tokens: 0 }), refused('max_tokens', /'echo'/));
  assert.throws(
    () => complete({ prompt: new Array(60).fill('a'), n: 2 }),
    (error) => error instanceof ServerError && error.code === 'TOO_LARGE',
  );
});
