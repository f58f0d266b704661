import { deflateSync } from 'node:zlib';
import type { TextTokenizer } from '../text/tokenizer.ts';
import { HOP_SAMPLES } from './log-mel.ts';
import { joinOverlap, type Part, type Spelling } from './seam.ts';
import { segmentsOf, type Take } from './segments.ts';
import type { SpeechTokens } from './speech-work.ts';
import type { Window } from './windows.ts';

export interface Transcript {
  readonly text: string;
  readonly segments: readonly TranscriptSegment[];
}

/** A segment as Whisper's own code reports it. */
export interface TranscriptSegment {
  readonly id: number;
  /** Start of its window, in frames of 10 ms. */
  readonly seek: number;
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly tokens: readonly number[];
  readonly temperature: number;
  readonly avg_logprob: number;
  readonly compression_ratio: number;
  readonly no_speech_prob: number;
}

export interface TranscriptParts {
  readonly windows: readonly Window[];
  /** In order within each window. */
  readonly takes: readonly Take[];
  readonly timestamps: boolean;
  readonly temperature: number;
}

/** Whisper's own rule: a window is silent when the model says so and its text is unlikely as well. */
const NO_SPEECH = 0.6;
const UNLIKELY_LOGPROB = -1;

/** Windows joined into one text, and into segments where they are wanted. */
export function writeTranscript(
  { windows, takes, timestamps, temperature }: TranscriptParts,
  tokenizer: TextTokenizer,
  tokens: SpeechTokens,
): Transcript {
  const parts = windows.map((window): Part => ({ window, segments: [] }));
  for (const take of takes) {
    const silent = take.noSpeechProb > NO_SPEECH && take.avgLogprob < UNLIKELY_LOGPROB;
    if (!silent) parts[take.window]?.segments.push(...segmentsOf(take, tokens));
  }
  joinAll(parts, spellingOf(tokenizer));
  let text = '';
  const segments: TranscriptSegment[] = [];
  for (const part of parts) {
    const texts = part.segments.map(({ ids }) => tokenizer.decode(ids));
    text = append(text, texts.join(''));
    if (!timestamps) continue;
    const ratio = compressionRatio(texts.join(''));
    for (const [index, { start, end, ids, take }] of part.segments.entries())
      segments.push({
        id: segments.length,
        seek: Math.round(take.start / HOP_SAMPLES),
        start: toHundredths(start),
        end: toHundredths(end),
        text: texts[index] ?? '',
        tokens: ids,
        temperature,
        avg_logprob: take.avgLogprob,
        compression_ratio: ratio,
        no_speech_prob: Number.isNaN(take.noSpeechProb) ? 0 : take.noSpeechProb,
      });
  }
  return { text: text.trim(), segments };
}

function joinAll(parts: readonly Part[], spelling: Spelling): void {
  for (const [index, after] of parts.entries()) {
    const before = parts[index - 1];
    if (before === undefined || after.window.overlap === 0) continue;
    if (before.segments.length === 0 || after.segments.length === 0) continue;
    const joined = joinOverlap(before, after, spelling);
    before.segments = joined.before;
    after.segments = joined.after;
  }
}

/** Byte-level tokens with a space before them begin with this. */
const SPACE = '\u0120';

function spellingOf(tokenizer: TextTokenizer): Spelling {
  return (id) => {
    const token = tokenizer.idToToken(id) ?? '';
    const word = (token.startsWith(SPACE) ? token.slice(1) : token).toLowerCase();
    return /^[!-/:-@[-`{-~]*$/.test(word) ? '' : word;
  };
}

/** Scripts without spaces between words. */
const UNSPACED =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

/** Adds a window's text. Most begin with a space; where one does not, its first word must not stick to the last one. */
function append(text: string, more: string): string {
  if (text === '' || more === '' || /\s$/.test(text) || /^[\s!-/:-@]/.test(more) || UNSPACED.test(more))
    return text + more;
  return `${text} ${more}`;
}

function toHundredths(seconds: number): number {
  return Math.round(seconds * 100) / 100;
}

/** The compression ratio of a text. One that repeats itself compresses too well: above 2.4 Whisper's own code distrusts it. */
export function compressionRatio(text: string): number {
  const bytes = Buffer.from(text);
  return bytes.byteLength === 0 ? 0 : bytes.byteLength / deflateSync(bytes).byteLength;
}
