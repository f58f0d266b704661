/**
 * WordPiece: the longest token that begins a word, then the longest that goes on with it (marked by a prefix), and so on; a word that
 * does not come out is unknown. The library tries every length of a word, which takes milliseconds for one of 100 characters; here no
 * candidate is longer than the longest token.
 */
export interface WordPieceOptions {
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly unknown: string;
  /** Set before tokens that go on with a word. */
  readonly prefix: string;
  /** Longer words (in characters) are unknown. */
  readonly maxCharacters: number;
}

/** A function that makes words into tokens. */
export function wordPiece({ vocabulary, unknown, prefix, maxCharacters }: WordPieceOptions) {
  let longest = 1;
  for (const token of vocabulary.keys())
    longest = Math.max(longest, token.startsWith(prefix) ? token.length - prefix.length : token.length);

  const endBefore = (word: string, end: number): number => (isLowSurrogate(word, end - 1) ? end - 2 : end - 1);

  const cut = (word: string): string[] | undefined => {
    const tokens: string[] = [];
    for (let start = 0; start < word.length;) {
      let end = Math.min(word.length, start + longest);
      if (isLowSurrogate(word, end)) end -= 1;
      let token: string | undefined;
      for (; end > start; end = endBefore(word, end)) {
        const candidate = start === 0 ? word.slice(0, end) : prefix + word.slice(start, end);
        if (!vocabulary.has(candidate)) continue;
        token = candidate;
        break;
      }
      if (token === undefined) return undefined;
      tokens.push(token);
      start = end;
    }
    return tokens;
  };

  return (words: readonly string[]): string[] =>
    words.flatMap((word) => (hasMore(word, maxCharacters) ? [unknown] : (cut(word) ?? [unknown])));
}

function isLowSurrogate(word: string, index: number): boolean {
  const unit = word.charCodeAt(index);
  return unit >= 0xdc00 && unit <= 0xdfff;
}

/** Whether a word has more characters (code points) than `count`. */
function hasMore(word: string, count: number): boolean {
  return word.length > count && (word.length > 2 * count || Array.from(word).length > count);
}
