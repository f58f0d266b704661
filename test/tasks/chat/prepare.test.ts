import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ServerError } from '../../../src/errors.ts';
import type { GenerationParameters } from '../../../src/tasks/chat/generation.ts';
import { chooseGeneration } from '../../../src/tasks/chat/model.ts';
import { createChatTask } from '../../../src/tasks/chat/task.ts';
import type { TaskSource } from '../../../src/tasks/task.ts';
import { HELLO, item, makeChatFolder, textOf, type ChatFolder } from './support.ts';

let chat: ChatFolder;
before(async () => {
  chat = await makeChatFolder();
});
after(() => chat[Symbol.asyncDispose]());

test('puts messages through the template, with its special tokens', async () => {
  const task = await createChatTask(chat.source());
  const text = async (value: unknown, parameters?: Record<string, unknown>): Promise<string> =>
    textOf(await task.prepare(item(value, parameters)));
  assert.equal(await text(HELLO), '<begin>user:Hi\nassistant:');
  assert.equal(await text(HELLO, { add_generation_prompt: false }), '<begin>user:Hi\n');
  assert.equal(await text(HELLO, { chat_template_kwargs: { mood: 'calm' } }), '<begin>user:Hi\n(calm)assistant:');
  const parts = [
    { type: 'text', text: 'a' },
    { type: 'text', text: 'b' },
  ];
  assert.equal(await text({ messages: [{ role: 'developer', content: parts }] }), '<begin>system:a\nb\nassistant:');
});

test('takes a prompt as text or ids without the template; an empty text begins a text', async () => {
  const task = await createChatTask(chat.source());
  assert.equal(textOf(await task.prepare(item({ prompt: 'Once' }))), 'Once');
  assert.equal(textOf(await task.prepare(item({ prompt: [72, 105] }))), 'Hi');
  assert.equal(textOf(await task.prepare(item({ prompt: '' }))), '<begin>');
});

test('costs the prompt and the longest answer, which ends with the context', async () => {
  const task = await createChatTask(chat.source({ options: { maxTokens: 30 } }));
  const cost = async (parameters?: Record<string, unknown>): Promise<number> =>
    (await task.prepare(item({ prompt: 'x'.repeat(60) }, parameters))).cost;
  assert.equal(await cost(), 90);
  assert.equal(await cost({ max_tokens: 5 }), 65);
  assert.equal(await cost({ max_tokens: 100 }), 100);
  await assert.rejects(cost({ max_tokens: 101 }), (error) => {
    assert.ok(error instanceof ServerError && error.param === 'max_tokens');
    assert.match(error.message, /prompt and answer together can have 100 tokens, not 101\.$/);
    return true;
  });
});

test('samples by the request, then the options, then generation_config.json, then not at all', async () => {
  const sampling = async (own: Partial<TaskSource>, parameters?: Record<string, unknown>) => {
    const task = await createChatTask(chat.source(own));
    return ((await task.prepare(item(HELLO, parameters))).parameters as GenerationParameters).sampling;
  };
  const config = await sampling({});
  assert.deepEqual([config.temperature, config.topP, config.topK], [0.6, 0.9, 50]);
  assert.equal((await sampling({ options: { temperature: 0.2 } })).temperature, 0.2);
  assert.equal((await sampling({ options: { temperature: 0.2 } }, { temperature: 1.5 })).temperature, 1.5);
  const others = chat.without('generationConfig');
  assert.equal((await sampling({ files: others })).temperature, 0);
  assert.equal((await sampling({}, { seed: 7 })).seed, 7);
  assert.notEqual((await sampling({})).seed, (await sampling({})).seed);
});

test('ends with any end token of the configs, unless told to ignore them', async () => {
  const task = await createChatTask(chat.source());
  const stops = async (parameters?: Record<string, unknown>) =>
    ((await task.prepare(item(HELLO, parameters))).parameters as GenerationParameters).stopTokens;
  assert.deepEqual(await stops(), [256, 3]);
  assert.deepEqual(await stops({ ignore_eos: true }), []);
});

test('refuses what it cannot take, and says what', async () => {
  const task = await createChatTask(chat.source());
  const cases: [unknown, Record<string, unknown>, RegExp][] = [
    [HELLO, { beams: 4 }, /"beams"/],
    [HELLO, { temperature: -1 }, /"temperature"/],
    [HELLO, { top_p: 1.5 }, /"top_p"/],
    [HELLO, { max_tokens: 0 }, /"max_tokens"/],
    [HELLO, { max_tokens: 1.5 }, /"max_tokens"/],
    [HELLO, { stop: '' }, /"stop"/],
    [HELLO, { stop: 5 }, /"stop"/],
    [HELLO, { top_logprobs: 2 }, /"logprobs"/],
    [HELLO, { logprobs: true, top_logprobs: 21 }, /"top_logprobs"/],
    [HELLO, { logit_bias: { hello: 1 } }, /"logit_bias/],
    [HELLO, { echo: true }, /echo/],
    ['Hi', {}, /messages/],
    [{}, {}, /messages/],
    [{ ...HELLO, prompt: 'x' }, {}, /one of the two/],
    [{ ...HELLO, toys: [] }, {}, /"toys"/],
    [{ prompt: 'x', tools: [{ type: 'function', function: { name: 'f' } }] }, {}, /tools: go with messages/],
    [{ messages: [] }, {}, /at least one/],
    [{ messages: [{ content: 'x' }] }, {}, /messages\.0\.role/],
    [{ messages: [{ role: 'user', content: [{ type: 'image_url' }] }] }, {}, /messages\.0\.content/],
    [{ messages: [{ role: 'critic', content: 'x' }] }, {}, /no critics here/],
    [{ messages: [{ role: 'tool', content: 'x' }] }, {}, /messages\.0\.tool_call_id/],
    [{ prompt: [] }, {}, /at least one/],
    [{ prompt: [300] }, {}, /no token 300/],
    [{ prompt: 'x'.repeat(100) }, {}, /100 tokens/],
    // Known by its length: a token has at most seven letters (<begin>), though this text's have one.
    [{ prompt: 'x'.repeat(1000) }, {}, /at least 1000 tokens/],
    [{ messages: [{ role: 'user', content: 'b'.repeat(1000) }] }, {}, /at least \d+ tokens/],
  ];
  for (const [value, parameters, message] of cases)
    await assert.rejects(
      async () => task.prepare(item(value, parameters)),
      (error: unknown) => error instanceof ServerError && error.code === 'INVALID_INPUT' && message.test(error.message),
      JSON.stringify({ value, parameters }),
    );
  const short = await createChatTask(chat.source({ options: { maxCharacters: 10 } }));
  await assert.rejects(async () => short.prepare(item({ prompt: 'x'.repeat(11) })), { code: 'TOO_LARGE' });
});

test('a model without a template takes prompts alone', async () => {
  const others = chat.without('tokenizerConfig');
  const task = await createChatTask(chat.source({ files: others }));
  await assert.rejects(async () => task.prepare(item(HELLO)), { code: 'INVALID_INPUT' });
  assert.equal(textOf(await task.prepare(item({ prompt: 'x' }))), 'x');
  await assert.rejects(async () => task.prepare(item({ prompt: '' })), { code: 'INVALID_INPUT' });
});

test('its program knows the context and the cache by the configs and options', async () => {
  const spec = await chooseGeneration(chat.source({ options: { kvCacheBytes: 1000, contextTokens: 64 } }));
  assert.deepEqual(spec.options, {
    ...{
      contextTokens: 64,
      prefillChunk: 128,
      kvCacheBytes: 1000,
      prefixCacheBytes: 125,
      drafts: true,
      slidingWindow: false,
    },
    ...{ keyValueHeads: 4, headSize: 8 },
  });
  await assert.rejects(chooseGeneration(chat.source({ options: { beams: 1 } })), /beams/);
});
