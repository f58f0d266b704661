import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ServerError } from '../../../src/errors.ts';
import type { AnswerPiece } from '../../../src/tasks/chat/answer.ts';
import type { GenerationParameters, GenerationProgress } from '../../../src/tasks/chat/generation.ts';
import { chooseGeneration } from '../../../src/tasks/chat/model.ts';
import { createChatTask } from '../../../src/tasks/chat/task.ts';
import type { Item, Outputs, Prepared, ServeContext, Task, TaskSource, Work } from '../../../src/tasks/task.ts';
import { float32, fromTypedArray, typedView } from '../../../src/tensors/tensor.ts';

/** Byte-level: ids are bytes, 256 ends a text, 257 begins one. */
const TOKENIZER = ((): string => {
  let other = 0x100;
  const vocab: Record<string, number> = {};
  for (let byte = 0; byte < 256; byte += 1) {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xff && byte !== 0xad);
    vocab[String.fromCodePoint(printable ? byte : other)] = byte;
    if (!printable) other += 1;
  }
  const special = { special: true, single_word: false, lstrip: false, rstrip: false, normalized: false };
  return JSON.stringify({
    model: { type: 'BPE', vocab, merges: [] },
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
    decoder: { type: 'ByteLevel' },
    added_tokens: [
      { id: 256, content: '<end>', ...special },
      { id: 257, content: '<begin>', ...special },
    ],
  });
})();

const TEMPLATE = [
  "{% for message in messages %}{% if message.role == 'tool' %}{{ raise_exception('no tools here') }}{% endif %}",
  '{{ bos_token }}{{ message.role }}:{{ message.content }}\n{% endfor %}{% if mood %}({{ mood }}){% endif %}',
  '{% if add_generation_prompt %}assistant:{% endif %}',
].join('');

let folder = '';
let files: Record<string, string> = {};
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'carpool-chat-'));
  const contents = {
    tokenizer: ['tokenizer.json', TOKENIZER],
    tokenizerConfig: [
      'tokenizer_config.json',
      JSON.stringify({ eos_token: '<end>', bos_token: '<begin>', chat_template: TEMPLATE }),
    ],
    config: [
      'config.json',
      JSON.stringify({ max_position_embeddings: 100, num_attention_heads: 4, hidden_size: 32, sliding_window: null }),
    ],
    generationConfig: [
      'generation_config.json',
      JSON.stringify({ eos_token_id: [256, 3], do_sample: true, temperature: 0.6, top_p: 0.9 }),
    ],
  } as const;
  files = {};
  for (const [role, [name, text]] of Object.entries(contents)) {
    files[role] = join(folder, name);
    await writeFile(join(folder, name), text);
  }
});
after(() => rm(folder, { recursive: true }));

function source(own: Partial<TaskSource> = {}): TaskSource {
  return {
    ...{ key: 'k', model: 'm', task: 'chat', folder, weights: join(folder, 'model.onnx'), files, options: {} },
    signature: { inputs: [], outputs: [], batchable: true },
    ...own,
  };
}

function without(role: string): Record<string, string> {
  return Object.fromEntries(Object.entries(files).filter(([name]) => name !== role));
}

function item(value: unknown, parameters?: Readonly<Record<string, unknown>>): Item {
  return { kind: 'json', value, ...(parameters === undefined ? {} : { parameters }) };
}

const HELLO = { messages: [{ role: 'user', content: 'Hi' }] };

function textOf({ inputs }: Prepared | Work): string {
  const prompt = inputs['prompt'];
  assert.ok(prompt?.datatype === 'INT32');
  const ids = Array.from(typedView(prompt), Number);
  return ids.map((id) => (id === 257 ? '<begin>' : id === 256 ? '<end>' : String.fromCharCode(id))).join('');
}

const bytesOf = (text: string): number[] => [...new TextEncoder().encode(text)];

function outputsOf(tokens: readonly number[]): Outputs {
  return {
    tokens: fromTypedArray('INT32', [1, tokens.length], Int32Array.from(tokens)),
    logprobs: float32([1, 0], new Float32Array(0)),
    top_tokens: fromTypedArray('INT32', [1, 0, 0], new Int32Array(0)),
    top_logprobs: float32([1, 0, 0], new Float32Array(0)),
  };
}

/** Serves an item as the server does, with a lane that answers these tokens, one a run; the last comes with the outputs. */
async function serve(task: Task, asked: Item, tokens: readonly number[], streaming = true) {
  const pieces: AnswerPiece[] = [];
  let work: Work | undefined;
  let runs = 0;
  let counted = 0;
  const context: ServeContext = {
    ...{ streaming, leftMs: () => 60_000, onLeave: () => () => undefined },
    emit: (event) => {
      pieces.push(event as AnswerPiece);
    },
    count: (_, amount) => {
      counted += amount;
    },
    call: (name, argument) => Promise.resolve(task.calls?.[name]?.(argument as never)),
    runEach: () => Promise.reject(new Error('not used')),
    run: async (given, onProgress, signal) => {
      work = given;
      // The prompt was computed in part.
      onProgress?.(undefined);
      for (const token of tokens.slice(0, -1)) {
        await Promise.resolve();
        if (signal?.aborted === true) throw new ServerError('CANCELLED');
        runs += 1;
        const progress: GenerationProgress = { tokens: [token] };
        onProgress?.(progress);
      }
      if (signal?.aborted === true) throw new ServerError('CANCELLED');
      runs += 1;
      return outputsOf(tokens);
    },
  };
  assert.ok(task.serve !== undefined);
  const reply = await task.serve(asked, context);
  assert.ok('json' in reply);
  return { pieces, work, runs, counted, reply: reply.json as Record<string, unknown> };
}

describe('the chat task', () => {
  test('puts messages through the template, with its special tokens', async () => {
    const task = await createChatTask(source());
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
    const task = await createChatTask(source());
    assert.equal(textOf(await task.prepare(item({ prompt: 'Once' }))), 'Once');
    assert.equal(textOf(await task.prepare(item({ prompt: [72, 105] }))), 'Hi');
    assert.equal(textOf(await task.prepare(item({ prompt: '' }))), '<begin>');
  });

  test('costs the prompt and the longest answer, which ends with the context', async () => {
    const task = await createChatTask(source({ options: { maxTokens: 30 } }));
    const cost = async (parameters?: Record<string, unknown>): Promise<number> =>
      (await task.prepare(item({ prompt: 'x'.repeat(60) }, parameters))).cost;
    assert.equal(await cost(), 90);
    assert.equal(await cost({ max_tokens: 5 }), 65);
    assert.equal(await cost({ max_tokens: 1000 }), 100);
  });

  test('samples by the request, then the options, then generation_config.json, then not at all', async () => {
    const sampling = async (own: Partial<TaskSource>, parameters?: Record<string, unknown>) => {
      const task = await createChatTask(source(own));
      return ((await task.prepare(item(HELLO, parameters))).parameters as GenerationParameters).sampling;
    };
    const config = await sampling({});
    assert.deepEqual([config.temperature, config.topP, config.topK], [0.6, 0.9, 50]);
    assert.equal((await sampling({ options: { temperature: 0.2 } })).temperature, 0.2);
    assert.equal((await sampling({ options: { temperature: 0.2 } }, { temperature: 1.5 })).temperature, 1.5);
    const others = without('generationConfig');
    assert.equal((await sampling({ files: others })).temperature, 0);
    assert.equal((await sampling({}, { seed: 7 })).seed, 7);
    assert.notEqual((await sampling({})).seed, (await sampling({})).seed);
  });

  test('ends with any end token of the configs, unless told to ignore them', async () => {
    const task = await createChatTask(source());
    const stops = async (parameters?: Record<string, unknown>) =>
      ((await task.prepare(item(HELLO, parameters))).parameters as GenerationParameters).stopTokens;
    assert.deepEqual(await stops(), [256, 3]);
    assert.deepEqual(await stops({ ignore_eos: true }), []);
  });

  test('refuses what it cannot take, and says what', async () => {
    const task = await createChatTask(source());
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
      [{ ...HELLO, tools: [] }, {}, /"tools"/],
      [{ messages: [] }, {}, /at least one/],
      [{ messages: [{ content: 'x' }] }, {}, /messages\.0\.role/],
      [{ messages: [{ role: 'user', content: [{ type: 'image_url' }] }] }, {}, /messages\.0\.content/],
      [{ messages: [{ role: 'tool', content: 'x' }] }, {}, /no tools here/],
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
        (error: unknown) =>
          error instanceof ServerError && error.code === 'INVALID_INPUT' && message.test(error.message),
        JSON.stringify({ value, parameters }),
      );
    const short = await createChatTask(source({ options: { maxCharacters: 10 } }));
    await assert.rejects(async () => short.prepare(item({ prompt: 'x'.repeat(11) })), { code: 'TOO_LARGE' });
  });

  test('answers with text, usage and why it ended', async () => {
    const task = await createChatTask(source());
    const { reply, counted } = await serve(task, item(HELLO), [...bytesOf('Hey'), 256], false);
    assert.deepEqual(reply, {
      text: 'Hey',
      finish_reason: 'stop',
      prompt_tokens: 19,
      completion_tokens: 4,
      token_ids: bytesOf('Hey'),
    });
    assert.equal(counted, 4);
    const cut = await serve(task, item(HELLO), bytesOf('Hey'), false);
    assert.equal(cut.reply['finish_reason'], 'length');
    assert.deepEqual(await task.finish(outputsOf([...bytesOf('Hey'), 256]), (await task.prepare(item(HELLO))).memo), {
      json: reply,
    });
  });

  test('tells the answer piece by piece, whole characters only', async () => {
    const task = await createChatTask(source());
    const { pieces, reply } = await serve(task, item(HELLO), [...bytesOf('a🚗b'), 256]);
    assert.deepEqual(
      pieces.map(({ text }) => text),
      ['a', '🚗', 'b'],
    );
    assert.deepEqual(
      pieces.map(({ token_ids: ids }) => ids.length),
      [1, 4, 1],
    );
    assert.equal(reply['text'], 'a🚗b');
  });

  test('a stop text across tokens ends the ticket, and nothing of it is told', async () => {
    const task = await createChatTask(source());
    for (const streaming of [true, false]) {
      const answer = bytesOf('One. STOP and much more that nobody wants');
      const { pieces, reply, runs } = await serve(task, item(HELLO, { stop: ['STOP'] }), answer, streaming);
      assert.equal(reply['text'], 'One. ');
      assert.equal(reply['finish_reason'], 'stop');
      assert.equal(reply['completion_tokens'], 9);
      assert.equal(pieces.map(({ text }) => text).join(''), 'One. ');
      assert.ok(runs < answer.length);
    }
  });

  test('what looked like a stop text is told in the end', async () => {
    const task = await createChatTask(source());
    const { pieces, reply } = await serve(task, item(HELLO, { stop: 'STOP' }), [...bytesOf('no ST'), 256]);
    assert.equal(reply['text'], 'no ST');
    assert.equal(pieces.map(({ text }) => text).join(''), 'no ST');
  });

  test('the prompt comes first when it is to be echoed', async () => {
    const task = await createChatTask(source());
    const { pieces, reply } = await serve(task, item({ prompt: 'Once' }, { echo: true }), [...bytesOf(' more'), 256]);
    assert.equal(reply['text'], 'Once more');
    assert.equal(pieces[0]?.text, 'Once');
  });

  test('a model without a template takes prompts alone', async () => {
    const others = without('tokenizerConfig');
    const task = await createChatTask(source({ files: others }));
    await assert.rejects(async () => task.prepare(item(HELLO)), { code: 'INVALID_INPUT' });
    assert.equal(textOf(await task.prepare(item({ prompt: 'x' }))), 'x');
    await assert.rejects(async () => task.prepare(item({ prompt: '' })), { code: 'INVALID_INPUT' });
  });

  test('its program knows the context and the cache by the configs and options', async () => {
    const spec = await chooseGeneration(source({ options: { kvCacheBytes: 1000, contextTokens: 64 } }));
    assert.deepEqual(spec.options, {
      ...{ contextTokens: 64, prefillChunk: 128, kvCacheBytes: 1000, prefixCacheBytes: 125, slidingWindow: false },
      ...{ keyValueHeads: 4, headSize: 8 },
    });
    await assert.rejects(chooseGeneration(source({ options: { beams: 1 } })), /beams/);
  });
});
