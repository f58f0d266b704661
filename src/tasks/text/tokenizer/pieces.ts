/** A text on its way to tokens. */

/** A stretch of text that holds no added token. */
export interface Section {
  readonly text: string;
  /** It begins where the whole text does, before any normalizer dropped something: `prepend_scheme: "first"` asks. */
  readonly first: boolean;
}

/** A section that pre-tokenizers have cut; no piece is empty. */
export interface Pieces {
  readonly texts: readonly string[];
  /** The first piece begins where the whole text does. (The reference has more such pieces where a first character became several words.) */
  readonly first: boolean;
}

export type Normalizer = (section: Section) => Section;
export type PreTokenizer = (pieces: Pieces) => Pieces;

/** A pre-tokenizer that looks at one piece at a time; `cut` must give the text's own parts in order, or leave some out. */
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
