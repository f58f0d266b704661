import {
  LastUsage,
  SentText,
  usageOf,
  type Candidate,
  type Generation,
  type GenerationPiece,
  type StreamEncoder,
  type TokenLogprob,
  type Usage,
} from '../shared/generation-reply.ts';
import type { AnswerHead } from '../shared/operation.ts';
import type { ChatOptions } from './chat.ts';
import { usageField } from './sampling.ts';

/** https://platform.openai.com/docs/api-reference/chat/object */
export function encodeChat(
  { id, model, created }: AnswerHead,
  generations: readonly Generation[],
  { includeReasoning }: Pick<ChatOptions, 'includeReasoning'>,
): unknown {
  return {
    id: `chatcmpl-${id}`,
    object: 'chat.completion',
    created,
    model,
    choices: generations.map(({ text, reasoning, finish_reason, logprobs }, index) => ({
      index,
      message: {
        ...{ role: 'assistant', content: text, refusal: null },
        ...(includeReasoning && reasoning !== undefined ? { reasoning_content: reasoning } : {}),
      },
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
  readonly usage?: Usage | undefined;
}

/** https://platform.openai.com/docs/api-reference/chat-streaming */
export class ChatStream implements StreamEncoder {
  readonly #head: Readonly<Record<string, unknown>>;
  readonly #usage: ChatOptions['usage'];
  readonly #includeReasoning: boolean;
  readonly #sent = new SentText();
  readonly #thoughts = new SentText();
  readonly #lastUsage: LastUsage;

  constructor({ id, model, created }: AnswerHead, { usage, choices, includeReasoning }: ChatOptions) {
    this.#head = {
      id: `chatcmpl-${id}`,
      object: 'chat.completion.chunk',
      created,
      model,
      system_fingerprint: null,
    };
    this.#usage = usage;
    this.#includeReasoning = includeReasoning;
    this.#lastUsage = new LastUsage(choices, choices);
  }

  piece(index: number, { text, reasoning = '', logprobs }: GenerationPiece): string[] {
    const role = this.#sent.isFirst(index) ? [this.#chunk(index, { delta: { role: 'assistant', content: '' } })] : [];
    this.#sent.add(index, text);
    this.#thoughts.add(index, reasoning);
    const deltas = [
      ...(reasoning !== '' && this.#includeReasoning ? [{ reasoning_content: reasoning }] : []),
      ...(text !== '' || reasoning === '' ? [{ content: text }] : []),
    ];
    return [
      ...role,
      ...deltas.map((delta, at) => this.#chunk(index, { delta, logprobs: at === 0 ? logprobs : undefined })),
    ];
  }

  done(index: number, generation: Generation): string[] {
    const { text, reasoning: thoughts = '', finish_reason: finishReason, logprobs } = generation;
    const rest = this.#sent.rest(index, text);
    const reasoning = this.#thoughts.rest(index, thoughts);
    const isWhole = this.#sent.isFirst(index);
    const last =
      rest === '' && reasoning === '' && !isWhole
        ? []
        : this.piece(index, { text: rest, reasoning, ...(isWhole && logprobs !== undefined ? { logprobs } : {}) });
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
