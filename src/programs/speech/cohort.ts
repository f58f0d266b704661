import type { SpeechTokens } from '../../tasks/transcription/speech-work.ts';
import { UNKNOWN_LANGUAGE } from '../../tasks/transcription/speech-work.ts';
import type { Tensor } from '../../tensors/tensor.ts';
import { float32, fromTypedArray } from '../../tensors/tensor.ts';
import { logSumExp } from '../sampler/log-softmax.ts';
import { argmax } from '../sampler/ranking.ts';
import { plainSampling, TokenSampler } from '../sampler/token-sampler.ts';
import type { Logits, SpeechDecoder } from './decoder.ts';
import type { DecoderCache } from './decoder-cache.ts';
import { hiddenOf } from './encoder.ts';
import type { EncodedWindow } from './encoding.ts';
import { chooseToken, type Written } from './token-choice.ts';

/** A window being written. */
interface WindowText extends Written {
  readonly id: number;
  readonly tokens: number[];
  readonly maxTokens: number;
  readonly language: number;
  readonly noSpeechProb: number;
  sumLogprob: number;
}

/** A window that is done: its outputs in signature order. */
export interface Done {
  readonly id: number;
  readonly outputs: readonly Tensor[];
}

/**
 * Windows whose text is written together. The decoder has no mask for missing tokens, so all rows of a run must have texts of one length. Windows
 * that began together stay together, and leave when they are done.
 */
export class Cohort {
  readonly #decoder: SpeechDecoder;
  readonly #tokens: SpeechTokens;
  readonly #rows: WindowText[];
  readonly #cache: DecoderCache;

  private constructor(
    decoder: SpeechDecoder,
    tokens: SpeechTokens,
    state: { rows: WindowText[]; cache: DecoderCache },
  ) {
    this.#decoder = decoder;
    this.#tokens = tokens;
    this.#rows = state.rows;
    this.#cache = state.cache;
  }

  /** Begins the texts of windows whose prompts have one length. Throws what ONNX Runtime throws. */
  static async begin(
    decoder: SpeechDecoder,
    tokens: SpeechTokens,
    windows: readonly EncodedWindow[],
  ): Promise<{ cohort: Cohort; done: Done[] }> {
    const hidden = hiddenOf(windows.map(({ encoded }) => encoded));
    const prompts = windows.map(({ parameters }) => [...parameters.prompt]);
    if (prompts.some((prompt) => prompt.includes(UNKNOWN_LANGUAGE))) {
      const [heard] = await decoder.begin(
        prompts.map(() => [tokens.start]),
        hidden,
      );
      for (const [row, prompt] of prompts.entries()) {
        const place = prompt.indexOf(UNKNOWN_LANGUAGE);
        if (place >= 0) prompt[place] = likeliestLanguage(rowOf(heard, row, 0), tokens);
      }
    }
    const [logits, cache] = await decoder.begin(prompts, hidden);
    const rows = windows.map(({ id, parameters }, row): WindowText => {
      const prompt = prompts[row] ?? [];
      const start = prompt.lastIndexOf(tokens.start);
      return {
        id,
        tokens: [],
        timestamps: parameters.timestamps,
        sampler: new TokenSampler(plainSampling(parameters.temperature, parameters.seed), []),
        maxTokens: parameters.maxTokens,
        language: tokens.transcribe === undefined ? -1 : (prompt[start + 1] ?? -1),
        noSpeechProb: noSpeechProb(rowOf(logits, row, start), tokens),
        sumLogprob: 0,
      };
    });
    const cohort = new Cohort(decoder, tokens, { rows, cache });
    return { cohort, done: cohort.#take(logits) };
  }

  get size(): number {
    return this.#rows.length;
  }

  get ids(): number[] {
    return this.#rows.map(({ id }) => id);
  }

  /** Writes one more token for every row. Throws what ONNX Runtime throws. */
  async step(): Promise<Done[]> {
    const last = this.#rows.map(({ tokens }) => tokens.at(-1) ?? this.#tokens.end);
    return this.#take(await this.#decoder.step(last, this.#cache));
  }

  /** Drops the windows that do not stay. */
  keepOnly(stays: (id: number) => boolean): void {
    for (let row = this.#rows.length - 1; row >= 0; row -= 1) {
      const id = this.#rows[row]?.id;
      if (id === undefined || !stays(id)) this.#remove(row);
    }
  }

  /** Two cohorts of its windows in order; this one must not be used any more. */
  halves(): [Cohort, Cohort] {
    const half = Math.ceil(this.size / 2);
    const part = (from: number, to: number): Cohort =>
      new Cohort(this.#decoder, this.#tokens, {
        rows: this.#rows.slice(from, to),
        cache: this.#cache.slice(from, to),
      });
    return [part(0, half), part(half, this.size)];
  }

  #take(logits: Logits): Done[] {
    const done: Done[] = [];
    for (const [row, state] of this.#rows.entries()) {
      const { token, logprob } = chooseToken(rowOf(logits, row, logits.positions - 1), state, this.#tokens);
      state.tokens.push(token);
      state.sumLogprob += logprob;
    }
    for (let row = this.#rows.length - 1; row >= 0; row -= 1) {
      const state = this.#rows[row];
      if (state === undefined || !this.#isDone(state)) continue;
      done.push({ id: state.id, outputs: outputsOf(state) });
      this.#remove(row);
    }
    return done;
  }

  #isDone({ tokens, maxTokens }: WindowText): boolean {
    return tokens.length >= maxTokens || tokens.at(-1) === this.#tokens.end;
  }

  /** Removes a row as the cache does: the last one moves into its place. */
  #remove(row: number): void {
    const last = this.#rows.pop();
    if (last !== undefined && row < this.#rows.length) this.#rows[row] = last;
    this.#cache.remove(row);
  }
}

function rowOf({ values, positions, vocabulary }: Logits, row: number, position: number): Float32Array {
  const from = (row * positions + position) * vocabulary;
  return values.subarray(from, from + vocabulary);
}

function likeliestLanguage(logits: Float32Array, { languages }: SpeechTokens): number {
  const ids = Object.values(languages);
  return ids[argmax(Float32Array.from(ids, (id) => logits[id] ?? -Infinity))] ?? -1;
}

function noSpeechProb(logits: Float32Array, { noSpeech }: SpeechTokens): number {
  const value = noSpeech === undefined ? undefined : logits[noSpeech];
  return value === undefined ? NaN : Math.exp(value - logSumExp(logits));
}

/** The mean log probability counts the end token as one whether it came or not, as Whisper's own decoder does. */
function outputsOf({ tokens, sumLogprob, noSpeechProb, language }: WindowText): Tensor[] {
  const stats = Float32Array.of(sumLogprob / Math.max(1, tokens.length), noSpeechProb, language);
  return [fromTypedArray('INT32', [1, tokens.length], Int32Array.from(tokens)), float32([1, 3], stats)];
}
