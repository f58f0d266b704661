import type { Segment } from './segments.ts';

/** A word with its time in the audio, in seconds. Its text has the space before it, as the model writes it. */
export interface Word {
  readonly word: string;
  readonly start: number;
  readonly end: number;
}

/** How a text's tokens become words. */
export interface WordParts {
  readonly decode: (ids: readonly number[]) => string;
  /** ISO code; undefined: unknown. */
  readonly language: string | undefined;
}

/** Languages without spaces between words: each character is one. */
const UNSPACED: ReadonlySet<string> = new Set(['zh', 'ja', 'th', 'lo', 'my', 'yue']);
/** Signs that belong to the word after them, and to the word before them. */
const OPENING = /^\s*["'“¿([{-]$/u;
const CLOSING = /^\s*["'.。,，!！?？:：”)\]}、]$/u;
/** But for the apostrophe, which is within words: o'clock. */
const PUNCTUATION = /^\s*[!-&(-/:-@[-`{-~]$/u;
const INCOMPLETE = '\ufffd';

interface Piece extends Word {
  /** Characters before it in the segment, and with it. */
  readonly from: number;
  readonly to: number;
}

/** The words of a segment: by the times of its tokens, or, where it has none, with its time divided among its characters. */
export function wordsOf(segment: Segment, parts: WordParts): Word[] {
  const pieces = joined(piecesOf(segment, parts), parts.language);
  const merged = withPunctuation(pieces);
  if (segment.spans !== undefined) return merged;
  const characters = Math.max(1, pieces.at(-1)?.to ?? 1);
  const timeAt = (place: number): number => segment.start + ((segment.end - segment.start) * place) / characters;
  return merged.map(({ word, from, to }) => ({ word, start: timeAt(from), end: timeAt(to) }));
}

/** Tokens together as far as they make whole characters. */
function piecesOf({ ids, spans, start, end }: Segment, { decode }: WordParts): Piece[] {
  const pieces: Piece[] = [];
  let from = 0;
  let characters = 0;
  for (let at = 0; at < ids.length; at += 1) {
    const word = decode(ids.slice(from, at + 1));
    const isWhole = !word.includes(INCOMPLETE) || at === ids.length - 1;
    if (!isWhole) continue;
    const times = { start: spans?.[from]?.[0] ?? start, end: spans?.[at]?.[1] ?? end };
    pieces.push({ word, ...times, from: characters, to: characters + word.length });
    characters += word.length;
    from = at + 1;
  }
  return pieces;
}

function joined(pieces: readonly Piece[], language = ''): Piece[] {
  if (UNSPACED.has(language)) return [...pieces];
  const words: Piece[] = [];
  for (const piece of pieces) {
    const last = words.at(-1);
    const begins = last === undefined || /^\s/.test(piece.word) || PUNCTUATION.test(piece.word);
    if (begins) words.push(piece);
    else words[words.length - 1] = together(last, piece);
  }
  return words;
}

/** Joins punctuation to its words, whose times do not change by it. */
function withPunctuation(words: readonly Piece[]): Piece[] {
  const closed: Piece[] = [];
  for (const word of words) {
    const last = closed.at(-1);
    if (last !== undefined && CLOSING.test(word.word) && !/^\s/.test(word.word))
      closed[closed.length - 1] = { ...last, word: last.word + word.word, to: word.to };
    else closed.push(word);
  }
  const opened: Piece[] = [];
  for (const word of closed.toReversed()) {
    const next = opened.at(-1);
    if (next !== undefined && OPENING.test(word.word) && /^\s/.test(word.word))
      opened[opened.length - 1] = { ...next, word: word.word + next.word, from: word.from };
    else opened.push(word);
  }
  return opened.toReversed();
}

function together(first: Piece, second: Piece): Piece {
  return { word: first.word + second.word, start: first.start, end: second.end, from: first.from, to: second.to };
}
