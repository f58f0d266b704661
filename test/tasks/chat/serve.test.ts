import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ServerError } from '../../../src/errors.ts';
import type { AnswerPiece } from '../../../src/tasks/chat/answer.ts';
import type { GenerationParameters, GenerationProgress } from '../../../src/tasks/chat/generation.ts';
import { createChatTask } from '../../../src/tasks/chat/task.ts';
import type { Item, Outputs, ServeContext, Task, Work } from '../../../src/tasks/task.ts';
import { float32, fromTypedArray } from '../../../src/tensors/tensor.ts';
import type { ReplyToolCall } from '../../../src/tasks/chat/tools/call-draft.ts';
import { HELLO, item, makeChatFolder, textOf, type ChatFolder } from './support.ts';

let chat: ChatFolder;
before(async () => {
  chat = await makeChatFolder();
});
after(() => chat[Symbol.asyncDispose]());

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
  const counted: Record<string, number> = {};
  const context: ServeContext = {
    ...{ streaming, leftMs: () => 60_000, onLeave: () => () => undefined },
    emit: (event) => {
      pieces.push(event as AnswerPiece);
    },
    count: (unit, amount) => {
      counted[unit] = (counted[unit] ?? 0) + amount;
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

test('answers with text, usage and why it ended', async () => {
  const task = await createChatTask(chat.source());
  const { reply, counted } = await serve(task, item(HELLO), [...bytesOf('Hey'), 256], false);
  assert.deepEqual(reply, {
    text: 'Hey',
    finish_reason: 'stop',
    prompt_tokens: 19,
    completion_tokens: 4,
    token_ids: bytesOf('Hey'),
  });
  assert.deepEqual(counted, { tokens: 4, prompt_tokens: reply['prompt_tokens'] });
  const cut = await serve(task, item(HELLO), bytesOf('Hey'), false);
  assert.equal(cut.reply['finish_reason'], 'length');
  assert.deepEqual(await task.finish(outputsOf([...bytesOf('Hey'), 256]), (await task.prepare(item(HELLO))).memo), {
    json: reply,
  });
});

test('tells the answer piece by piece, whole characters only', async () => {
  const task = await createChatTask(chat.source());
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

test('a stop text across tokens ends the ticket, and no part of it is sent', async () => {
  const task = await createChatTask(chat.source());
  for (const streaming of [true, false]) {
    const answer = bytesOf('One. STOP and much more that nobody wants');
    const { pieces, reply, runs } = await serve(task, item(HELLO, { stop: ['STOP'] }), answer, streaming);
    assert.equal(reply['text'], 'One. ');
    assert.equal(reply['finish_reason'], 'stop');
    assert.equal(reply['completion_tokens'], 9);
    assert.equal(pieces.map(({ text }) => text).join(''), streaming ? 'One. ' : '');
    assert.ok(runs < answer.length);
  }
});

test('text that looked like a stop text is sent in the end', async () => {
  const task = await createChatTask(chat.source());
  const { pieces, reply } = await serve(task, item(HELLO, { stop: 'STOP' }), [...bytesOf('no ST'), 256]);
  assert.equal(reply['text'], 'no ST');
  assert.equal(pieces.map(({ text }) => text).join(''), 'no ST');
});

test('the prompt comes first when it is to be echoed', async () => {
  const task = await createChatTask(chat.source());
  const { pieces, reply } = await serve(task, item({ prompt: 'Once' }, { echo: true }), [...bytesOf(' more'), 256]);
  assert.equal(reply['text'], 'Once more');
  assert.equal(pieces[0]?.text, 'Once');
});

test('what ended the answer is part of it where that is asked for, and a stop text counts from min_tokens on', async () => {
  const task = await createChatTask(chat.source());
  const answer = [...bytesOf('a.b.c'), 256];
  const text = async (parameters: object) => (await serve(task, item(HELLO, { ...parameters }), answer)).reply['text'];
  assert.equal(await text({ stop: '.' }), 'a');
  assert.equal(await text({ stop: '.', include_stop_str_in_output: true }), 'a.');
  assert.equal(await text({ stop: '.', min_tokens: 2 }), 'a.b');
  assert.equal(await text({ stop_token_ids: [98] }), 'a.');
  assert.equal(await text({ stop_token_ids: [98], include_stop_str_in_output: true }), 'a.b');
});

test('what the model thinks before it answers is told apart', async () => {
  const template = "{% if x %}</think>{% endif %}{{ messages[0].reasoning_content }}{{ start or 'assistant:' }}";
  const file = join(chat.source().folder, 'thinking.jinja');
  await writeFile(file, template);
  const task = await createChatTask(chat.source({ files: { ...chat.without(''), chatTemplate: file } }));
  const answer = [...bytesOf('<think>a🚗</think>\n\nb'), 256];
  const { reply, pieces } = await serve(task, item(HELLO), answer);
  assert.deepEqual([reply['reasoning'], reply['text'], reply['reasoning_tokens']], ['a🚗', 'b', 20]);
  assert.deepEqual(
    pieces.map(({ text, reasoning }) => [reasoning, text]),
    [
      ['a', ''],
      ['🚗', ''],
      [undefined, 'b'],
    ],
  );
  assert.deepEqual(
    pieces.flatMap(({ token_ids: ids }) => ids),
    reply['token_ids'],
  );
  // The prompt has begun the thoughts; the answer ends within them.
  const begun = item(HELLO, { chat_template_kwargs: { start: '<think>\n' }, max_tokens: 3 });
  const cut = await serve(task, begun, bytesOf('Hm.'));
  assert.deepEqual([cut.reply['reasoning'], cut.reply['text'], cut.reply['finish_reason']], ['Hm.', '', 'length']);
  // A bare prompt is continued as it is.
  const bare = await serve(task, item({ prompt: 'Once' }), answer);
  assert.deepEqual([bare.reply['reasoning'], bare.reply['text']], [undefined, '<think>a🚗</think>\n\nb']);
});

const WEATHER = { type: 'function', function: { name: 'get_weather', parameters: { type: 'object' } } };
const CALL = '<tool_call>{"name": "get_weather", "arguments": {"city": "Paris"}}</tool_call>';

test('calls of tools come beside the text, with why the answer ended', async () => {
  const task = await createChatTask(chat.source({ options: { contextTokens: 2000 } }));
  const asked = item({ ...HELLO, tools: [WEATHER] });
  const { work } = await serve(task, asked, [256]);
  assert.ok(work !== undefined);
  assert.match(textOf(work), /<tools>\n\{"type":"function","function":\{"name":"get_weather"/);
  for (const streaming of [true, false]) {
    const { reply, pieces } = await serve(task, asked, [...bytesOf(`Wait.\n${CALL}`), 256], streaming);
    const [call] = reply['tool_calls'] as ReplyToolCall[];
    assert.ok(call !== undefined);
    assert.match(call.id, /^call_[0-9a-f]{24}$/);
    assert.deepEqual(call.function, { name: 'get_weather', arguments: '{"city": "Paris"}' });
    assert.deepEqual([reply['text'], reply['finish_reason']], ['Wait.', 'tool_calls']);
    const deltas = pieces.flatMap(({ tool_calls: calls = [] }) => calls);
    assert.equal(deltas.map((delta) => delta.function.arguments).join(''), streaming ? '{"city": "Paris"}' : '');
    if (!streaming) continue;
    assert.equal(deltas[0]?.id, call.id);
    assert.equal(pieces.flatMap(({ token_ids: ids }) => ids).length, `Wait.\n${CALL}`.length);
    assert.equal(pieces.map(({ text }) => text).join(''), 'Wait.');
  }
  const cut = await serve(task, asked, bytesOf(CALL.slice(0, -14)), false);
  assert.equal(cut.reply['finish_reason'], 'length');
  assert.equal((cut.reply['tool_calls'] as ReplyToolCall[])[0]?.function.arguments, '{"city": "Paris"');
  const words = await serve(task, item({ ...HELLO, tools: [WEATHER], tool_choice: 'none' }), [...bytesOf(CALL), 256]);
  assert.deepEqual([words.reply['text'], words.reply['tool_calls']], [CALL, undefined]);
});

test('without parallel calls the ticket ends with the first', async () => {
  const task = await createChatTask(chat.source({ options: { contextTokens: 2000 } }));
  const asked = item({ ...HELLO, tools: [WEATHER], parallel_tool_calls: false });
  for (const streaming of [true, false]) {
    const { reply, runs } = await serve(task, asked, bytesOf(`${CALL}\n${CALL} and on`), streaming);
    assert.equal((reply['tool_calls'] as unknown[]).length, 1);
    assert.equal(reply['finish_reason'], 'tool_calls');
    assert.ok(runs <= CALL.length + 1);
  }
});

test('calls that must be made have no thoughts before them, and their form goes to the lane', async () => {
  const template = '{% if tools %}<think></think>{% endif %}{{ messages[0].content }}<think>';
  const file = join(chat.source().folder, 'calling.jinja');
  await writeFile(file, template);
  const source = chat.source({ files: { ...chat.without(''), chatTemplate: file }, options: { contextTokens: 2000 } });
  const task = await createChatTask(source);
  const asked = item({ ...HELLO, tools: [WEATHER], tool_choice: 'required' }, { min_tokens: 99, ignore_eos: true });
  const { reply, work } = await serve(task, asked, [...bytesOf(CALL), 256]);
  assert.equal((reply['tool_calls'] as ReplyToolCall[])[0]?.function.name, 'get_weather');
  assert.equal(reply['reasoning'], undefined);
  const parameters = work?.parameters as GenerationParameters;
  assert.ok(parameters.grammar !== undefined);
  assert.deepEqual([parameters.minTokens, parameters.stopTokens], [undefined, [256, 3]]);
  const free = await serve(task, item({ ...HELLO, tools: [WEATHER] }), [...bytesOf(`Hm.</think>${CALL}`), 256]);
  assert.equal((free.work?.parameters as GenerationParameters).grammar, undefined);
  assert.deepEqual([free.reply['reasoning'], (free.reply['tool_calls'] as unknown[]).length], ['Hm.', 1]);
});
