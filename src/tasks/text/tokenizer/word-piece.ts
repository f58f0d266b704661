import { unknownWord, type TokenModel } from './model.ts';

/**
 * WordPiece: the longest token that begins a word, then the longest that continues it (marked by a prefix), and so on; a word that
 * cannot be cut so is unknown. No candidate is longer than the longest token, so that a long word is not tried at every length.
 */
export interface WordPieceOptions {
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly unknown: string;
  /** Put before tokens that continue a word. */
  readonly prefix: string;
  /** Longer words (in characters) are unknown. */
  readonly maxCharacters: number;
}

/** The WordPiece model of a vocabulary. */
export function wordPieceModel({ vocabulary, unknown, prefix, maxCharacters }: WordPieceOptions): TokenModel {
  const unknownId = vocabulary.get(unknown);
  let longest = 1;
  for (const token of vocabulary.keys()) longest = Math.max(longest, token.length);

  const endBefore = (word: string, end: number): number => (isLowSurrogate(word, end - 1) ? end - 2 : end - 1);

  const cut = (word: string): number[] | undefined => {
    const ids: number[] = [];
    for (let start = 0; start < word.length;) {
      let end = Math.min(word.length, start + longest);
      if (isLowSurrogate(word, end)) end -= 1;
      let id: number | undefined;
      for (; end > start; end = endBefore(word, end)) {
        id = vocabulary.get(start === 0 ? word.slice(0, end) : prefix + word.slice(start, end));
        if (id !== undefined) break;
      }
      if (id === undefined) return undefined;
      ids.push(id);
      start = end;
    }
    return ids;
  };

  return {
    vocabulary,
    marks: { prefix, suffix: '' },
    encode: (word) => {
      const ids = hasMore(word, maxCharacters) ? undefined : cut(word);
      if (ids !== undefined) return ids;
      if (unknownId === undefined) throw unknownWord(word);
      return [unknownId];
    },
  };
}

function isLowSurrogate(word: string, index: number): boolean {
  const unit = word.charCodeAt(index);
  return unit >= 0xdc00 && unit <= 0xdfff;
}

/** Whether a word has more characters (code points) than `count`. */
function hasMore(word: string, count: number): boolean {
  return word.length > count && (word.length > 2 * count || Array.from(word).length > count);
}
