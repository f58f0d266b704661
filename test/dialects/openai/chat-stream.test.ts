import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChatOptions } from '../../../src/dialects/openai/chat.ts';
import { ChatStream, encodeChat } from '../../../src/dialects/openai/chat-reply.ts';
import { CompletionsStream } from '../../../src/dialects/openai/completions-reply.ts';

const head = { id: 'r', model: 'm', version: '1', created: 1 };
const one = { text: 'Hi', finish_reason: 'stop', prompt_tokens: 3, completion_tokens: 2 };
const thought = { ...one, reasoning: 'Hm.', reasoning_tokens: 1 };

interface Chunk {
  readonly choices: { readonly delta: unknown; readonly finish_reason: string | null }[];
  readonly usage?: { readonly completion_tokens: number } | null;
}
const read = (texts: readonly string[]): Chunk[] => texts.map((text) => JSON.parse(text) as Chunk);

function chat(options: Partial<ChatOptions> = {}): ChatStream {
  return new ChatStream(head, { choices: 1, includeReasoning: true, stream: true, usage: 'finish', ...options });
}

test('the chunk that ends the last choice has the token counts of all, where no chunk of their own was asked for', () => {
  const stream = chat({ choices: 2 });
  const first = read([...stream.piece(1, { text: 'Hi' }), ...stream.done(1, one)]);
  const last = read([...stream.piece(0, { text: 'Hi' }), ...stream.done(0, { ...one, completion_tokens: 5 })]);
  assert.deepEqual(
    [...first, ...last].map(({ usage }) => usage),
    [...new Array<undefined>(5).fill(undefined), { prompt_tokens: 3, completion_tokens: 7, total_tokens: 10 }],
  );
  assert.equal(last.at(-1)?.choices[0]?.finish_reason, 'stop');
  assert.deepEqual(stream.end([one, one]), ['[DONE]']);
});

test('token counts come once: as an event of their own, or not at all', () => {
  const asked = chat({ usage: 'end' });
  const chunks = read([...asked.done(0, one), ...asked.end([one]).slice(0, 1)]);
  assert.deepEqual(
    chunks.map(({ usage }) => usage?.completion_tokens ?? usage),
    [null, null, null, 2],
  );
  const declined = chat({ usage: 'none' });
  assert.ok(read(declined.done(0, one)).every((chunk) => !('usage' in chunk)));
  const legacy = new CompletionsStream(head, { choices: 1, count: 2, isList: true, stream: true, usage: 'finish' });
  const usages = read([...legacy.done(0, one), ...legacy.done(1, one)]).map(({ usage }) => usage);
  assert.deepEqual(usages, [undefined, { prompt_tokens: 6, completion_tokens: 4, total_tokens: 10 }]);
});

test('thoughts are deltas of their own, in front of the answer', () => {
  const deltas = (stream: ChatStream) =>
    read([
      ...stream.piece(0, { text: '', reasoning: 'H' }),
      ...stream.piece(0, { text: 'H', reasoning: 'm.' }),
      ...stream.done(0, thought),
    ]).map(({ choices }) => choices[0]?.delta);
  const role = { role: 'assistant', content: '' };
  assert.deepEqual(deltas(chat()), [
    ...[role, { reasoning_content: 'H' }, { reasoning_content: 'm.' }, { content: 'H' }, { content: 'i' }, {}],
  ]);
  assert.deepEqual(deltas(chat({ includeReasoning: false })), [role, { content: 'H' }, { content: 'i' }, {}]);
  // From a task that gives no pieces.
  assert.deepEqual(
    read(chat().done(0, thought)).map(({ choices }) => choices[0]?.delta),
    [role, { reasoning_content: 'Hm.' }, { content: 'Hi' }, {}],
  );
});

test('a whole answer has its thoughts beside the content, and counts their tokens', () => {
  const reply = (includeReasoning: boolean) =>
    encodeChat(head, [thought], { includeReasoning }) as { choices: { message: object }[]; usage: object };
  const message = { role: 'assistant', content: 'Hi', refusal: null };
  assert.deepEqual(reply(true).choices[0]?.message, { ...message, reasoning_content: 'Hm.' });
  assert.deepEqual(reply(false).choices[0]?.message, message);
  assert.deepEqual(reply(true).usage, {
    ...{ prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
    completion_tokens_details: { reasoning_tokens: 1 },
  });
});
