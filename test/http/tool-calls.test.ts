import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TOOL_FORMATS } from '../../src/tasks/chat/tools/formats.ts';
import { post } from './in-process.ts';
import { scriptedCaller, type ScriptedChat } from './scripted-chat.ts';
import { startStubServer, type StubServer } from './stub-services.ts';

/** Calls of tools the whole way, from a client's bytes through the chat task and back, for models of each family. */

const TOOL = { type: 'function', function: { name: 'add', parameters: { type: 'object', properties: {} } } };
const QUESTION = [{ role: 'user', content: '1+2, and "3"+4?' }];
const CALLS = ['{"a": 1, "b": 2}', '{"a": "\\"3\\" </tool_call>", "b": [4, {"c": null}]}'];

interface Call {
  readonly id?: string;
  readonly index?: number;
  readonly function: { readonly name?: string; readonly arguments: string };
}
interface Choice {
  readonly message: { readonly content: string | null; readonly tool_calls?: readonly Call[] };
  readonly delta: { readonly content?: string | null; readonly tool_calls?: readonly Call[] };
  readonly finish_reason: string | null;
}

let chats: ScriptedChat[];
let server: StubServer;
before(async () => {
  const calls = CALLS.map((given) => ({ name: 'add', arguments: given }));
  chats = await Promise.all(TOOL_FORMATS.map((format) => scriptedCaller(format, calls)));
  server = await startStubServer(chats.map(({ model }) => model));
});
after(async () => {
  await server[Symbol.asyncDispose]();
  for (const chat of chats) await chat[Symbol.asyncDispose]();
});

async function ask(fields: object): Promise<Choice> {
  const { status, json } = await post(`${server.url}/v1/chat/completions`, JSON.stringify(fields));
  assert.equal(status, 200, JSON.stringify(json));
  const [choice] = (json as { choices: Choice[] }).choices;
  assert.ok(choice !== undefined);
  return choice;
}

async function stream(fields: object): Promise<Choice[]> {
  const response = await fetch(`${server.url}/v1/chat/completions`, {
    ...{ method: 'POST', body: JSON.stringify({ ...fields, stream: true }) },
    signal: AbortSignal.timeout(30_000),
  });
  const text = await response.text();
  const lines = text.split('\n').filter((line) => line.startsWith('data: {'));
  return lines.flatMap((line) => (JSON.parse(line.slice(6)) as { choices: Choice[] }).choices);
}

describe('a model of each family calls tools and hears of their results', () => {
  for (const model of TOOL_FORMATS)
    test(model, async () => {
      const asked = { model, messages: QUESTION, tools: [TOOL] };
      const { message, finish_reason: reason } = await ask(asked);
      assert.deepEqual([message.content, reason], [null, 'tool_calls']);
      const calls = message.tool_calls ?? [];
      assert.deepEqual(
        calls.map((call) => [call.function.name, call.function.arguments]),
        CALLS.map((given) => ['add', given]),
      );
      const results = calls.map(({ id }, index) => ({ role: 'tool', tool_call_id: id, content: String(index) }));
      const told = await ask({ ...asked, messages: [...QUESTION, message, ...results] });
      assert.deepEqual([told.message.content, told.finish_reason], ['The tools said: 0, 1.', 'stop']);

      const choices = await stream(asked);
      const deltas = choices.flatMap(({ delta }) => delta.tool_calls ?? []);
      assert.ok(deltas.length > 20);
      for (const [index, given] of CALLS.entries()) {
        const own = deltas.filter((delta) => delta.index === index);
        assert.match(own[0]?.id ?? '', /^call_/);
        assert.equal(own[0]?.function.name, 'add');
        assert.equal(own.map((delta) => delta.function.arguments).join(''), given);
      }
      assert.equal(choices.map(({ delta }) => delta.content ?? '').join(''), '');
      assert.equal(choices.at(-1)?.finish_reason, 'tool_calls');
    });
});

test('the native API has the same items and replies', async () => {
  const item = { messages: QUESTION, tools: [TOOL], parallel_tool_calls: false };
  const { status, json } = await post(`${server.url}/predict/hermes`, JSON.stringify({ items: [item] }));
  assert.equal(status, 200, JSON.stringify(json));
  const [{ result }] = (json as { results: [{ result: { tool_calls: Call[]; finish_reason: string } }] }).results;
  assert.deepEqual([result.tool_calls.length, result.finish_reason], [1, 'tool_calls']);
});

test('a bad tool is refused by name, in the shape of each API', async () => {
  const tools = [TOOL, { type: 'function', function: { name: 'a b' } }];
  const openai = await post(`${server.url}/v1/chat/completions`, JSON.stringify({ messages: QUESTION, tools }));
  assert.equal(openai.status, 400);
  assert.equal((openai.json as { error: { param: string } }).error.param, 'tools.1.function.name');
  const native = await post(`${server.url}/predict/hermes`, JSON.stringify({ items: [{ messages: QUESTION, tools }] }));
  assert.equal(native.status, 200);
  assert.match(JSON.stringify(native.json), /tools\.1\.function\.name/);
});
