import { z } from 'zod';
import { once } from '../../once.ts';
import { count } from '../shared/answer-schema.ts';
import { text } from '../shared/body-schema.ts';
import {
  FINISH_REASON,
  LastUsage,
  SentText,
  USAGE,
  usageOf,
  type Candidate,
  type Generation,
  type GenerationPiece,
  type StreamEncoder,
  type TokenLogprob,
  type Usage,
} from '../shared/generation-reply.ts';
import type { AnswerHead } from '../shared/operation.ts';
import type { CompletionsOptions } from './completions.ts';
import { usageField } from './sampling.ts';
import { textOffsets } from './text-offsets.ts';

/** A text, or an event of its stream, which has the same shape; the last event is `[DONE]`. */
function completion(isChunk: boolean) {
  const logprob = z.number().nullable();
  const logprobs = z.object({
    ...{ tokens: z.array(text), token_logprobs: z.array(logprob), text_offset: z.array(count) },
    top_logprobs: z.array(z.record(z.string(), logprob).nullable()),
  });
  const reason = FINISH_REASON();
  const choice = z.object({
    ...{ text, index: count, logprobs: logprobs.nullable(), finish_reason: isChunk ? reason.nullable() : reason },
  });
  return z
    .object({
      ...{ id: text, object: z.literal('text_completion'), created: count, model: text, system_fingerprint: z.null() },
      ...{ choices: z.array(choice), usage: isChunk ? USAGE().nullable().optional() : USAGE() },
    })
    .meta({ id: isChunk ? 'CompletionChunk' : 'Completion' });
}

export const COMPLETIONS_ANSWER = once(() => completion(false));
export const COMPLETIONS_EVENT = once(() => completion(true));

/** https://platform.openai.com/docs/api-reference/completions/object */
export function encodeCompletions(
  head: AnswerHead,
  generations: readonly Generation[],
  { choices }: Pick<CompletionsOptions, 'choices'>,
): unknown {
  return {
    ...objectHead(head),
    choices: generations.map((generation, index) => ({
      text: generation.text,
      index,
      logprobs: wholeLogprobs(generation),
      finish_reason: generation.finish_reason,
    })),
    usage: usageOf(generations, choices),
  };
}

function objectHead({ id, model, created }: AnswerHead): Readonly<Record<string, unknown>> {
  return { id: `cmpl-${id}`, object: 'text_completion', created, model, system_fingerprint: null };
}

/** The lists of a whole text; an echoed prompt's tokens come first, if the task gives them. */
function wholeLogprobs({ text, logprobs, prompt_logprobs: prompt, echo_length: echoed = 0 }: Generation): unknown {
  if (logprobs === undefined) return null;
  if (prompt !== undefined) return legacyLogprobs([...prompt, ...logprobs], { text, before: '' });
  return legacyLogprobs(logprobs, { text: text.slice(echoed), before: text.slice(0, echoed) });
}

/** The lists of the older API. Offsets count characters (code points) and include the text before. */
function legacyLogprobs(
  logprobs: readonly TokenLogprob[] | undefined,
  { text, before }: { readonly text: string; readonly before: string },
): unknown {
  if (logprobs === undefined) return null;
  return {
    tokens: logprobs.map(spelling),
    token_logprobs: logprobs.map(({ logprob }) => logprob),
    // OpenAI adds the token itself if it is not among the likeliest; the first token of a text has none.
    top_logprobs: logprobs.map((own) =>
      own.logprob === null
        ? null
        : Object.fromEntries([...own.top_logprobs, own].map((one) => [spelling(one), one.logprob])),
    ),
    text_offset: textOffsets(text, logprobs, Array.from(before).length),
  };
}

/** A token's text, or its bytes, as OpenAI writes them, if it is part of a character: two parts must not look alike. */
function spelling({ token, bytes }: Candidate): string {
  if (bytes === null || !token.includes('\ufffd')) return token;
  return `bytes:${bytes.map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}`;
}

/** Chunks have the shape of the whole answer. */
export class CompletionsStream implements StreamEncoder {
  readonly #head: Readonly<Record<string, unknown>>;
  readonly #options: CompletionsOptions;
  readonly #sent = new SentText();
  readonly #lastUsage: LastUsage;

  constructor(head: AnswerHead, options: CompletionsOptions) {
    this.#head = objectHead(head);
    this.#options = options;
    this.#lastUsage = new LastUsage(options.count, options.choices);
  }

  piece(index: number, piece: GenerationPiece): string[] {
    const before = this.#sent.text(index);
    this.#sent.add(index, piece.text);
    return [this.#chunk(index, piece, { logprobs: legacyLogprobs(piece.logprobs, { text: piece.text, before }) })];
  }

  done(index: number, generation: Generation): string[] {
    const { text, finish_reason: finishReason } = generation;
    const logprobs = this.#sent.isFirst(index) ? wholeLogprobs(generation) : null;
    const usage = this.#lastUsage.ended(index, generation);
    return [this.#chunk(index, { text: this.#sent.rest(index, text) }, { logprobs, finishReason, usage })];
  }

  end(generations: readonly Generation[]): string[] {
    const { usage: where, choices } = this.#options;
    const usage = { ...this.#head, choices: [], usage: usageOf(generations, choices) };
    return [...(where === 'end' ? [JSON.stringify(usage)] : []), '[DONE]'];
  }

  #chunk(
    index: number,
    { text }: GenerationPiece,
    { logprobs, finishReason, usage }: { logprobs: unknown; finishReason?: string; usage?: Usage | undefined },
  ): string {
    const choice = { text, index, logprobs, finish_reason: finishReason ?? null };
    return JSON.stringify({
      ...this.#head,
      choices: [choice],
      ...usageField(this.#options.usage, usage),
    });
  }
}
