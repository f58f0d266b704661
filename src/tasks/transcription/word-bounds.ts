import type { Word } from './words.ts';

/**
 * Corrections of times that attention gives (whisper/timing.py: add_word_timestamps): a word beside a pause often takes the pause for its own, so words
 * at the ends of sentences and segments are cut to twice the usual length.
 */

/** A segment's words and times. */
export interface TimedSegment {
  readonly words: readonly Word[];
  readonly start: number;
  readonly end: number;
}

const MOST_USUAL_SECONDS = 0.7;
/** A segment's own time counts where it differs from its words' by more. */
const SEGMENT_MARGIN_SECONDS = 0.5;
const SENTENCE_END = /[.。!！?？]["'”)\]]?$/u;

/** Corrects the segments of one window. `lastEnd` is where the speech before them ended. */
export function boundWords(segments: readonly TimedSegment[], lastEnd: number): TimedSegment[] {
  const lengths = segments
    .flatMap(({ words }) => words.map(({ start, end }) => end - start))
    .filter((length) => length > 0)
    .sort((one, other) => one - other);
  const usual = Math.min(MOST_USUAL_SECONDS, lengths[Math.floor(lengths.length / 2)] ?? 0);
  if (usual === 0) return [...segments];
  let before = lastEnd;
  return segments.map((segment) => {
    const bounded = boundSegment({ ...segment, words: cutAtSentences(segment.words, 2 * usual) }, before, usual);
    before = bounded.end;
    return bounded;
  });
}

function cutAtSentences(words: readonly Word[], most: number): Word[] {
  return words.map((word, index) => {
    const previous = words[index - 1];
    if (previous === undefined || word.end - word.start <= most) return word;
    if (SENTENCE_END.test(word.word)) return { ...word, end: word.start + most };
    if (SENTENCE_END.test(previous.word)) return { ...word, start: word.end - most };
    return word;
  });
}

function boundSegment(segment: TimedSegment, before: number, usual: number): TimedSegment {
  const words = afterPause([...segment.words], before, usual);
  const first = words[0];
  const last = words.at(-1);
  if (first === undefined || last === undefined) return segment;
  const late = segment.start < first.end && segment.start - SEGMENT_MARGIN_SECONDS > first.start;
  const start = late ? Math.max(0, Math.min(first.end - usual, segment.start)) : first.start;
  words[0] = { ...first, start };
  const tail = words.at(-1) ?? first;
  const early = segment.end > tail.start && segment.end + SEGMENT_MARGIN_SECONDS < tail.end;
  const end = early ? Math.max(tail.start + usual, segment.end) : tail.end;
  words[words.length - 1] = { ...tail, end };
  return { words, start, end };
}

/** Cuts the first word after a pause, and the second where the first took its beginning. */
function afterPause(words: Word[], before: number, usual: number): Word[] {
  const [first, second] = words;
  const most = 2 * usual;
  if (first === undefined || first.end - before <= 4 * usual) return words;
  const tooLong = first.end - first.start > most || (second !== undefined && second.end - first.start > 2 * most);
  if (!tooLong) return words;
  let end = first.end;
  if (second !== undefined && second.end - second.start > most) {
    end = Math.max(second.end / 2, second.end - most);
    words[1] = { ...second, start: end };
  }
  words[0] = { ...first, start: Math.max(0, end - most), end };
  return words;
}
