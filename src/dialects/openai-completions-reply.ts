import {
  SentText,
  usageOf,
  type AnswerHead,
  type Generation,
  type GenerationPiece,
  type StreamEncoder,
  type TokenLogprob,
} from './generation-reply.ts';
import type { CompletionsOptions } from './openai-completions.ts';

/** https://platform.openai.com/docs/api-reference/completions/object */
export function encodeCompletions(
  head: AnswerHead,
  generations: readonly Generation[],
  { choices }: Pick<CompletionsOptions, 'choices'>,
): unknown {
  return {
    ...objectHead(head),
    choices: generations.map(({ text, finish_reason, logprobs, echo_length: echoed = 0 }, index) => ({
      text,
      index,
      logprobs: legacyLogprobs(logprobs, echoed),
      finish_reason,
    })),
    usage: usageOf(generations, choices),
  };
}

function objectHead({ id, model, created }: AnswerHead): Readonly<Record<string, unknown>> {
  return { id: `cmpl-${id}`, object: 'text_completion', created, model, system_fingerprint: null };
}

/** The lists of the older API; offsets count the text's characters from `offset` on. */
function legacyLogprobs(logprobs: readonly TokenLogprob[] | undefined, offset: number): unknown {
  if (logprobs === undefined) return null;
  let at = offset;
  const offsets = logprobs.map(({ token }) => {
    const start = at;
    at += token.length;
    return start;
  });
  return {
    tokens: logprobs.map(({ token }) => token),
    token_logprobs: logprobs.map(({ logprob }) => logprob),
    top_logprobs: logprobs.map(({ top_logprobs: top }) =>
      Object.fromEntries(top.map(({ token, logprob }) => [token, logprob])),
    ),
    text_offset: offsets,
  };
}

/** Chunks have the shape of the whole answer. */
export class CompletionsStream implements StreamEncoder {
  readonly #head: Readonly<Record<string, unknown>>;
  readonly #options: CompletionsOptions;
  readonly #sent = new SentText();

  constructor(head: AnswerHead, options: CompletionsOptions) {
    this.#head = objectHead(head);
    this.#options = options;
  }

  piece(index: number, piece: GenerationPiece): string[] {
    const offset = this.#sent.length(index);
    this.#sent.add(index, piece.text);
    return [this.#chunk(index, piece, { offset })];
  }

  done(index: number, { text, finish_reason: finishReason, logprobs }: Generation): string[] {
    const offset = this.#sent.length(index);
    const isWhole = this.#sent.isFirst(index);
    const rest = {
      text: this.#sent.rest(index, text),
      ...(isWhole && logprobs !== undefined ? { logprobs } : {}),
    };
    return [this.#chunk(index, rest, { offset, finishReason })];
  }

  end(generations: readonly Generation[]): string[] {
    const { includeUsage, choices } = this.#options;
    const usage = { ...this.#head, choices: [], usage: usageOf(generations, choices) };
    return [...(includeUsage ? [JSON.stringify(usage)] : []), '[DONE]'];
  }

  #chunk(
    index: number,
    { text, logprobs }: GenerationPiece,
    { offset, finishReason }: { offset: number; finishReason?: string },
  ): string {
    const choice = { text, index, logprobs: legacyLogprobs(logprobs, offset), finish_reason: finishReason ?? null };
    return JSON.stringify({
      ...this.#head,
      choices: [choice],
      ...(this.#options.includeUsage ? { usage: null } : {}),
    });
  }
}
