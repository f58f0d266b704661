import { z } from 'zod';
import { once } from '../../once.ts';
import { anything, count, numbers } from '../shared/answer-schema.ts';
import { flag, text as string } from '../shared/body-schema.ts';
import type { JsonObject } from '../../json.ts';
import { numbersText, readEmbedding } from '../shared/embedding-text.ts';
import { SentText, type Generation, type GenerationPiece, type StreamEncoder } from '../shared/generation-reply.ts';
import { JsonChunks } from '../shared/json-chunks.ts';
import type { Answer, AnswerHead, AnswerTiming } from '../shared/operation.ts';
import { allReplies, type ItemResult } from '../shared/results.ts';
import type { OllamaOptions } from './fields.ts';
import type { EmbedOptions } from './requests.ts';

/** What is told of an answer or a piece of it. */
interface Told {
  readonly text: string;
  readonly thinking?: string | undefined;
  readonly calls?: Generation['tool_calls'];
}

function headOf({ model, created }: AnswerHead): JsonObject {
  return { model, created_at: new Date(created * 1000).toISOString() };
}

function bodyOf({ text, thinking = '', calls = [] }: Told, isChat: boolean): JsonObject {
  const thoughts = thinking === '' ? {} : { thinking };
  if (!isChat) return { response: text, ...thoughts };
  const tools =
    calls.length === 0 ? {} : { tool_calls: calls.map(({ function: call }) => ({ function: withObject(call) })) };
  return { message: { role: 'assistant', content: text, ...thoughts, ...tools } };
}

/** Ollama's arguments are an object, those of the task its text. */
function withObject({ name, arguments: given }: { readonly name: string; readonly arguments: string }): JsonObject {
  try {
    return { name, arguments: JSON.parse(given) as unknown };
  } catch {
    // A call that was cut short.
    return { name, arguments: given };
  }
}

/** What an answer ends with. Without a first token there is no time for the prompt alone. */
function endOf(
  { finish_reason: reason, prompt_tokens: prompt, completion_tokens: tokens }: Generation,
  { timing = {} }: Pick<AnswerHead, 'timing'>,
): JsonObject {
  return {
    done: true,
    done_reason: reason === 'length' ? 'length' : 'stop',
    ...timesOf(timing),
    prompt_eval_count: prompt,
    prompt_eval_duration: nanoseconds(timing.promptMs),
    eval_count: tokens,
    eval_duration: nanoseconds(timing.writeMs),
  };
}

function timesOf({ totalMs, loadMs }: AnswerTiming): JsonObject {
  return { total_duration: nanoseconds(totalMs), load_duration: nanoseconds(loadMs) };
}

/** Clients read whole numbers, and 0 where there is nothing to tell. */
function nanoseconds(ms = 0): number {
  return Math.round(ms * 1e6);
}

const times = { total_duration: count, load_duration: count };

/** An answer, or a line of its stream: the last one has `done`, and how much it took. */
function generated(shape: z.ZodRawShape, id: string) {
  const end = {
    ...{ done: flag, done_reason: z.enum(['stop', 'length', 'load']), ...times },
    ...{ prompt_eval_count: count, prompt_eval_duration: count, eval_count: count, eval_duration: count },
  };
  const ends = z.object(end).partial().required({ done: true });
  return z.object({ model: string, created_at: string, ...shape, ...ends.shape }).meta({ id });
}

export const CHAT_ANSWER = once(() => {
  const call = z.object({ function: z.object({ name: string, arguments: z.union([anything, string]) }) });
  const told = { content: string, thinking: string.optional(), tool_calls: z.array(call).optional() };
  return generated({ message: z.object({ role: z.literal('assistant'), ...told }) }, 'OllamaChat');
});
export const GENERATE_ANSWER = once(() => generated({ response: string, thinking: string.optional() }, 'OllamaText'));

export function encodeGeneration(
  head: AnswerHead,
  generation: Generation,
  { isChat, isLoad }: OllamaOptions,
): JsonObject {
  if (isLoad) return { ...headOf(head), ...bodyOf({ text: '' }, isChat), done: true, done_reason: 'load' };
  const { text, reasoning: thinking, tool_calls: calls } = generation;
  const told = { text, thinking, ...(calls === undefined ? {} : { calls }) };
  return { ...headOf(head), ...bodyOf(told, isChat), ...endOf(generation, head) };
}

/** A line for each piece; calls of tools come whole, and the last line has no text. */
export class GenerationLines implements StreamEncoder {
  readonly #about: AnswerHead;
  readonly #head: JsonObject;
  readonly #isChat: boolean;
  readonly #sent = new SentText();
  readonly #thoughts = new SentText();

  constructor(head: AnswerHead, { isChat }: OllamaOptions) {
    this.#about = head;
    this.#head = headOf(head);
    this.#isChat = isChat;
  }

  piece(index: number, { text, reasoning = '' }: GenerationPiece): string[] {
    this.#sent.add(index, text);
    this.#thoughts.add(index, reasoning);
    return text === '' && reasoning === '' ? [] : [this.#line({ text, thinking: reasoning }, { done: false })];
  }

  done(index: number, generation: Generation): string[] {
    const text = this.#sent.rest(index, generation.text);
    const thinking = this.#thoughts.rest(index, generation.reasoning ?? '');
    const calls = generation.tool_calls ?? [];
    const isMore = text !== '' || thinking !== '' || calls.length > 0;
    const rest = isMore ? [this.#line({ text, thinking, calls }, { done: false })] : [];
    return [...rest, this.#line({ text: '' }, endOf(generation, this.#about))];
  }

  end(): string[] {
    return [];
  }

  #line(told: Told, end: JsonObject): string {
    return JSON.stringify({ ...this.#head, ...bodyOf(told, this.#isChat), ...end });
  }
}

export const EMBED_ANSWER = once(() =>
  z
    .object({ model: string, embeddings: z.array(numbers), ...times, prompt_eval_count: count })
    .meta({ id: 'OllamaEmbeddings' }),
);

/** The error of a bad text in a list names its index. */
export function encodeEmbed(
  results: readonly ItemResult[],
  { isList }: EmbedOptions,
  { model, timing = {} }: AnswerHead,
): Answer {
  const json = new JsonChunks();
  let tokens = 0;
  json.add(`{"model":${JSON.stringify(model)},"embeddings":[`);
  for (const [index, reply] of allReplies(results, isList ? 'input' : undefined).entries()) {
    const embedding = readEmbedding(reply);
    tokens += embedding.tokens;
    json.add(`${index === 0 ? '' : ','}${numbersText(embedding)}`);
  }
  const end = { ...timesOf(timing), prompt_eval_count: tokens };
  json.add(`],${JSON.stringify(end).slice(1)}`);
  return { contentType: 'application/json', chunks: json.finish() };
}

export const EMBEDDING_ANSWER = once(() => z.object({ embedding: numbers }));

/** `{embedding}`, of the older form. */
export function encodeEmbedding(results: readonly ItemResult[]): Answer {
  const json = new JsonChunks();
  for (const reply of allReplies(results)) json.add(`{"embedding":${numbersText(readEmbedding(reply))}}`);
  return { contentType: 'application/json', chunks: json.finish() };
}
