/** The stages of a text on its way to tokens. */

/** A stretch of text without added tokens. */
export interface Section {
  readonly text: string;
  /** Whether it begins where the whole text does, before normalizers dropped anything; for `prepend_scheme: "first"`. */
  readonly first: boolean;
}

/** A section cut by pre-tokenizers; no piece is empty. */
export interface Pieces {
  readonly texts: readonly string[];
  /** Whether the first piece begins where the whole text does. (The reference has more such pieces if a first character became several words.) */
  readonly first: boolean;
}

export type Normalizer = (section: Section) => Section;
export type PreTokenizer = (pieces: Pieces) => Pieces;

/** A pre-tokenizer that cuts one piece at a time; `cut` must return parts of the text in order, and may leave some out. */
export function cutEach(cut: (text: string) => readonly string[]): PreTokenizer {
  return ({ texts, first }) => {
    const [only] = texts;
    if (only !== undefined && texts.length === 1) {
      const parts = cut(only);
      return { texts: parts, first: first && beginsIt(parts, only) };
    }
    const out: string[] = [];
    for (const text of texts) for (const part of cut(text)) out.push(part);
    return { texts: out, first: first && only !== undefined && beginsIt(out, only) };
  };
}

function beginsIt([first]: readonly string[], text: string): boolean {
  return first !== undefined && text.startsWith(first);
}
