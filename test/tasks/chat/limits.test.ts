import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import type { ServerError } from '../../../src/errors.ts';
import { createChatTask } from '../../../src/tasks/chat/task.ts';
import type { Item, Task } from '../../../src/tasks/task.ts';
import { BYTE_TOKENIZER } from './support.ts';

/** What a chat request may make the server do. */

const HELLO = { messages: [{ role: 'user', content: 'Hi' }] };

function item(value: unknown, parameters?: Readonly<Record<string, unknown>>): Item {
  return { kind: 'json', value, ...(parameters === undefined ? {} : { parameters }) };
}

async function openTask(t: TestContext): Promise<Task> {
  const folder = await mkdtemp(path.join(tmpdir(), 'carpool-chat-'));
  t.after(() => rm(folder, { recursive: true }));
  const contents = {
    tokenizer: BYTE_TOKENIZER,
    tokenizerConfig: { eos_token: '<end>', chat_template: '{{ messages[0].content }}' },
    config: { max_position_embeddings: 100, num_attention_heads: 4, hidden_size: 32 },
  };
  const files: Record<string, string> = {};
  for (const [role, content] of Object.entries(contents)) {
    files[role] = path.join(folder, `${role}.json`);
    await writeFile(files[role], JSON.stringify(content));
  }
  const weights = path.join(folder, 'model.onnx');
  const signature = { inputs: [], outputs: [], batchable: true };
  return createChatTask({ key: 'k', model: 'm', task: 'chat', folder, weights, files, options: {}, signature });
}

test('what may take long is prepared off the main thread: conversations, for their template, and whatever is much', async (t) => {
  const task = await openTask(t);
  assert.equal(task.isLight(item({ prompt: 'Hi' }, { max_tokens: 3 })), true);
  assert.equal(task.isLight(item(HELLO)), false);
  assert.equal(task.isLight(item({ prompt: 'Hi' }, { stop: new Array(500).fill('x') })), false);
});

test('long lists of parameters are refused, and of unknown ones a few are named', async (t) => {
  const task = await openTask(t);
  const names = (count: number) => Object.fromEntries(new Array(count).fill(1).map((one, id) => [String(id), one]));
  await task.prepare(item(HELLO, { logit_bias: names(1000), chat_template_kwargs: names(60) }));
  for (const parameters of [{ logit_bias: names(1025) }, { chat_template_kwargs: names(65) }, names(4000)])
    await assert.rejects(
      async () => task.prepare(item(HELLO, parameters)),
      ({ code, message }: ServerError) => code === 'INVALID_INPUT' && message.length < 500,
    );
});
