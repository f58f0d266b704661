import { z } from 'zod';
import { ServerError } from '../../errors.ts';
import { once } from '../../once.ts';
import type { ReplyToolCall, ToolCallDelta } from '../../tasks/chat/tools/call-draft.ts';
import type { Reply } from '../../tasks/task.ts';
import { count } from './answer-schema.ts';
import { text } from './body-schema.ts';
import type { AnswerStream, ModelFacts, StreamEvent } from './operation.ts';
import { replyJson } from './reply-json.ts';
import { allReplies, type ItemResult } from './results.ts';

/** The replies of tasks that write texts (docs/tasks.md), and what the APIs have in common in telling them. */

/** These tasks. Models that go on with a text come first where a request names none. */
export const WRITERS = ['chat', 'text2text-generation', 'summarization', 'translation'] as const;

export function isWriter({ description: { task } }: ModelFacts): boolean {
  return WRITERS.some((one) => one === task);
}

export interface Candidate {
  readonly token: string;
  readonly id: number;
  readonly logprob: number | null;
  readonly bytes: readonly number[] | null;
}
export interface TokenLogprob extends Candidate {
  readonly top_logprobs: readonly Candidate[];
}
export interface Generation {
  readonly text: string;
  /** What the model thought before it answered, where it marks that. */
  readonly reasoning?: string;
  readonly reasoning_tokens?: number;
  /** Length of the echoed prompt in the text, in UTF-16 units; absent without an echo. */
  readonly echo_length?: number;
  readonly finish_reason: string;
  /** The tools that the model called. */
  readonly tool_calls?: readonly ReplyToolCall[];
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly logprobs?: readonly TokenLogprob[];
  /** Of the tokens of an echoed prompt; the first has no log probability. */
  readonly prompt_logprobs?: readonly TokenLogprob[];
}

/** One piece of a text that is being written. */
export interface GenerationPiece {
  readonly text: string;
  readonly reasoning?: string;
  readonly logprobs?: readonly TokenLogprob[];
  readonly tool_calls?: readonly ToolCallDelta[];
}

/** The generation of a request with one item. Throws the item's error, and INTERNAL if there is none. */
export function onlyGeneration(results: readonly ItemResult[]): Generation {
  const [reply] = allReplies(results);
  if (reply === undefined) throw new ServerError('INTERNAL');
  return readGeneration(reply);
}

/** The generation in a reply. Throws INTERNAL if there is none. */
export function readGeneration(reply: Reply): Generation {
  const value = replyJson(reply) as Partial<Generation> | null;
  if (typeof value?.text !== 'string' || typeof value.finish_reason !== 'string')
    throw new ServerError('INTERNAL', undefined, { cause: new Error('the task gave no generation') });
  return value as Generation;
}

export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly completion_tokens_details?: { readonly reasoning_tokens: number };
}

export const USAGE = once(() =>
  z
    .object({
      ...{ prompt_tokens: count, completion_tokens: count, total_tokens: count },
      completion_tokens_details: z.object({ reasoning_tokens: count }).optional(),
    })
    .meta({ id: 'Usage' }),
);

/** Why a text has ended. */
export const FINISH_REASON = once(() => z.enum(['stop', 'length', 'tool_calls', 'function_call']));

/** How likely a token was, as chats and responses tell it: it and the likeliest ones in its place. */
export const TOKEN_LOGPROB = once(() => {
  const candidate = { token: text, logprob: z.number().nullable(), bytes: z.array(count).nullable() };
  return z.object({ ...candidate, top_logprobs: z.array(z.object(candidate)) }).meta({ id: 'TokenLogprob' });
});

/** Token counts of a request: a prompt counts once, however many choices it has. The choices of a prompt are next to each other. */
export function usageOf(generations: readonly Generation[], choices: number): Usage {
  let prompt = 0;
  let completion = 0;
  let reasoning = 0;
  for (const [index, generation] of generations.entries()) {
    if (index % choices === 0) prompt += generation.prompt_tokens;
    completion += generation.completion_tokens;
    reasoning += generation.reasoning_tokens ?? 0;
  }
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    ...(reasoning === 0 ? {} : { completion_tokens_details: { reasoning_tokens: reasoning } }),
  };
}

/** The token counts of a request, told with the last of its generations to end. */
export class LastUsage {
  readonly #choices: number;
  readonly #ended: Generation[] = [];
  #left: number;

  /** `count` generations in all, `choices` of each prompt. */
  constructor(count: number, choices: number) {
    this.#choices = choices;
    this.#left = count;
  }

  /** A generation has ended; gives the counts of all once there are no more. */
  ended(index: number, generation: Generation): Usage | undefined {
    this.#ended[index] = generation;
    this.#left -= 1;
    return this.#left === 0 ? usageOf(this.#ended, this.#choices) : undefined;
  }
}

/** Writes generations piece by piece. */
export interface StreamEncoder {
  /** A piece of an item, as the task gives it. */
  piece(index: number, piece: GenerationPiece): StreamEvent[];
  /** The rest of an item that is done, and how it ended. */
  done(index: number, generation: Generation): StreamEvent[];
  /** What follows when all items are done. */
  end(generations: readonly Generation[]): StreamEvent[];
  fail?(error: ServerError): StreamEvent[];
}

/** The stream of an answer that is made of generations. */
export function generationStream(encoder: StreamEncoder, field?: string): AnswerStream {
  return {
    piece: (index, event) => encoder.piece(index, event as GenerationPiece),
    done: (index, reply) => encoder.done(index, readGeneration(reply)),
    end: (results) => encoder.end(allReplies(results, field).map(readGeneration)),
    ...(encoder.fail === undefined ? {} : { fail: (error) => encoder.fail?.(error) ?? [] }),
  };
}

/** Records what has been sent of each item, so that the rest can be sent at the end. */
export class SentText {
  readonly #texts = new Map<number, string>();

  /** True for the first piece of an item. */
  isFirst(index: number): boolean {
    return !this.#texts.has(index);
  }

  add(index: number, text: string): void {
    this.#texts.set(index, (this.#texts.get(index) ?? '') + text);
  }

  /** What was sent of an item. */
  text(index: number): string {
    return this.#texts.get(index) ?? '';
  }

  /** What is still to be sent of the whole text: all of it, if the task gave no pieces. */
  rest(index: number, text: string): string {
    const sent = this.#texts.get(index) ?? '';
    return text.startsWith(sent) ? text.slice(sent.length) : '';
  }
}
