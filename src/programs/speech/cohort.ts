import type { SpeechParameters, SpeechTokens } from '../../tasks/transcription/speech-work.ts';
import { UNKNOWN_LANGUAGE } from '../../tasks/transcription/speech-work.ts';
import type { Tensor } from '../../tensors/tensor.ts';
import { float32, fromTypedArray } from '../../tensors/tensor.ts';
import type { Logits, SpeechDecoder } from './decoder.ts';
import type { DecoderCache } from './decoder-cache.ts';
import { hiddenOf, type Encoded } from './encoder.ts';
import { chooseToken, logSum, seededRandom, type Written } from './token-choice.ts';

/** A window whose audio is encoded. */
export interface Listener {
  readonly id: number;
  readonly parameters: SpeechParameters;
  readonly encoded: Encoded;
}

/** A window being written. */
interface Row extends Written {
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
 * Windows whose text is written together. The decoder has no mask for what is not there, so all rows of one run have texts of one length: those
 * that began together stay together, and who is done leaves.
 */
export class Cohort {
  readonly #decoder: SpeechDecoder;
  readonly #tokens: SpeechTokens;
  readonly #rows: Row[];
  readonly #cache: DecoderCache;

  private constructor(decoder: SpeechDecoder, tokens: SpeechTokens, state: { rows: Row[]; cache: DecoderCache }) {
    this.#decoder = decoder;
    this.#tokens = tokens;
    this.#rows = state.rows;
    this.#cache = state.cache;
  }

  /** Begins with windows whose prompts have one length. Throws what ONNX Runtime throws. */
  static async begin(
    decoder: SpeechDecoder,
    tokens: SpeechTokens,
    listeners: readonly Listener[],
  ): Promise<{ cohort: Cohort; done: Done[] }> {
    const hidden = hiddenOf(listeners.map(({ encoded }) => encoded));
    const prompts = listeners.map(({ parameters }) => [...parameters.prompt]);
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
    const rows = listeners.map(({ id, parameters }, row): Row => {
      const prompt = prompts[row] ?? [];
      const start = prompt.lastIndexOf(tokens.start);
      return {
        id,
        tokens: [],
        timestamps: parameters.timestamps,
        temperature: parameters.temperature,
        random: seededRandom(parameters.seed),
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

  /** Lets go of the windows that nobody waits for any more. */
  keepOnly(named: ReadonlySet<number>): void {
    for (let row = this.#rows.length - 1; row >= 0; row -= 1)
      if (!named.has(this.#rows[row]?.id ?? -1)) this.#remove(row);
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

  #isDone({ tokens, maxTokens }: Row): boolean {
    return tokens.length >= maxTokens || tokens.at(-1) === this.#tokens.end;
  }

  /** As the cache does it: the last row moves into its place. */
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
  let best = -1;
  for (const id of Object.values(languages))
    if (best < 0 || (logits[id] ?? -Infinity) > (logits[best] ?? -Infinity)) best = id;
  return best;
}

function noSpeechProb(logits: Float32Array, { noSpeech }: SpeechTokens): number {
  const value = noSpeech === undefined ? undefined : logits[noSpeech];
  return value === undefined ? NaN : Math.exp(value - logSum(logits, 0, logits.length));
}

/** Mean log probability as Whisper's own decoder takes it: the end token counts as one, come or not. */
function outputsOf({ tokens, sumLogprob, noSpeechProb, language }: Row): Tensor[] {
  const stats = Float32Array.of(sumLogprob / Math.max(1, tokens.length), noSpeechProb, language);
  return [fromTypedArray('INT32', [1, tokens.length], Int32Array.from(tokens)), float32([1, 3], stats)];
}
