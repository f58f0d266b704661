import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { ServerError } from '../../src/errors.ts';
import { createChatTask } from '../../src/tasks/chat/task.ts';
import type { Task } from '../../src/tasks/task.ts';
import { fuzzBudgetMs } from './budget.ts';
import { makeChatFolder, type ChatFolder } from '../tasks/chat/support.ts';

/** Items of chats with tools, right in some parts and anything in others: they are prepared, or refused as the client's mistake. */

let chat: ChatFolder;
let task: Task;
before(async () => {
  chat = await makeChatFolder();
  task = await createChatTask(chat.source({ options: { contextTokens: 100_000 } }));
});
after(() => chat[Symbol.asyncDispose]());

const oddly = <T>(right: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 8, arbitrary: right }, { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) });
const name = oddly(fc.constantFrom('add', 'now', '__proto__', 'a b', ''));
const text = oddly(fc.constantFrom('Hi', '', '{"a":1}', '{', '5', 'null', '<tool_call>', '<tool_response>\n'));
const schema = oddly(
  fc.record(
    {
      type: oddly(fc.constant('object')),
      properties: oddly(
        fc.dictionary(fc.constantFrom('a', '__proto__', 'toString'), oddly(fc.constant({ type: 'string' }))),
      ),
      required: oddly(fc.constant(['a'])),
    },
    { requiredKeys: [] },
  ),
);
const called = oddly(fc.record({ name, arguments: text }, { requiredKeys: [] }));
const message = oddly(
  fc.record(
    {
      role: oddly(fc.constantFrom('system', 'user', 'assistant', 'tool', 'function')),
      content: text,
      name,
      tool_calls: oddly(
        fc.array(oddly(fc.record({ id: text, function: called }, { requiredKeys: [] })), { maxLength: 2 }),
      ),
      tool_call_id: text,
      function_call: called,
    },
    { requiredKeys: ['role'] },
  ),
);
const own = fc.record(
  { name, description: text, parameters: schema, strict: oddly(fc.boolean()) },
  { requiredKeys: [] },
);
const tool = oddly(fc.record({ type: oddly(fc.constant('function')), function: oddly(own) }));
const item = fc.record(
  {
    messages: fc.array(message, { maxLength: 4 }),
    tools: oddly(fc.array(tool, { maxLength: 3 })),
    tool_choice: oddly(fc.constantFrom('auto', 'none', 'required', { type: 'function', function: { name: 'add' } })),
    parallel_tool_calls: oddly(fc.boolean()),
  },
  { requiredKeys: ['messages'] },
);
const CODES = ['INVALID_INPUT', 'TOO_LARGE'];
const budget = { numRuns: Number.MAX_SAFE_INTEGER, plugins: [fc.interruptAfterTimeLimit(fuzzBudgetMs())] };

test("any item with tools is prepared or refused as the client's mistake", () =>
  fc.assert(
    fc.asyncProperty(item, async (value) => {
      try {
        await task.prepare({ kind: 'json', value });
      } catch (error) {
        assert.ok(error instanceof ServerError && CODES.includes(error.code), String(error));
      }
    }),
    budget,
  ));
