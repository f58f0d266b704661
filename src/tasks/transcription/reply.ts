import { deflateSync } from 'node:zlib';
import type { TextTokenizer } from '../text/tokenizer.ts';
import { isSilent } from './fallback.ts';
import { HOP_SAMPLES, SAMPLE_RATE_HZ } from './log-mel.ts';
import type { Thresholds } from './request.ts';
import { append, joinAll } from './joining.ts';
import type { Part } from './seam.ts';
import { segmentsOf, type Segment, type Take } from './segments.ts';
import { wholeTimes, type TimeMap } from './speech-gate.ts';
import type { SpeechTokens } from './speech-work.ts';
import type { Window } from './windows.ts';
import { boundWords } from './word-bounds.ts';
import { wordsOf, type Word, type WordParts } from './words.ts';

export interface Transcript {
  readonly text: string;
  readonly segments: readonly TranscriptSegment[];
  readonly words?: readonly Word[];
  /** What the times of words come from: attention of the decoder, or the times of segments, divided among their characters. */
  readonly words_from?: 'attention' | 'segments';
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
  /** Text that was written before; the text goes on after it. */
  readonly before?: string;
  /** Asks for words. */
  readonly words?: { readonly language: string };
}

/** Windows joined into one text, and into segments and words where they are wanted. */
export function writeTranscript(parts: TranscriptParts, tokenizer: TextTokenizer, tokens: SpeechTokens): Transcript {
  const { windows, stretches, takes, timestamps, thresholds } = parts;
  const joined = windows.map((window): Part => ({ window, segments: [] }));
  for (const take of takes) {
    if (!isSilent(take, thresholds)) joined[take.window]?.segments.push(...segmentsOf(take, tokens));
  }
  joinAll(joined, tokenizer);
  const decode = (ids: readonly number[]): string => tokenizer.decode(ids);
  const text = joined.reduce(
    (before, { segments }) => append(before, segments.map(({ ids }) => decode(ids)).join('')),
    parts.before ?? '',
  );
  const reply = { text: text.trim(), segments: [] };
  if (!timestamps && parts.words === undefined) return reply;
  const { segments, words } = timed(
    joined.map((part) => part.segments),
    parts.words && { decode, ...parts.words },
  );
  const ratioOf = memo((take: Take) => repetition(take.tokens, tokenizer, tokens));
  return {
    ...reply,
    segments: timestamps ? segments.map((segment, id) => reported(segment, { id, decode, stretches, ratioOf })) : [],
    ...(words === undefined
      ? {}
      : { words: words.map((word) => reportedWord(word, stretches)), ...wordsFrom(segments) }),
  };
}

/** The segments of all windows; with words in them, and as long as these say, where words are wanted. */
function timed(
  windows: readonly (readonly Segment[])[],
  words: WordParts | undefined,
): { segments: readonly Segment[]; words?: readonly Word[] } {
  if (words === undefined) return { segments: windows.flat() };
  const segments: Segment[] = [];
  const all: Word[] = [];
  for (const window of windows) {
    const found = window.map((segment) => ({ start: segment.start, end: segment.end, words: wordsOf(segment, words) }));
    // Times that are no more than shares of a segment's have nothing to be corrected.
    const isAligned = window.some(({ spans }) => spans !== undefined);
    const bounded = isAligned ? boundWords(found, segments.at(-1)?.end ?? 0) : found;
    for (const [index, { start, end, words: own }] of bounded.entries()) {
      const segment = window[index];
      if (segment !== undefined) segments.push({ ...segment, start, end });
      all.push(...own);
    }
  }
  return { segments, words: all };
}

/** Nothing where there are no words. */
function wordsFrom(segments: readonly Segment[]): Pick<Transcript, 'words_from'> {
  if (segments.length === 0) return {};
  return { words_from: segments.some(({ spans }) => spans !== undefined) ? 'attention' : 'segments' };
}

interface ReportParts {
  readonly id: number;
  readonly decode: (ids: readonly number[]) => string;
  readonly stretches: TimeMap['stretches'];
  readonly ratioOf: (take: Take) => number;
}

function reported(segment: Segment, { id, decode, stretches, ratioOf }: ReportParts): TranscriptSegment {
  const { ids, take } = segment;
  const heard = { start: take.start / SAMPLE_RATE_HZ, end: take.end / SAMPLE_RATE_HZ };
  const { start, end } = wholeTimes(segment, stretches);
  return {
    id,
    seek: Math.round(wholeTimes(heard, stretches).start * HOPS_PER_SECOND),
    start: toHundredths(start),
    end: toHundredths(end),
    text: decode(ids),
    tokens: ids,
    temperature: take.temperature,
    avg_logprob: take.avgLogprob,
    compression_ratio: ratioOf(take),
    no_speech_prob: Number.isNaN(take.noSpeechProb) ? 0 : take.noSpeechProb,
  };
}

function reportedWord(word: Word, stretches: TimeMap['stretches']): Word {
  const { start, end } = wholeTimes(word, stretches);
  return { word: word.word.trim(), start: toHundredths(start), end: toHundredths(end) };
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
