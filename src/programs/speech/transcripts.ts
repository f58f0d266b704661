import type { TicketOutcome } from '../../lanes/protocol.ts';
import type { SpeechParameters, SpeechTokens } from '../../tasks/transcription/speech-work.ts';
import { UNKNOWN_LANGUAGE } from '../../tasks/transcription/speech-work.ts';
import { float32, fromTypedArray } from '../../tensors/tensor.ts';
import { Cohort, GOES_ON, IS_DONE, rowOf, type Begun, type Done, type Writer } from '../encoder-decoder/cohort.ts';
import type { CrossDecoder } from '../encoder-decoder/decoder.ts';
import { hiddenOf } from '../encoder-decoder/encoded.ts';
import type { Texts } from '../encoder-decoder/writing.ts';
import { logSumExp } from '../sampler/log-softmax.ts';
import { argmax } from '../sampler/ranking.ts';
import { plainSampling, TokenSampler } from '../sampler/token-sampler.ts';
import type { Alignment, EncodedWindow } from './alignment.ts';
import { chooseToken } from './token-choice.ts';

/** Most bytes of a first pass's logits, which are those of all tokens of the prompts. */
const PROMPT_LOGITS_BYTES = 256 * 2 ** 20;
/** Timestamp tokens, the last of a vocabulary: one for each 0.02 s of a window, both ends included. */
const TIMESTAMPS = 1501;

/** The texts of windows of audio. */
export class Transcripts implements Texts<EncodedWindow> {
  readonly #decoder: CrossDecoder;
  readonly #tokens: SpeechTokens;
  readonly #alignment: Alignment;
  /** Windows that are to be aligned once they are written. */
  readonly #toAlign = new Map<number, EncodedWindow>();

  constructor(decoder: CrossDecoder, tokens: SpeechTokens, alignment: Alignment) {
    this.#decoder = decoder;
    this.#tokens = tokens;
    this.#alignment = alignment;
  }

  keepOnly(stays: (id: number) => boolean): void {
    for (const id of this.#toAlign.keys()) if (!stays(id)) this.#toAlign.delete(id);
  }

  /** Windows whose prompts have one length. */
  groups(windows: readonly EncodedWindow[], cohortRows: number): EncodedWindow[][] {
    const byLength = new Map<number, EncodedWindow[]>();
    for (const window of windows) {
      const { length } = window.parameters.prompt;
      byLength.set(length, [...(byLength.get(length) ?? []), window]);
    }
    return [...byLength].flatMap(([length, all]) => {
      const vocabulary = this.#tokens.timestampBegin + TIMESTAMPS;
      const fitting = Math.max(1, Math.floor(PROMPT_LOGITS_BYTES / (length * vocabulary * 4)));
      const rows = Math.min(cohortRows, fitting);
      return Array.from({ length: Math.ceil(all.length / rows) }, (_, part) =>
        all.slice(part * rows, (part + 1) * rows),
      );
    });
  }

  async begin(windows: readonly EncodedWindow[]): Promise<Begun> {
    for (const window of windows) if (window.parameters.alignFrames !== undefined) this.#toAlign.set(window.id, window);
    const tokens = this.#tokens;
    const hidden = hiddenOf(windows.map(({ encoded }) => encoded));
    const prompts = windows.map(({ parameters }) => [...parameters.prompt]);
    if (prompts.some((prompt) => prompt.includes(UNKNOWN_LANGUAGE))) {
      const starts = prompts.map(() => [tokens.start]);
      const [heard] = await this.#decoder.begin(starts, hidden);
      for (const [row, prompt] of prompts.entries()) {
        const place = prompt.indexOf(UNKNOWN_LANGUAGE);
        if (place >= 0) prompt[place] = likeliestLanguage(rowOf(heard, row, 0), tokens);
      }
    }
    return Cohort.begin(this.#decoder, { prompts, hidden }, (logits) =>
      windows.map(({ id, parameters }, row) => {
        const prompt = prompts[row] ?? [];
        const start = prompt.lastIndexOf(tokens.start);
        return new WindowWriter(id, parameters, {
          tokens,
          language: tokens.transcribe === undefined ? -1 : (prompt[start + 1] ?? -1),
          noSpeechProb: noSpeechProb(rowOf(logits, row, start), tokens),
        });
      }),
    );
  }

  end({ id, outcome }: Done): TicketOutcome {
    const window = this.#toAlign.get(id);
    this.#toAlign.delete(id);
    if (window === undefined || !('outputs' in outcome)) return outcome;
    return this.#alignment.add(window, outcome.outputs) ? { ok: true, more: true } : outcome;
  }
}

interface Heard {
  readonly tokens: SpeechTokens;
  readonly language: number;
  readonly noSpeechProb: number;
}

/** Writes the text of a window. */
class WindowWriter implements Writer {
  readonly id: number;
  readonly #parameters: SpeechParameters;
  readonly #heard: Heard;
  readonly #sampler: TokenSampler;
  readonly #written: number[] = [];
  #sumLogprob = 0;

  constructor(id: number, parameters: SpeechParameters, heard: Heard) {
    this.id = id;
    this.#parameters = parameters;
    this.#heard = heard;
    this.#sampler = new TokenSampler(plainSampling(parameters.temperature, parameters.seed), []);
  }

  get last(): readonly number[] {
    return this.#written.slice(-1);
  }

  take([logits = new Float32Array(0)]: readonly Float32Array[]): readonly number[] {
    const { tokens } = this.#heard;
    const { timestamps, maxTokens } = this.#parameters;
    const written = { tokens: this.#written, timestamps, sampler: this.#sampler };
    const { token, logprob } = chooseToken(logits, written, tokens);
    this.#written.push(token);
    this.#sumLogprob += logprob;
    return this.#written.length >= maxTokens || token === tokens.end ? IS_DONE : GOES_ON;
  }

  /** The mean log probability counts the end token as one whether it came or not, as Whisper's own decoder does. */
  outcome(): TicketOutcome {
    const { noSpeechProb: none, language } = this.#heard;
    const written = this.#written;
    const stats = Float32Array.of(this.#sumLogprob / Math.max(1, written.length), none, language);
    const tokens = fromTypedArray('INT32', [1, written.length], Int32Array.from(written));
    return { ok: true, outputs: [tokens, float32([1, 3], stats)] };
  }
}

function likeliestLanguage(logits: Float32Array, { languages }: SpeechTokens): number {
  const ids = Object.values(languages);
  return ids[argmax(Float32Array.from(ids, (id) => logits[id] ?? -Infinity))] ?? -1;
}

function noSpeechProb(logits: Float32Array, { noSpeech }: SpeechTokens): number {
  const value = noSpeech === undefined ? undefined : logits[noSpeech];
  return value === undefined ? NaN : Math.exp(value - logSumExp(logits));
}
