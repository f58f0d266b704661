import { sliceOrigins, type Origins } from './origins.ts';

/** The stages of a text on its way to tokens. Origins of its units are kept only if the section has them from the beginning. */

/** A stretch of text without added tokens. */
export interface Section {
  readonly text: string;
  /** Whether it begins where the whole text does, before normalizers dropped anything; for `prepend_scheme: "first"`. */
  readonly first: boolean;
  readonly origins?: Origins | undefined;
}

/** A section cut by pre-tokenizers; no piece is empty. */
export interface Pieces {
  readonly texts: readonly string[];
  /** Whether the first piece begins where the whole text does. (The reference has more such pieces if a first character became several words.) */
  readonly first: boolean;
  /** Of each text. */
  readonly origins?: readonly Origins[] | undefined;
}

export type Normalizer = (section: Section) => Section;
export type PreTokenizer = (pieces: Pieces) => Pieces;

/**
 * A pre-tokenizer that cuts one piece at a time; `cut` must return parts of the text in order, and may leave some out. `locate` says where the parts begin; it
 * is needed if what is left out may hold the text of the next part.
 */
export function cutEach(
  cut: (text: string) => readonly string[],
  locate: (text: string, parts: readonly string[]) => readonly number[] = inOrder,
): PreTokenizer {
  return ({ texts, first, origins }) => {
    if (origins !== undefined) return cutLocated({ texts, first, origins }, cut, locate);
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

function cutLocated(
  { texts, first, origins }: Required<Pieces>,
  cut: (text: string) => readonly string[],
  locate: (text: string, parts: readonly string[]) => readonly number[],
): Pieces {
  const out: string[] = [];
  const outOrigins: Origins[] = [];
  for (const [index, text] of texts.entries()) {
    const own = origins?.[index];
    const parts = cut(text);
    const starts = locate(text, parts);
    for (const [at, part] of parts.entries()) {
      const start = starts[at] ?? 0;
      out.push(part);
      if (own !== undefined) outOrigins.push(sliceOrigins(own, start, start + part.length));
    }
  }
  return { texts: out, first: first && texts[0] !== undefined && beginsIt(out, texts[0]), origins: outOrigins };
}

/** Where parts of a text begin, each at the first place after the one before. */
function inOrder(text: string, parts: readonly string[]): number[] {
  let from = 0;
  return parts.map((part) => {
    const start = text.indexOf(part, from);
    from = start + part.length;
    return start;
  });
}
