import { z } from 'zod';
import { once } from '../../once.ts';
import { count } from '../shared/answer-schema.ts';
import { text as string } from '../shared/body-schema.ts';
import { ServerError } from '../../errors.ts';
import type { Answer } from '../shared/operation.ts';
import { replyJson } from '../shared/reply-json.ts';
import { allReplies, type ItemResult } from '../shared/results.ts';

/** Replies of the transcription task in the forms that OpenAI's API has. */

export const AUDIO_FORMATS = ['json', 'text', 'srt', 'vtt', 'verbose_json'] as const;
export type AudioFormat = (typeof AUDIO_FORMATS)[number];

/** The reply of a transcription. */
export interface Transcript {
  readonly text: string;
  readonly language: string;
  readonly task: string;
  /** Seconds. */
  readonly duration: number;
  readonly segments: readonly TranscriptSegment[];
  readonly real_time_factor?: number;
}
export interface TranscriptSegment {
  /** Seconds from the start of the audio. */
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

export const DURATION_USAGE = once(() =>
  z.object({ type: z.literal('duration'), seconds: count }).meta({ id: 'DurationUsage' }),
);

/** The forms `json` and `verbose_json`. */
export const TRANSCRIPT_ANSWER = once(() => {
  const place = { start: z.number(), end: z.number() };
  const measures = { temperature: z.number(), avg_logprob: z.number(), compression_ratio: z.number() };
  const segment = z.object({
    ...{ id: count, seek: count, ...place, text: string, tokens: z.array(count), ...measures },
    no_speech_prob: z.number(),
  });
  const verbose = {
    ...{ language: string, task: string, duration: z.number(), segments: z.array(segment) },
    words: z.array(z.object({ word: string, ...place })).optional(),
    words_from: z.enum(['attention', 'segments', 'frames']).optional(),
    real_time_factor: z.number().optional(),
  };
  const plain = z.object({ text: string, usage: DURATION_USAGE() });
  return z.union([plain.extend(verbose).meta({ id: 'VerboseTranscript' }), plain.meta({ id: 'Transcript' })]);
});

/** The answer in the form asked for. */
export function encodeTranscript(results: readonly ItemResult[], { format }: { readonly format: AudioFormat }): Answer {
  const [reply] = allReplies(results);
  if (reply === undefined) throw new ServerError('INTERNAL');
  const { contentType, text } = transcriptText(readTranscript(replyJson(reply)), format);
  return { contentType, chunks: [Buffer.from(text)] };
}

/** A transcript as text of a media type. */
export function transcriptText(transcript: Transcript, format: AudioFormat): { contentType: string; text: string } {
  const plain = 'text/plain; charset=utf-8';
  const usage = usageOf(transcript);
  switch (format) {
    case 'json':
      return { contentType: 'application/json', text: JSON.stringify({ text: transcript.text, usage }) };
    case 'verbose_json': {
      const language = languageName(transcript.language);
      return { contentType: 'application/json', text: JSON.stringify({ ...transcript, language, usage }) };
    }
    case 'text':
      return { contentType: plain, text: `${transcript.text}\n` };
    case 'srt':
      return { contentType: plain, text: srt(transcript.segments) };
    case 'vtt':
      return { contentType: 'text/vtt; charset=utf-8', text: webVtt(transcript.segments) };
  }
}

/** Whisper's models are paid for by the second. */
export function usageOf({ duration }: Transcript): { readonly type: 'duration'; readonly seconds: number } {
  return { type: 'duration', seconds: Math.ceil(duration) };
}

const names = new Intl.DisplayNames(['en'], { type: 'language', fallback: 'code' });

/** OpenAI names the language in words: `english` for `en`. */
function languageName(language: string): string {
  if (language === 'und') return 'unknown';
  try {
    return (names.of(language) ?? language).toLowerCase();
  } catch {
    return language;
  }
}

/** SubRip. */
export function srt(segments: readonly TranscriptSegment[]): string {
  return segments
    .map(({ start, end, text }, index) => `${index + 1}\n${time(start, ',')} --> ${time(end, ',')}\n${cue(text)}\n\n`)
    .join('');
}

/** WebVTT. https://www.w3.org/TR/webvtt1/ */
export function webVtt(segments: readonly TranscriptSegment[]): string {
  const cues = segments.map(({ start, end, text }) => `${time(start, '.')} --> ${time(end, '.')}\n${cue(text)}\n\n`);
  return `WEBVTT\n\n${cues.join('')}`;
}

/** The text of a cue without blank lines, which would end it, and arrows, which would begin another. */
function cue(text: string): string {
  return text
    .trim()
    .replace(/\n{2,}/g, '\n')
    .replaceAll('-->', '->');
}

/** Hours, minutes, seconds, milliseconds. */
function time(seconds: number, point: string): string {
  const ms = Math.max(0, Math.round(seconds * 1000));
  const part = (value: number, digits: number): string => String(value).padStart(digits, '0');
  const [hours, minutes] = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60];
  return `${part(hours, 2)}:${part(minutes, 2)}:${part(Math.floor(ms / 1000) % 60, 2)}${point}${part(ms % 1000, 3)}`;
}

/** The transcript of a reply. Throws a plain Error when the task gave something else. */
export function readTranscript(value: unknown): Transcript {
  const transcript = value as Partial<Transcript> | undefined;
  if (typeof transcript?.text !== 'string' || !Array.isArray(transcript.segments))
    throw new ServerError('INTERNAL', undefined, { cause: new Error('the task gave no transcript') });
  return transcript as Transcript;
}
