import { deflateSync } from 'node:zlib';
import type { TextTokenizer } from '../text/tokenizer.ts';
import { isSilent } from './fallback.ts';
import { HOP_SAMPLES, SAMPLE_RATE_HZ } from './log-mel.ts';
import type { Thresholds } from './request.ts';
import { joinOverlap, type Part, type Spelling } from './seam.ts';
import { segmentsOf, type Take } from './segments.ts';
import { wholeTimes, type TimeMap } from './speech-gate.ts';
import type { SpeechTokens } from './speech-work.ts';
import type { Window } from './windows.ts';

export interface Transcript {
  readonly text: string;
  readonly segments: readonly TranscriptSegment[];
}

const HOPS_PER_SECOND = SAMPLE_RATE_HZ / HOP_SAMPLES;

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
  /** Of the audio that was kept, where some was left out. */
  readonly stretches: TimeMap['stretches'];
  readonly timestamps: boolean;
  readonly thresholds: Thresholds;
}

/** Windows joined into one text, and into segments where they are wanted. */
export function writeTranscript(
  { windows, stretches, takes, timestamps, thresholds }: TranscriptParts,
  tokenizer: TextTokenizer,
  tokens: SpeechTokens,
): Transcript {
  const parts = windows.map((window): Part => ({ window, segments: [] }));
  for (const take of takes) {
    if (!isSilent(take, thresholds)) parts[take.window]?.segments.push(...segmentsOf(take, tokens));
  }
  joinAll(parts, spellingOf(tokenizer));
  const ratioOf = memo((take: Take) => repetition(take.tokens, tokenizer, tokens));
  let text = '';
  const segments: TranscriptSegment[] = [];
  for (const part of parts) {
    const texts = part.segments.map(({ ids }) => tokenizer.decode(ids));
    text = append(text, texts.join(''));
    if (!timestamps) continue;
    for (const [index, segment] of part.segments.entries()) {
      const { ids, take } = segment;
      const heard = { start: take.start / SAMPLE_RATE_HZ, end: take.end / SAMPLE_RATE_HZ };
      const times = wholeTimes(segment, stretches);
      segments.push({
        id: segments.length,
        seek: Math.round(wholeTimes(heard, stretches).start * HOPS_PER_SECOND),
        start: toHundredths(times.start),
        end: toHundredths(times.end),
        text: texts[index] ?? '',
        tokens: ids,
        temperature: take.temperature,
        avg_logprob: take.avgLogprob,
        compression_ratio: ratioOf(take),
        no_speech_prob: Number.isNaN(take.noSpeechProb) ? 0 : take.noSpeechProb,
      });
    }
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

function memo<Key, Value>(compute: (key: Key) => Value): (key: Key) => Value {
  const known = new Map<Key, Value>();
  return (key) => {
    const value = known.has(key) ? (known.get(key) as Value) : compute(key);
    known.set(key, value);
    return value;
  };
}

/** The compression ratio of the text of a take's tokens. */
export function repetition(ids: readonly number[], tokenizer: TextTokenizer, { end }: SpeechTokens): number {
  return compressionRatio(tokenizer.decode(ids.filter((id) => id < end)).trim());
}

/** The compression ratio of a text. One that repeats itself compresses too well: above 2.4 Whisper's own code distrusts it. */
export function compressionRatio(text: string): number {
  const bytes = Buffer.from(text);
  return bytes.byteLength === 0 ? 0 : bytes.byteLength / deflateSync(bytes).byteLength;
}
