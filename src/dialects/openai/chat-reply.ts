import { z } from 'zod';
import { once } from '../../once.ts';
import type { ReplyToolCall, ToolCallDelta } from '../../tasks/chat/tools/call-draft.ts';
import { count } from '../shared/answer-schema.ts';
import { text } from '../shared/body-schema.ts';
import {
  FINISH_REASON,
  LastUsage,
  SentText,
  TOKEN_LOGPROB,
  USAGE,
  usageOf,
  type Candidate,
  type Generation,
  type GenerationPiece,
  type StreamEncoder,
  type TokenLogprob,
  type Usage,
} from '../shared/generation-reply.ts';
import type { JsonObject } from '../../json.ts';
import type { AnswerHead } from '../shared/operation.ts';
import type { ChatOptions } from './chat.ts';
import { usageField } from './sampling.ts';

const LOGPROBS = once(() => z.object({ content: z.array(TOKEN_LOGPROB()), refusal: z.null() }).nullable());

const called = once(() => z.object({ name: text, arguments: text }));

export const CHAT_ANSWER = once(() => {
  const call = z.object({ id: text, type: z.literal('function'), function: called() }).meta({ id: 'ToolCall' });
  const message = z
    .object({
      ...{ role: z.literal('assistant'), content: text.nullable(), refusal: z.null() },
      ...{ reasoning_content: text.optional(), tool_calls: z.array(call).optional() },
      function_call: called().optional(),
    })
    .meta({ id: 'ChatAnswerMessage' });
  const choice = z.object({ index: count, message, logprobs: LOGPROBS(), finish_reason: FINISH_REASON() });
  return z
    .object({
      ...{ id: text, object: z.literal('chat.completion'), created: count, model: text },
      ...{ choices: z.array(choice), usage: USAGE(), system_fingerprint: z.null() },
    })
    .meta({ id: 'ChatCompletion' });
});

/** All events but the last, which is `[DONE]`. */
export const CHAT_EVENT = once(() => {
  const calledPart = called().partial({ name: true });
  const call = z.object({
    index: count,
    id: text.optional(),
    type: z.literal('function').optional(),
    function: calledPart,
  });
  const delta = z.object({
    ...{ role: z.literal('assistant').optional(), content: text.nullable().optional() },
    ...{ reasoning_content: text.optional(), tool_calls: z.array(call).optional() },
    function_call: calledPart.optional(),
  });
  const choice = z.object({ index: count, delta, logprobs: LOGPROBS(), finish_reason: FINISH_REASON().nullable() });
  return z
    .object({
      ...{ id: text, object: z.literal('chat.completion.chunk'), created: count, model: text },
      ...{ choices: z.array(choice), usage: USAGE().nullable().optional(), system_fingerprint: z.null() },
    })
    .meta({ id: 'ChatCompletionChunk' });
});

/** https://platform.openai.com/docs/api-reference/chat/object */
export function encodeChat(
  { id, model, created }: AnswerHead,
  generations: readonly Generation[],
  { includeReasoning, isLegacy = false }: Pick<ChatOptions, 'includeReasoning' | 'isLegacy'>,
): unknown {
  return {
    id: `chatcmpl-${id}`,
    object: 'chat.completion',
    created,
    model,
    choices: generations.map(({ text, reasoning, finish_reason, logprobs, tool_calls: calls = [] }, index) => ({
      index,
      message: {
        ...{ role: 'assistant', content: contentOf(text, calls), refusal: null },
        ...(includeReasoning && reasoning !== undefined ? { reasoning_content: reasoning } : {}),
        ...callsOf(calls, isLegacy),
      },
      logprobs: chatLogprobs(logprobs),
      finish_reason: finishReasonOf(finish_reason, isLegacy),
    })),
    usage: usageOf(generations, generations.length),
    system_fingerprint: null,
  };
}

function contentOf(text: string, calls: readonly unknown[]): string | null {
  return text === '' && calls.length > 0 ? null : text;
}

/** The field of a message or a delta that holds calls. */
function callsOf(calls: readonly (ReplyToolCall | ToolCallDelta)[], isLegacy: boolean): JsonObject {
  const [first] = calls;
  if (first === undefined) return {};
  return isLegacy ? { function_call: first.function } : { tool_calls: calls };
}

function finishReasonOf(reason: string, isLegacy: boolean): string {
  return isLegacy && reason === 'tool_calls' ? 'function_call' : reason;
}

function chatLogprobs(logprobs: readonly TokenLogprob[] | undefined): unknown {
  if (logprobs === undefined) return null;
  const candidate = ({ token, logprob, bytes }: Candidate): unknown => ({ token, logprob, bytes });
  return {
    content: logprobs.map(({ token, logprob, bytes, top_logprobs: top }) => ({
      token,
      logprob,
      bytes,
      top_logprobs: top.map(candidate),
    })),
    refusal: null,
  };
}

interface Choice {
  readonly delta: Readonly<Record<string, unknown>>;
  readonly finishReason?: string;
  readonly logprobs?: readonly TokenLogprob[] | undefined;
  readonly usage?: Usage | undefined;
}

/** https://platform.openai.com/docs/api-reference/chat-streaming */
export class ChatStream implements StreamEncoder {
  readonly #head: Readonly<Record<string, unknown>>;
  readonly #usage: ChatOptions['usage'];
  readonly #includeReasoning: boolean;
  readonly #isLegacy: boolean;
  readonly #sent = new SentText();
  readonly #thoughts = new SentText();
  readonly #lastUsage: LastUsage;

  constructor({ id, model, created }: AnswerHead, { usage, choices, includeReasoning, isLegacy = false }: ChatOptions) {
    this.#head = {
      id: `chatcmpl-${id}`,
      object: 'chat.completion.chunk',
      created,
      model,
      system_fingerprint: null,
    };
    this.#usage = usage;
    this.#includeReasoning = includeReasoning;
    this.#isLegacy = isLegacy;
    this.#lastUsage = new LastUsage(choices, choices);
  }

  piece(index: number, piece: GenerationPiece): string[] {
    const { text, reasoning = '', logprobs, tool_calls: calls = [] } = piece;
    const isFirst = this.#sent.isFirst(index);
    this.#sent.add(index, text);
    this.#thoughts.add(index, reasoning);
    // Behind calls there are tokens without a text.
    if (!isFirst && logprobs === undefined && text === '' && reasoning === '' && calls.length === 0) return [];
    const content = text === '' && calls.length > 0 ? null : '';
    const role = isFirst ? [this.#chunk(index, { delta: { role: 'assistant', content } })] : [];
    const deltas = this.#deltas({ text, reasoning, calls });
    return [
      ...role,
      ...deltas.map((delta, at) => this.#chunk(index, { delta, logprobs: at === 0 ? logprobs : undefined })),
    ];
  }

  #deltas({
    text,
    reasoning,
    calls,
  }: {
    text: string;
    reasoning: string;
    calls: readonly ToolCallDelta[];
  }): JsonObject[] {
    const isEmpty = text === '' && reasoning === '' && calls.length === 0;
    return [
      ...(reasoning !== '' && this.#includeReasoning ? [{ reasoning_content: reasoning }] : []),
      ...(text !== '' || isEmpty ? [{ content: text }] : []),
      ...(calls.length > 0 ? [callsOf(calls, this.#isLegacy)] : []),
    ];
  }

  done(index: number, generation: Generation): string[] {
    const { text, reasoning: thoughts = '', logprobs, tool_calls: calls = [] } = generation;
    const finishReason = finishReasonOf(generation.finish_reason, this.#isLegacy);
    const rest = this.#sent.rest(index, text);
    const reasoning = this.#thoughts.rest(index, thoughts);
    const isWhole = this.#sent.isFirst(index);
    const whole = {
      ...(logprobs === undefined ? {} : { logprobs }),
      tool_calls: calls.map((call, place) => ({ index: place, ...call })),
    };
    const last =
      rest === '' && reasoning === '' && !isWhole
        ? []
        : this.piece(index, { text: rest, reasoning, ...(isWhole ? whole : {}) });
    const usage = this.#lastUsage.ended(index, generation);
    return [...last, this.#chunk(index, { delta: {}, finishReason, usage })];
  }

  end(generations: readonly Generation[]): string[] {
    const usage = { ...this.#head, choices: [], usage: usageOf(generations, generations.length) };
    return [...(this.#usage === 'end' ? [JSON.stringify(usage)] : []), '[DONE]'];
  }

  #chunk(index: number, { delta, finishReason, logprobs, usage }: Choice): string {
    return JSON.stringify({
      ...this.#head,
      choices: [{ index, delta, logprobs: chatLogprobs(logprobs), finish_reason: finishReason ?? null }],
      ...usageField(this.#usage, usage),
    });
  }
}
