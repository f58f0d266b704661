import type { JsonObject } from '../../json.ts';
import { numbersText, readEmbedding } from '../shared/embedding-text.ts';
import { SentText, type Generation, type GenerationPiece, type StreamEncoder } from '../shared/generation-reply.ts';
import { JsonChunks } from '../shared/json-chunks.ts';
import type { Answer, AnswerHead } from '../shared/operation.ts';
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

/** What an answer ends with. Durations are left out: the response's headers have them. */
function endOf({ finish_reason: reason, prompt_tokens: prompt, completion_tokens: count }: Generation): JsonObject {
  return {
    done: true,
    done_reason: reason === 'length' ? 'length' : 'stop',
    prompt_eval_count: prompt,
    eval_count: count,
  };
}

export function encodeGeneration(
  head: AnswerHead,
  generation: Generation,
  { isChat, isLoad }: OllamaOptions,
): JsonObject {
  if (isLoad) return { ...headOf(head), ...bodyOf({ text: '' }, isChat), done: true, done_reason: 'load' };
  const { text, reasoning: thinking, tool_calls: calls } = generation;
  const told = { text, thinking, ...(calls === undefined ? {} : { calls }) };
  return { ...headOf(head), ...bodyOf(told, isChat), ...endOf(generation) };
}

/** A line for each piece; calls of tools come whole, and the last line has no text. */
export class GenerationLines implements StreamEncoder {
  readonly #head: JsonObject;
  readonly #isChat: boolean;
  readonly #sent = new SentText();
  readonly #thoughts = new SentText();

  constructor(head: AnswerHead, { isChat }: OllamaOptions) {
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
    return [...rest, this.#line({ text: '' }, endOf(generation))];
  }

  end(): string[] {
    return [];
  }

  #line(told: Told, end: JsonObject): string {
    return JSON.stringify({ ...this.#head, ...bodyOf(told, this.#isChat), ...end });
  }
}

/** `{model, embeddings, prompt_eval_count}`; the error of a bad text in a list names its index. */
export function encodeEmbed(results: readonly ItemResult[], { isList }: EmbedOptions, { model }: AnswerHead): Answer {
  const json = new JsonChunks();
  let tokens = 0;
  json.add(`{"model":${JSON.stringify(model)},"embeddings":[`);
  for (const [index, reply] of allReplies(results, isList ? 'input' : undefined).entries()) {
    const embedding = readEmbedding(reply);
    tokens += embedding.tokens;
    json.add(`${index === 0 ? '' : ','}${numbersText(embedding)}`);
  }
  json.add(`],"prompt_eval_count":${tokens}}`);
  return { contentType: 'application/json', chunks: json.finish() };
}

/** `{embedding}`, of the older form. */
export function encodeEmbedding(results: readonly ItemResult[]): Answer {
  const json = new JsonChunks();
  for (const reply of allReplies(results)) json.add(`{"embedding":${numbersText(readEmbedding(reply))}}`);
  return { contentType: 'application/json', chunks: json.finish() };
}
