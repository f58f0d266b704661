/** What passes between the transcription task and the speech program on the lanes. */

/** In a prompt: stands for the token of the language that the program is to detect. */
export const UNKNOWN_LANGUAGE = -1;

/** A Whisper model's tokens by their meaning. Plain data. */
export interface SpeechTokens {
  readonly start: number;
  readonly end: number;
  readonly noTimestamps: number;
  /** The token of 0.00 s; each further one is 0.02 s later. All text tokens are below `end`. */
  readonly timestampBegin: number;
  readonly noSpeech: number | undefined;
  readonly startOfPrevious: number | undefined;
  /** Of a multilingual model: tokens by ISO code, and those of its two tasks; else none. */
  readonly languages: Readonly<Record<string, number>>;
  readonly transcribe: number | undefined;
  readonly translate: number | undefined;
  /** Never chosen, and never chosen first. */
  readonly suppress: readonly number[];
  readonly beginSuppress: readonly number[];
  /** The latest first timestamp, in steps of 0.02 s. */
  readonly maxInitialTimestamp: number;
  /** Heads whose attention follows the audio, [layer, head]. */
  readonly alignmentHeads: readonly (readonly [layer: number, head: number])[];
  /** Positions of the decoder: prompt and text together. */
  readonly maxPositions: number;
}

/** What a ticket brings besides its features. */
export interface SpeechParameters {
  /** All tokens before the text, with those of an earlier text, if any; UNKNOWN_LANGUAGE may be among them. */
  readonly prompt: readonly number[];
  readonly timestamps: boolean;
  readonly maxTokens: number;
  /** 0: the likeliest token each time. */
  readonly temperature: number;
  readonly seed: number;
  /** Asks for ATTENTION to so many frames of 20 ms. */
  readonly alignFrames?: number;
}

/** The parameters of a ticket that asks where somebody speaks. */
export const VOICE_TICKET = { voice: true } as const;

export function isVoiceTicket(parameters: unknown): boolean {
  return (parameters as { readonly voice?: unknown } | undefined)?.voice === true;
}

/** Inputs and outputs of a ticket, by name. */
/** FP32 [1, mels, 3000] of a window; of a ticket that asks where somebody speaks, samples [1, n] at 16 kHz from -1 to 1. */
export const FEATURES = 'features';
/** INT32 [1, n], n >= 1: what the decoder wrote, with the end token if it came. */
export const TOKENS = 'tokens';
/** FP32 [1, 3]: mean log probability of the tokens, probability that nobody speaks (NaN: unknown), token of the language (-1: none). */
export const STATS = 'stats';
/** FP32 [1, n]: the probability of speech in each VOICE_CHUNK samples. Windows have none. */
export const VOICE = 'voice';
/** FP32 [1, heads, tokens, frames]: the attention of the alignment heads to the audio, for the tokens of `alignedTokens`. Where it was asked for and there is text. */
export const ATTENTION = 'attention';
/** Samples at 16 kHz: 32 ms. */
export const VOICE_CHUNK = 512;

/**
 * A window's text as the decoder is given it to be aligned (whisper/timing.py): start, language and task, no timestamps, the text's tokens, end. `language`
 * stands where the prompt leaves it open.
 */
export function alignedTokens(
  prompt: readonly number[],
  text: readonly number[],
  { tokens, language }: { readonly tokens: SpeechTokens; readonly language: number },
): number[] {
  const start = prompt.slice(prompt.lastIndexOf(tokens.start)).filter((id) => id !== tokens.noTimestamps);
  const begin = start.map((id) => (id === UNKNOWN_LANGUAGE ? language : id));
  return [...begin, tokens.noTimestamps, ...text, tokens.end];
}
