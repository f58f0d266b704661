import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messagesOf } from '../../../../src/dialects/openai/responses/input.ts';
import { KEPT_ITEMS } from '../../../../src/dialects/openai/responses/kept-items.ts';
import { encodeResponse } from '../../../../src/dialects/openai/responses/output.ts';
import { ResponseStream } from '../../../../src/dialects/openai/responses/stream.ts';
import type { StreamEvent } from '../../../../src/dialects/shared/operation.ts';
import { ServerError } from '../../../../src/errors.ts';

const head = { id: 'r', model: 'm', version: '1', created: 1 };
const options = { stream: true, summary: false, asked: { temperature: 0 } };
const generation = { text: 'Hi there', finish_reason: 'stop', prompt_tokens: 3, completion_tokens: 2 };
const call = { id: 'c1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } } as const;

interface Event {
  readonly type: string;
  readonly sequence_number: number;
  readonly output_index?: number;
  readonly item_id?: string;
  readonly delta?: string;
  readonly item?: { readonly id: string; readonly status?: string };
  readonly response?: {
    readonly status: string;
    readonly output: unknown[];
    readonly error: unknown;
    readonly usage: unknown;
  };
}

/** Events as a client reads them; their names are their types, their numbers count them. */
function read(events: readonly StreamEvent[]): Event[] {
  return events.map((event, index) => {
    assert.ok(typeof event !== 'string' && 'data' in event);
    const value = JSON.parse(event.data) as Event;
    assert.deepEqual([value.type, value.sequence_number], [event.name, index]);
    return value;
  });
}
const typesOf = (events: readonly Event[]): string[] => events.map(({ type }) => type.replace('response.', ''));

test('a text is told as an item that begins, grows and ends within its response', () => {
  const stream = new ResponseStream(head, options);
  const events = read([
    ...stream.piece(0, { text: 'Hi' }),
    ...stream.piece(0, { text: ' there' }),
    ...stream.done(0, generation),
    ...stream.end([generation]),
  ]);
  assert.deepEqual(typesOf(events), [
    ...['created', 'in_progress', 'output_item.added', 'content_part.added'],
    ...[
      'output_text.delta',
      'output_text.delta',
      'output_text.done',
      'content_part.done',
      'output_item.done',
      'completed',
    ],
  ]);
  const ids = new Set(events.flatMap(({ item_id: id, item }) => id ?? item?.id ?? []));
  assert.equal(ids.size, 1);
  const last = events.at(-1)?.response;
  assert.deepEqual(last?.output, [events.at(-2)?.item]);
  assert.deepEqual(last.usage, {
    ...{ input_tokens: 3, input_tokens_details: { cached_tokens: 0 } },
    ...{ output_tokens: 2, output_tokens_details: { reasoning_tokens: 0 }, total_tokens: 5 },
  });
});

test('thoughts, words and calls are items of their own, in order', () => {
  const stream = new ResponseStream(head, options);
  const whole = { ...generation, text: 'Hi', reasoning: 'Hm.', finish_reason: 'tool_calls', tool_calls: [call] };
  const pieces = [
    { text: '', reasoning: 'Hm.' },
    { text: 'Hi' },
    { text: '', tool_calls: [{ index: 0, id: 'c1', type: 'function', function: { name: 'f', arguments: '{"a"' } }] },
    { text: '', tool_calls: [{ index: 0, function: { arguments: ':1}' } }] },
  ] as const;
  const events = read([
    ...pieces.flatMap((piece) => stream.piece(0, piece)),
    ...stream.done(0, whole),
    ...stream.end([whole]),
  ]);
  assert.deepEqual(typesOf(events), [
    ...['created', 'in_progress', 'output_item.added', 'content_part.added', 'reasoning_text.delta'],
    ...['reasoning_text.done', 'content_part.done', 'output_item.done', 'output_item.added', 'content_part.added'],
    ...['output_text.delta', 'output_text.done', 'content_part.done', 'output_item.done', 'output_item.added'],
    ...['function_call_arguments.delta', 'function_call_arguments.delta', 'function_call_arguments.done'],
    ...['output_item.done', 'completed'],
  ]);
  const { output = [] } = events.at(-1)?.response ?? {};
  // The same as the answer that is not streamed, but for the ids.
  const { output: same } = encodeResponse(head, whole, options) as { output: object[] };
  const bare = (items: readonly unknown[]) => items.map((item) => ({ ...(item as object), id: '' }));
  assert.deepEqual(bare(output), bare(same));
  assert.deepEqual(messagesOf(output, KEPT_ITEMS), [
    { role: 'assistant', content: 'Hi', reasoning_content: 'Hm.', tool_calls: [call] },
  ]);
  // A client may refer to them instead of sending them back.
  const references = output.map((item) => ({ type: 'item_reference', id: (item as { id: string }).id }));
  assert.deepEqual(messagesOf(references, KEPT_ITEMS), messagesOf(output, KEPT_ITEMS));
});

test('thoughts are told as their summary where one is asked for', () => {
  const stream = new ResponseStream(head, { ...options, summary: true });
  const whole = { ...generation, reasoning: 'Hm.' };
  const events = read([...stream.done(0, whole), ...stream.end([whole])]);
  assert.deepEqual(typesOf(events).slice(2, 8), [
    ...['output_item.added', 'reasoning_summary_part.added', 'reasoning_summary_text.delta'],
    ...['reasoning_summary_text.done', 'reasoning_summary_part.done', 'output_item.done'],
  ]);
  const { output = [] } = events.at(-1)?.response ?? {};
  assert.deepEqual((output[0] as { summary: unknown }).summary, [{ type: 'summary_text', text: 'Hm.' }]);
});

test('an answer that is cut is incomplete, one without a word is an empty message', () => {
  const cut = { ...generation, text: '', finish_reason: 'length' };
  const stream = new ResponseStream(head, options);
  const events = read([...stream.done(0, cut), ...stream.end([cut])]);
  assert.deepEqual(typesOf(events).slice(-2), ['output_item.done', 'incomplete']);
  assert.equal(events.at(-2)?.item?.status, 'incomplete');
  const response = encodeResponse(head, cut, options) as { status: string; incomplete_details: unknown };
  assert.deepEqual([response.status, response.incomplete_details], ['incomplete', { reason: 'max_output_tokens' }]);
});

test('an error after the first event ends the response as failed', () => {
  const stream = new ResponseStream(head, options);
  const events = read([...stream.piece(0, { text: 'Hi' }), ...stream.fail(new ServerError('DEADLINE_EXCEEDED'))]);
  const { type, response } = events.at(-1) ?? {};
  assert.deepEqual([type, response?.status], ['response.failed', 'failed']);
  assert.deepEqual(Object.keys(response?.error ?? {}), ['code', 'message']);
});
