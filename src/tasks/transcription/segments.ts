import { SAMPLE_RATE_HZ } from './log-mel.ts';
import type { SpeechTokens } from './speech-work.ts';

/** What was heard in one run of the model: a window, or what a first run left of it. */
export interface Take {
  /** Which window it belongs to. */
  readonly window: number;
  /** In samples; `end` is not included. */
  readonly start: number;
  readonly end: number;
  readonly tokens: readonly number[];
  readonly avgLogprob: number;
  /** NaN where the model does not say. */
  readonly noSpeechProb: number;
  /** At which it was written. */
  readonly temperature: number;
  /** Where each text token begins, and last where the text ends, in seconds; undefined where attention does not say. */
  readonly times?: readonly number[] | undefined;
}

/** A stretch of text with its times in the audio. */
export interface Segment {
  /** In seconds. */
  readonly start: number;
  readonly end: number;
  /** Text tokens alone. */
  readonly ids: readonly number[];
  /** Beginning and end of each token in seconds, where attention says. */
  readonly spans?: readonly (readonly [start: number, end: number])[] | undefined;
  readonly take: Take;
}

/** Samples between two timestamp tokens: 0.02 s. */
const STEP_SAMPLES = SAMPLE_RATE_HZ / 50;

/**
 * Text tokens of a take as segments between timestamps; without any timestamps all of it is one segment. A segment that was not closed
 * ends with the take; empty ones are left out.
 */
export function segmentsOf(take: Take, { timestampBegin, end: endToken }: SpeechTokens): Segment[] {
  const segments: Segment[] = [];
  let start = take.start;
  let ids: number[] = [];
  let before = 0;
  const close = (end: number): void => {
    const times = { start: start / SAMPLE_RATE_HZ, end: Math.max(start, end) / SAMPLE_RATE_HZ };
    const spans = spansOf(take, before, before + ids.length);
    if (ids.length > 0) segments.push({ ...times, ids, spans, take });
    before += ids.length;
    ids = [];
  };
  for (const token of take.tokens) {
    if (token >= timestampBegin) {
      const time = Math.min(take.end, take.start + (token - timestampBegin) * STEP_SAMPLES);
      close(time);
      start = time;
    } else if (token < endToken) ids.push(token);
  }
  close(take.end);
  return segments;
}

function spansOf({ times }: Take, from: number, to: number): Segment['spans'] {
  if (times === undefined) return undefined;
  return Array.from({ length: to - from }, (_, at) => [times[from + at] ?? 0, times[from + at + 1] ?? 0] as const);
}

/** The rest of a take that stopped before its end. */
export interface Unfinished {
  /** The tokens of the take that are kept. */
  readonly kept: readonly number[];
  /** In samples. */
  readonly from: number;
  /** Where the last segment that was written ended. */
  readonly heardTo: number;
}

/** The last segment is heard again together with what follows it, unless it is longer than this: a fragment is misheard where a whole sentence is not. */
const AGAIN_SAMPLES = 12 * SAMPLE_RATE_HZ;

/**
 * What is left of a take in which the model heard more than it wrote: it then ends with two timestamps, the end of the last segment and the start
 * of the next, which it leaves to the next window.
 */
export function unfinished({ tokens, start }: Take, { timestampBegin, end }: SpeechTokens): Unfinished | undefined {
  const written = tokens.filter((token) => token !== end);
  const [previous, last] = written.slice(-2);
  if (previous === undefined || last === undefined || previous < timestampBegin || last < timestampBegin)
    return undefined;
  const sampleOf = (token: number): number => start + (token - timestampBegin) * STEP_SAMPLES;
  const heardTo = sampleOf(last);
  const closing = written.slice(0, -2).findLastIndex((token) => token >= timestampBegin);
  const from = sampleOf(written[closing] ?? last);
  if (closing <= 0 || heardTo - from > AGAIN_SAMPLES) return { kept: tokens, from: heardTo, heardTo };
  return { kept: written.slice(0, closing), from, heardTo };
}

/** The first `count` text tokens. */
export function keepFirst(segments: readonly Segment[], count: number): Segment[] {
  const kept: Segment[] = [];
  let left = count;
  for (const segment of segments) {
    if (left <= 0) break;
    kept.push(segment.ids.length <= left ? segment : part(segment, 0, left));
    left -= segment.ids.length;
  }
  return kept;
}

/** All but the first `count` text tokens. */
export function dropFirst(segments: readonly Segment[], count: number): Segment[] {
  const kept: Segment[] = [];
  let left = count;
  for (const segment of segments) {
    if (left < segment.ids.length) kept.push(left <= 0 ? segment : part(segment, left, segment.ids.length));
    left -= segment.ids.length;
  }
  return kept;
}

/** Some tokens of a segment; its time is divided evenly among them. */
function part(segment: Segment, from: number, to: number): Segment {
  const perToken = (segment.end - segment.start) / segment.ids.length;
  return {
    ...segment,
    start: segment.start + from * perToken,
    end: segment.start + to * perToken,
    ids: segment.ids.slice(from, to),
    spans: segment.spans?.slice(from, to),
  };
}
