import { SAMPLE_RATE_HZ } from '../log-mel.ts';
import type { Window } from '../windows.ts';
import type { Vocabulary } from './model-files.ts';

/** What was heard in a window: the likeliest token of each frame, and its log probability. */
export interface HeardFrames {
  readonly window: number;
  readonly tokens: Int32Array;
  readonly scores: Float32Array;
}

/** A letter, or whatever a token stands for, with its time in seconds. */
export interface Letter {
  readonly id: number;
  readonly start: number;
  readonly end: number;
  /** Mean log probability of its frames. */
  readonly score: number;
}

/** Letters without a space between them. */
export type LetterWord = readonly Letter[];

/** Where a window's frames count, in samples: windows that share audio meet in the middle of it. */
function bounds(windows: readonly Window[], index: number): { from: number; to: number } {
  const { start = 0, overlap = 0 } = windows[index] ?? {};
  const next = windows[index + 1];
  return {
    from: start + overlap / 2,
    to: next === undefined || next.overlap === 0 ? Infinity : next.start + next.overlap / 2,
  };
}

/**
 * Frames as words (Graves et al., Connectionist Temporal Classification, 2006): frames in a row with one token are one letter, the blank and the delimiter stand for
 * none. Frames of windows that share audio are one row; a cut in a pause ends the word. Where there is no delimiter, each letter is a word.
 */
export function wordsOf(
  windows: readonly Window[],
  heard: readonly HeardFrames[],
  { letters, blank, delimiter }: Pick<Vocabulary, 'letters' | 'blank' | 'delimiter'>,
  samplesOfFrame: number,
): LetterWord[] {
  const words: Letter[][] = [];
  let isOpen = false;
  let last = blank;
  for (const { window, tokens, scores } of heard) {
    const { from, to } = bounds(windows, window);
    const { start = 0, overlap = 0 } = windows[window] ?? {};
    if (overlap === 0) [last, isOpen] = [blank, false];
    const end = Math.min(tokens.length, Math.ceil((to - start) / samplesOfFrame));
    for (let at = Math.ceil((from - start) / samplesOfFrame); at < end; at += 1) {
      const id = tokens[at] as number;
      const times = {
        start: (start + at * samplesOfFrame) / SAMPLE_RATE_HZ,
        end: (start + (at + 1) * samplesOfFrame) / SAMPLE_RATE_HZ,
      };
      if (id === delimiter) isOpen = false;
      else if (letters[id] !== undefined) {
        const letter = { id, ...times, score: scores[at] as number };
        const word = words.at(-1);
        if (id === last && word !== undefined) extend(word, letter);
        else if (isOpen && word !== undefined && delimiter !== undefined) word.push(letter);
        else words.push([letter]);
        isOpen = true;
      }
      last = id;
    }
  }
  return words;
}

/** Adds a frame to the last letter of a word. */
function extend(word: Letter[], { end, score }: Letter): void {
  const before = word.at(-1);
  if (before === undefined) return;
  const frames = Math.round((before.end - before.start) / (end - before.end));
  word[word.length - 1] = { ...before, end, score: (before.score * frames + score) / (frames + 1) };
}

/** A word as text. */
export function spell(word: LetterWord, { letters, isLowerCased }: Vocabulary): string {
  const text = word.map(({ id }) => letters[id] ?? '').join('');
  return isLowerCased ? text.toLowerCase() : text;
}
