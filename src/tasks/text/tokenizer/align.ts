import type { addedTokenFinder } from './added-tokens.ts';
import type { TokenModel } from './model.ts';
import { ownOrigins, spanOf } from './origins.ts';
import type { PreTokenizer, Section } from './pieces.ts';
import type { Trimming } from './post-processors.ts';
import { placesOf } from './token-places.ts';

/** Tokens with their places in the text, in UTF-16 units. */
export interface Aligned {
  readonly ids: readonly number[];
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  /** Tokens of one word (a piece of the pre-tokenizer, or an added token) have the same number. */
  readonly words: readonly number[];
}

/** The parts of a pipeline. */
interface Parts {
  readonly eachStretch: ReturnType<typeof addedTokenFinder>;
  readonly cut: PreTokenizer;
  readonly idsOf: (word: string) => readonly number[];
  /** By id. */
  readonly tokens: readonly (string | undefined)[];
  readonly marks: TokenModel['marks'];
}

/** The tokens of a text that has no half characters. */
export function align(text: string, { eachStretch, ...parts }: Parts): Aligned {
  const out = new Tokens();
  eachStretch(
    text,
    (stretch, span) => {
      if (typeof stretch !== 'number') addSection(out, stretch, parts);
      else out.addWord([stretch], () => span ?? [0, 0]);
    },
    ownOrigins(text),
  );
  return out;
}

function addSection(
  out: Tokens,
  { text, first, origins }: Section,
  { cut, idsOf, tokens, marks }: Omit<Parts, 'eachStretch'>,
): void {
  const pieces = cut({ texts: [text], first, origins: origins && [origins] });
  for (const [index, word] of pieces.texts.entries()) {
    const ids = idsOf(word);
    const places = placesOf(word, ids, { tokens, marks });
    const own = pieces.origins?.[index];
    out.addWord(ids, (at) => {
      const [from, to] = places[at] ?? [0, 0];
      return own === undefined ? [0, 0] : spanOf(own, from, to);
    });
  }
}

class Tokens implements Aligned {
  readonly ids: number[] = [];
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  readonly words: number[] = [];
  #words = 0;

  addWord(ids: readonly number[], placeOf: (index: number) => readonly [start: number, end: number]): void {
    for (const [index, id] of ids.entries()) {
      const [start, end] = placeOf(index);
      this.ids.push(id);
      this.starts.push(start);
      this.ends.push(end);
      this.words.push(this.#words);
    }
    this.#words += 1;
  }
}

/** A space as byte-level tokens write it. */
const LETTER = '\u0120';

/** Places of tokens without the spaces at their edges, counted as the reference counts them: by the tokens' texts. */
export function withoutSpaces(
  aligned: Aligned,
  textOf: (id: number, index: number) => string,
  { spaceBefore }: Trimming,
): Aligned {
  const starts = [...aligned.starts];
  const ends = [...aligned.ends];
  for (const [index, id] of aligned.ids.entries()) {
    const token = textOf(id, index);
    let leading = 0;
    while (leading < token.length && isSpace(token.charAt(leading))) leading += 1;
    let trailing = 0;
    while (trailing < token.length && isSpace(token.charAt(token.length - 1 - trailing))) trailing += 1;
    const start = starts[index] ?? 0;
    const end = ends[index] ?? 0;
    // A single space before the first token was put there.
    const own = leading === 1 && spaceBefore && (index === 0 || start === 0) ? 0 : leading;
    const begin = Math.min(start + own, end);
    starts[index] = begin;
    if (trailing > 0 && end >= trailing) ends[index] = Math.max(end - trailing, begin);
  }
  return { ...aligned, starts, ends };
}

function isSpace(character: string): boolean {
  return character === LETTER || character.trim() === '';
}
