import {
  SentText,
  usageOf,
  type Candidate,
  type Generation,
  type GenerationPiece,
  type StreamEncoder,
  type TokenLogprob,
} from '../shared/generation-reply.ts';
import type { AnswerHead } from '../shared/operation.ts';
import type { ChatOptions } from './chat.ts';

/** https://platform.openai.com/docs/api-reference/chat/object */
export function encodeChat({ id, model, created }: AnswerHead, generations: readonly Generation[]): unknown {
  return {
    id: `chatcmpl-${id}`,
    object: 'chat.completion',
    created,
    model,
    choices: generations.map(({ text, finish_reason, logprobs }, index) => ({
      index,
      message: { role: 'assistant', content: text, refusal: null },
      logprobs: chatLogprobs(logprobs),
      finish_reason,
    })),
    usage: usageOf(generations, generations.length),
    system_fingerprint: null,
  };
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
}

/** https://platform.openai.com/docs/api-reference/chat-streaming */
export class ChatStream implements StreamEncoder {
  readonly #head: Readonly<Record<string, unknown>>;
  readonly #includeUsage: boolean;
  readonly #sent = new SentText();

  constructor({ id, model, created }: AnswerHead, { includeUsage }: ChatOptions) {
    this.#head = {
      id: `chatcmpl-${id}`,
      object: 'chat.completion.chunk',
      created,
      model,
      system_fingerprint: null,
    };
    this.#includeUsage = includeUsage;
  }

  piece(index: number, { text, logprobs }: GenerationPiece): string[] {
    const role = this.#sent.isFirst(index) ? [this.#chunk(index, { delta: { role: 'assistant', content: '' } })] : [];
    this.#sent.add(index, text);
    return [...role, this.#chunk(index, { delta: { content: text }, logprobs })];
  }

  done(index: number, { text, finish_reason: finishReason, logprobs }: Generation): string[] {
    const rest = this.#sent.rest(index, text);
    const isWhole = this.#sent.isFirst(index);
    const last =
      rest === '' && !isWhole
        ? []
        : this.piece(index, { text: rest, ...(isWhole && logprobs !== undefined ? { logprobs } : {}) });
    return [...last, this.#chunk(index, { delta: {}, finishReason })];
  }

  end(generations: readonly Generation[]): string[] {
    const usage = { ...this.#head, choices: [], usage: usageOf(generations, generations.length) };
    return [...(this.#includeUsage ? [JSON.stringify(usage)] : []), '[DONE]'];
  }

  #chunk(index: number, { delta, finishReason, logprobs }: Choice): string {
    return JSON.stringify({
      ...this.#head,
      choices: [{ index, delta, logprobs: chatLogprobs(logprobs), finish_reason: finishReason ?? null }],
      ...(this.#includeUsage ? { usage: null } : {}),
    });
  }
}
