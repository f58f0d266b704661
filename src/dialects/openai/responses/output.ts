import { randomBytes } from 'node:crypto';
import type { JsonObject } from '../../../json.ts';
import type { ReplyToolCall } from '../../../tasks/chat/tools/call-draft.ts';
import { usageOf, type Candidate, type Generation, type TokenLogprob } from '../../shared/generation-reply.ts';
import type { AnswerHead } from '../../shared/operation.ts';
import { KEPT_ITEMS, type KeptItem } from './kept-items.ts';
import type { ResponseOptions } from './request.ts';

/** The response object and its items. https://platform.openai.com/docs/api-reference/responses/object */

type Called = Pick<ReplyToolCall, 'id' | 'function'>;

/** Whether an item is whole. */
export type ItemStatus = 'in_progress' | 'completed' | 'incomplete';

/** `POST /v1/responses`, answered as a whole; its items are kept for references. */
export function encodeResponse(head: AnswerHead, generation: Generation, options: ResponseOptions): unknown {
  const { summary } = options;
  const { text, reasoning = '', logprobs, tool_calls: calls = [] } = generation;
  const status = statusOf(generation);
  const output = [
    ...(reasoning === '' ? [] : [reasoningItem(newId('rs'), reasoning, summary)]),
    ...(text === '' && calls.length > 0 ? [] : [messageItem(newId('msg'), status, textPart(text, logprobs))]),
    ...calls.map((call, at) => callItem(newId('fc'), call, at === calls.length - 1 ? status : 'completed')),
  ];
  for (const item of output) keep(item);
  return responseObject(head, options, { status, output, generation });
}

/** The response, which grows with its output. */
export function responseObject(
  { id, model, created }: AnswerHead,
  { asked }: ResponseOptions,
  state: {
    readonly status: ItemStatus | 'failed';
    readonly output: readonly unknown[];
    readonly generation?: Generation;
    readonly error?: { readonly code: string; readonly message: string };
  },
): JsonObject {
  const { status, output, generation, error } = state;
  return {
    ...{ id: `resp_${id}`, object: 'response', created_at: created, status, background: false },
    error: error ?? null,
    incomplete_details: status === 'incomplete' ? { reason: 'max_output_tokens' } : null,
    ...{ instructions: null, max_output_tokens: null, metadata: {}, parallel_tool_calls: true },
    ...{ temperature: null, tool_choice: 'auto', tools: [], top_logprobs: 0, top_p: null },
    ...asked,
    text: { format: { type: 'text' }, ...(asked['text'] as JsonObject | undefined) },
    reasoning: { effort: null, summary: null, ...(asked['reasoning'] as JsonObject | undefined) },
    ...{ model, output, previous_response_id: null, store: false, truncation: 'disabled' },
    usage: generation === undefined ? null : usage(generation),
  };
}

export function statusOf({ finish_reason: reason }: Generation): 'completed' | 'incomplete' {
  return reason === 'length' ? 'incomplete' : 'completed';
}

export function newId(kind: 'rs' | 'msg' | 'fc'): string {
  return `${kind}_${randomBytes(16).toString('hex')}`;
}

export function messageItem(id: string, status: ItemStatus, ...content: readonly unknown[]): KeptItem {
  return { id, type: 'message', status, role: 'assistant', content };
}

export function textPart(text: string, logprobs?: readonly TokenLogprob[]): JsonObject {
  return { type: 'output_text', text, annotations: [], logprobs: textLogprobs(logprobs) };
}

export function textLogprobs(logprobs: readonly TokenLogprob[] = []): unknown[] {
  const candidate = ({ token, logprob, bytes }: Candidate): JsonObject => ({ token, logprob, bytes });
  return logprobs.map((own) => ({ ...candidate(own), top_logprobs: own.top_logprobs.map(candidate) }));
}

/** What the model thought; `summary`: told as its summary. */
export function reasoningItem(id: string, thoughts: string, summary: boolean): KeptItem {
  const parts = thoughts === '' ? [] : [reasoningPart(thoughts, summary)];
  return { id, type: 'reasoning', summary: summary ? parts : [], ...(summary ? {} : { content: parts }) };
}

export function reasoningPart(thoughts: string, summary: boolean): JsonObject {
  return { type: summary ? 'summary_text' : 'reasoning_text', text: thoughts };
}

export function callItem(id: string, { id: callId, function: called }: Called, status: ItemStatus): KeptItem {
  return { id, type: 'function_call', status, call_id: callId, name: called.name, arguments: called.arguments };
}

/** Keeps an item that is whole for requests that refer to it. */
export function keep(item: KeptItem): void {
  KEPT_ITEMS.keep(item, JSON.stringify(item).length);
}

function usage(generation: Generation): JsonObject {
  const { prompt_tokens: input, completion_tokens: output, total_tokens: total } = usageOf([generation], 1);
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: generation.reasoning_tokens ?? 0 },
    total_tokens: total,
  };
}
