import { append } from '../joining.ts';
import { HOP_SAMPLES, SAMPLE_RATE_HZ } from '../log-mel.ts';
import { compressionRatio, type TranscriptSegment } from '../reply.ts';
import { wholeTimes, type TimeMap } from '../speech-gate.ts';
import type { Window } from '../windows.ts';
import type { Word } from '../words.ts';
import { spell, wordsOf, type HeardFrames, type LetterWord } from './letters.ts';
import type { Vocabulary } from './model-files.ts';

export interface CtcTranscript {
  readonly text: string;
  readonly segments: readonly TranscriptSegment[];
  readonly words?: readonly Word[];
  /** What the times of words come from: the frames in which their letters were heard. */
  readonly words_from?: 'frames';
}

export interface CtcTranscriptParts {
  readonly windows: readonly Window[];
  /** In order. */
  readonly takes: readonly HeardFrames[];
  /** Of the audio that was kept, where some was left out. */
  readonly stretches: TimeMap['stretches'];
  readonly timestamps: boolean;
  readonly words: boolean;
  /** Text that was written before; the text goes on after it. */
  readonly before?: string;
}

/** A segment ends at a pause this long, */
const PAUSE_SECONDS = 0.6;
/** or where it would be longer than two lines of subtitles. */
const MOST_CHARACTERS = 84;

/** Frames written as one text, and as segments and words where they are wanted. */
export function writeLetters(parts: CtcTranscriptParts, vocabulary: Vocabulary, samplesOfFrame: number): CtcTranscript {
  const { windows, takes, stretches } = parts;
  const words = wordsOf(windows, takes, vocabulary, samplesOfFrame);
  const gap = vocabulary.delimiter === undefined ? '' : ' ';
  const textOf = (some: readonly LetterWord[]): string => some.map((word) => spell(word, vocabulary)).join(gap);
  const segments = parts.timestamps ? segmentsOf(words, vocabulary) : [];
  return {
    text: append(parts.before ?? '', textOf(words)),
    segments: segments.map((segment, id) => reported(segment, { id, text: textOf(segment), ...parts })),
    ...(parts.words
      ? {
          words: words.map((word) => ({ word: spell(word, vocabulary), ...timesOf(word, stretches) })),
          words_from: 'frames',
        }
      : {}),
  };
}

/** Words that belong together; there is no punctuation to tell sentences by. */
function segmentsOf(words: readonly LetterWord[], vocabulary: Vocabulary): LetterWord[][] {
  const segments: LetterWord[][] = [];
  let characters = 0;
  let end = -Infinity;
  for (const word of words) {
    const { length } = spell(word, vocabulary);
    const last = segments.at(-1);
    const start = word[0]?.start ?? 0;
    const fits = last !== undefined && start - end < PAUSE_SECONDS && characters + length < MOST_CHARACTERS;
    characters = fits ? characters + 1 + length : length;
    if (fits) last.push(word);
    else segments.push([word]);
    end = word.at(-1)?.end ?? end;
  }
  return segments;
}

interface ReportParts extends Pick<CtcTranscriptParts, 'windows' | 'stretches'> {
  readonly id: number;
  readonly text: string;
}

function reported(words: readonly LetterWord[], { id, text, windows, stretches }: ReportParts): TranscriptSegment {
  const letters = words.flat();
  const first = letters[0]?.start ?? 0;
  const window = windows.findLast(({ start }) => start / SAMPLE_RATE_HZ <= first)?.start ?? 0;
  const { start: seek } = wholeTimes({ start: window / SAMPLE_RATE_HZ, end: first }, stretches);
  return {
    id,
    seek: Math.round((seek * SAMPLE_RATE_HZ) / HOP_SAMPLES),
    ...timesOf(letters, stretches),
    text,
    tokens: letters.map((letter) => letter.id),
    temperature: 0,
    avg_logprob: letters.reduce((sum, { score }) => sum + score, 0) / letters.length,
    compression_ratio: compressionRatio(text),
    no_speech_prob: 0,
  };
}

function timesOf(letters: LetterWord, stretches: TimeMap['stretches']): { start: number; end: number } {
  const { start, end } = wholeTimes({ start: letters[0]?.start ?? 0, end: letters.at(-1)?.end ?? 0 }, stretches);
  return { start: toHundredths(start), end: toHundredths(end) };
}

function toHundredths(seconds: number): number {
  return Math.round(seconds * 100) / 100;
}
