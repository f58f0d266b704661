import { shortFloat32 } from '../../tensors/float-text.ts';
import { typedView, type Tensor } from '../../tensors/tensor.ts';
import type { Outputs, Reply } from '../task.ts';
import type { TextTokenizer } from '../text/tokenizer.ts';
import type { GenerationProgress, TokenLogprob } from './generation.ts';
import { ReasoningSplit, type Part, type Thinking } from './reasoning.ts';
import { StopTexts } from './stop-texts.ts';
import { TextStream } from './text-stream.ts';
import { tokenBytes } from './token-bytes.ts';
import type { ToolCallDelta } from './tools/call-draft.ts';
import { CallParser, type CallRules } from './tools/call-parser.ts';
import { toolFormat, type ToolFormatName } from './tools/formats.ts';

/** What an item's answer needs from its preparation; structured-cloneable. */
export interface AnswerMemo {
  readonly promptTokens: number;
  /** Tokens that end the answer and are no part of it. */
  readonly stopTokens: readonly number[];
  readonly stop: readonly string[];
  /** What ended the answer, token or text, is part of it. */
  readonly keepsStop?: boolean;
  /** Stop texts are not looked for before the answer has so many tokens. */
  readonly minTokens?: number;
  /** The model may think before it answers, between these marks. */
  readonly thinking?: Thinking;
  readonly logprobs: boolean;
  /** Comes before the answer. */
  readonly echo: string;
  /** The prompt's tokens, where their log probabilities are wanted. */
  readonly prompt?: readonly number[];
  /** Where the model may call tools. */
  readonly tools?: ToolMemo;
}

/** What an answer that may call tools needs to know of them. */
export interface ToolMemo extends Omit<CallRules, 'format' | 'inPieces'> {
  readonly format: ToolFormatName;
  /** Special tokens that mark calls. */
  readonly markers: readonly number[];
}

/** A token with its log probability, in the words of OpenAI's API. */
export interface ReplyLogprob {
  readonly token: string;
  readonly id: number;
  readonly logprob: number;
  readonly bytes: readonly number[];
}
export interface ReplyTokenLogprob extends ReplyLogprob {
  readonly top_logprobs: readonly ReplyLogprob[];
}
/** A token of the prompt. Nothing predicts the first. */
export interface ReplyPromptLogprob extends Omit<ReplyTokenLogprob, 'logprob'> {
  readonly logprob: number | null;
}

/** A further piece of an answer: whole characters, no part of a stop text or a marker of calls; and the tokens that have come since the last piece. */
export interface AnswerPiece {
  readonly text: string;
  /** A piece of what the model thinks before it answers. */
  readonly reasoning?: string;
  readonly token_ids: readonly number[];
  readonly logprobs?: readonly ReplyTokenLogprob[];
  readonly tool_calls?: readonly ToolCallDelta[];
}

/** What a step adds to an answer. */
interface Told extends Part {
  readonly calls?: readonly ToolCallDelta[];
}

/** OpenAI's stand-in for a token that is not among the likely ones; JSON has no infinity. */
const LEAST_LOGPROB = -9999;

/** An answer as it grows: tokens in, pieces of text out, and the reply at the end. */
export class Answer {
  readonly #tokenizer: TextTokenizer;
  readonly #memo: AnswerMemo;
  readonly #emit: ((piece: AnswerPiece) => void) | undefined;
  readonly #stream: TextStream;
  readonly #stops: StopTexts;
  readonly #reasoning: ReasoningSplit | undefined;
  readonly #calls: CallParser | undefined;
  readonly #tokens: number[] = [];
  readonly #logprobs: ReplyTokenLogprob[] = [];
  #promptLogprobs: readonly ReplyPromptLogprob[] = [];
  #text = '';
  #thought = '';
  #emitted = 0;
  #generated = 0;
  #ended = false;

  /** Without `emit`, the answer comes as a whole. */
  constructor(tokenizer: TextTokenizer, memo: AnswerMemo, emit?: (piece: AnswerPiece) => void) {
    this.#tokenizer = tokenizer;
    this.#memo = memo;
    this.#emit = emit;
    this.#stream = new TextStream(tokenizer, memo.tools?.markers);
    this.#stops = new StopTexts(memo.stop, memo);
    this.#reasoning = memo.thinking === undefined ? undefined : new ReasoningSplit(memo.thinking, tokenizer);
    const { tools } = memo;
    if (tools !== undefined)
      this.#calls = new CallParser({ ...tools, format: toolFormat(tools.format), inPieces: emit !== undefined });
    if (memo.prompt !== undefined) this.#text = memo.echo;
    else if (memo.echo !== '') this.#tell({ text: memo.echo, reasoning: '' });
  }

  /** A stop text was met, or the only call is whole: so is the answer, whatever the model writes after it. */
  get stopped(): boolean {
    return this.#stops.stopped || this.#calls?.done === true;
  }

  get generatedTokens(): number {
    return this.#generated;
  }

  /** Takes tokens in order. */
  take({ tokens, logprobs }: GenerationProgress): void {
    for (const [index, token] of tokens.entries()) {
      if (this.#whole()) return;
      this.#generated += 1;
      if (this.#memo.stopTokens.includes(token)) {
        this.#ended = true;
        if (this.#memo.keepsStop !== true) return;
      }
      this.#tokens.push(token);
      const logprob = logprobs?.[index];
      if (logprob !== undefined) this.#logprobs.push(this.#replyLogprob(logprob));
      const piece = this.#reasoning?.spelling(token) ?? this.#stream.push(token);
      const text = this.#generated > (this.#memo.minTokens ?? 0) ? this.#stops.push(piece) : piece;
      const told = this.#split(text);
      if (told.text !== '' || told.reasoning !== '' || told.calls !== undefined || this.stopped) this.#tell(told);
    }
  }

  /** Takes the tokens that no progress has brought yet. */
  takeOutputs(outputs: Outputs): void {
    const tokens = numbers(outputs['tokens']).slice(this.#generated);
    if (!this.#memo.logprobs) {
      this.take({ tokens });
      return;
    }
    this.#takePrompt(outputs);
    const logprobs = logprobsOf(outputs, '', numbers(outputs['tokens']));
    this.take({ tokens, logprobs: logprobs.slice(this.#generated) });
  }

  #takePrompt(outputs: Outputs): void {
    const [first, ...others] = this.#memo.prompt ?? [];
    if (first === undefined) return;
    const known = logprobsOf(outputs, 'prompt_', others).map((one) => this.#replyLogprob(one));
    const { text: token, bytes } = tokenBytes(this.#tokenizer, first);
    this.#promptLogprobs = [{ token, id: first, logprob: null, bytes, top_logprobs: [] }, ...known];
  }

  /** The whole answer, once no more tokens come. */
  reply(): Reply {
    if (!this.stopped) {
      const rest = this.#stops.push(this.#stream.end());
      this.#tell(this.#split(rest + this.#stops.end()));
    }
    if (this.#reasoning !== undefined) this.#tell(this.#parse(this.#reasoning.end()));
    if (this.#calls !== undefined) this.#tell({ reasoning: '', ...this.#calls.end(!this.#whole()) });
    const called = this.#calls?.calls ?? [];
    return {
      json: {
        text: this.#text,
        ...(called.length === 0 ? {} : { tool_calls: called }),
        ...(this.#thought === '' ? {} : { reasoning: this.#thought, reasoning_tokens: this.#reasoning?.tokens }),
        ...(this.#memo.echo === '' ? {} : { echo_length: this.#memo.echo.length }),
        finish_reason: this.#whole() ? (called.length > 0 ? 'tool_calls' : 'stop') : 'length',
        prompt_tokens: this.#memo.promptTokens,
        completion_tokens: this.#generated,
        token_ids: this.#tokens,
        ...(this.#memo.logprobs ? { logprobs: this.#logprobs } : {}),
        ...(this.#memo.prompt === undefined ? {} : { prompt_logprobs: this.#promptLogprobs }),
      },
    };
  }

  #whole(): boolean {
    return this.stopped || this.#ended;
  }

  #split(text: string): Told {
    return this.#parse(this.#reasoning === undefined ? { text, reasoning: '' } : this.#reasoning.push(text));
  }

  /** Takes calls out of the text. */
  #parse({ text, reasoning }: Part): Told {
    if (this.#calls === undefined) return { text, reasoning };
    const piece = this.#calls.push(text);
    return { text: piece.text, reasoning, ...(piece.calls.length === 0 ? {} : { calls: piece.calls }) };
  }

  #tell({ text, reasoning, calls = [] }: Told): void {
    this.#text += text;
    this.#thought += reasoning;
    const tokens = this.#tokens.slice(this.#emitted);
    if (text === '' && reasoning === '' && tokens.length === 0 && calls.length === 0) return;
    const logprobs = this.#logprobs.slice(this.#emitted);
    this.#emitted = this.#tokens.length;
    this.#emit?.({
      text,
      ...(reasoning === '' ? {} : { reasoning }),
      token_ids: tokens,
      ...(this.#memo.logprobs ? { logprobs } : {}),
      ...(calls.length === 0 ? {} : { tool_calls: calls }),
    });
  }

  #replyLogprob({ id, logprob, top }: TokenLogprob): ReplyTokenLogprob {
    const one = (entry: { id: number; logprob: number }): ReplyLogprob => {
      const { text, bytes } = tokenBytes(this.#tokenizer, entry.id);
      const value = Math.max(LEAST_LOGPROB, entry.logprob);
      return { token: text, id: entry.id, logprob: shortFloat32(Math.fround(value)), bytes };
    };
    return { ...one({ id, logprob }), top_logprobs: top.map(one) };
  }
}

/** Log probabilities of tokens, from the outputs whose names begin with `prefix`. */
function logprobsOf(outputs: Outputs, prefix: '' | 'prompt_', tokens: readonly number[]): TokenLogprob[] {
  const logprobs = numbers(outputs[`${prefix}logprobs`]);
  const topTokens = numbers(outputs[`${prefix}top_tokens`]);
  const topLogprobs = numbers(outputs[`${prefix}top_logprobs`]);
  const top = logprobs.length === 0 ? 0 : topTokens.length / logprobs.length;
  return tokens.map((id, index) => {
    const start = index * top;
    const likeliest = topTokens.slice(start, start + top).map((other, place) => ({
      id: other,
      logprob: topLogprobs[start + place] ?? LEAST_LOGPROB,
    }));
    return { id, logprob: logprobs[index] ?? LEAST_LOGPROB, top: likeliest.filter((entry) => entry.id >= 0) };
  });
}

function numbers(tensor: Tensor | undefined): number[] {
  if (tensor === undefined || tensor.datatype === 'BYTES') return [];
  return Array.from(typedView(tensor) as Int32Array | Float32Array);
}
