import { z } from 'zod';
import { sliceOrigins, spanOf, type Origins } from './origins.ts';
import type { Normalizer, Section } from './pieces.ts';

/** Added tokens, which are found in a text as they are written, before it is cut into words. */

export const addedTokenSchema = z.strictObject({
  id: z.number().int().min(0),
  content: z.string(),
  single_word: z.boolean().default(false),
  lstrip: z.boolean().default(false),
  rstrip: z.boolean().default(false),
  /** Whether it is searched for in the normalized text. */
  normalized: z.boolean().default(true),
  special: z.boolean().default(false),
});

export type AddedToken = z.output<typeof addedTokenSchema>;

/**
 * Calls back for the stretches of a text in order: the id of an added token, or a normalized section without one. With the text's origins, sections have
 * theirs, and ids come with the stretch of the text that they stand for.
 */
export function addedTokenFinder(tokens: readonly AddedToken[], normalize: Normalizer) {
  const asWritten = new Finder(tokens.filter(({ normalized }) => !normalized).map((token) => [token.content, token]));
  const asNormalized = new Finder(
    tokens.filter(({ normalized }) => normalized).map((token) => [spellingOf(token, normalize), token]),
  );
  return (
    text: string,
    each: (stretch: number | Section, span?: readonly [start: number, end: number]) => void,
    origins?: Origins,
  ): void => {
    asWritten.find(text, (stretch, start, end) => {
      if (typeof stretch === 'number') {
        each(stretch, [start, end]);
        return;
      }
      const own = origins && sliceOrigins(origins, start, end);
      const section = normalize({ text: stretch, first: start === 0, origins: own });
      asNormalized.find(section.text, (inner, at, to) => {
        if (typeof inner === 'number') each(inner, section.origins && spanOf(section.origins, at, to));
        else
          each({
            text: inner,
            first: section.first && at === 0,
            origins: section.origins && sliceOrigins(section.origins, at, to),
          });
      });
    });
  };
}

/** How a token is written in normalized texts, and in decoded ones. */
export function spellingOf({ content, normalized }: AddedToken, normalize: Normalizer): string {
  return normalized ? normalize({ text: content, first: true }).text : content;
}

interface Node {
  readonly next: Map<number, Node>;
  token?: AddedToken;
}

/** White space or a character of words (Rust's \w) at the edges of texts. */
const WORD_BEFORE = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const WORD_BEHIND = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;
const SPACE = /\p{White_Space}/u;

/** Finds tokens in a text; of those that begin at the same place, the longest. */
class Finder {
  readonly #root: Node = { next: new Map() };
  /** Matches the UTF-16 units that tokens begin with. */
  readonly #starts: RegExp | undefined;

  constructor(tokens: readonly (readonly [string, AddedToken])[]) {
    for (const [content, token] of tokens) {
      let node = this.#root;
      for (let at = 0; at < content.length; at += 1) {
        const unit = content.charCodeAt(at);
        let next = node.next.get(unit);
        if (next === undefined) node.next.set(unit, (next = { next: new Map() }));
        node = next;
      }
      if (content !== '') node.token = token;
    }
    const units = Array.from(this.#root.next.keys(), (unit) => `\\u${unit.toString(16).padStart(4, '0')}`);
    if (units.length > 0) this.#starts = new RegExp(`[${units.join('')}]`, 'g');
  }

  /** Calls back for each id, and for each non-empty text between two of them, with its place in the text. */
  find(text: string, each: (stretch: number | string, start: number, end: number) => void): void {
    let from = 0;
    for (const { start, end, token } of this.#matches(text)) {
      if (token.single_word && !standsAlone(text, start, end)) continue;
      let first = start;
      let last = end;
      if (token.lstrip) while (first > from && SPACE.test(text.charAt(first - 1))) first -= 1;
      if (token.rstrip) while (last < text.length && SPACE.test(text.charAt(last))) last += 1;
      if (from < first) each(text.slice(from, first), from, first);
      each(token.id, first, last);
      from = last;
    }
    if (from < text.length) each(text.slice(from), from, text.length);
  }

  *#matches(text: string): Generator<{ start: number; end: number; token: AddedToken }> {
    const starts = this.#starts;
    if (starts === undefined) return;
    for (let at = 0; at < text.length;) {
      starts.lastIndex = at;
      const candidate = starts.exec(text);
      if (candidate === null) return;
      const found = this.#longestAt(text, candidate.index);
      if (found === undefined) at = candidate.index + 1;
      else {
        yield { start: candidate.index, ...found };
        at = found.end;
      }
    }
  }

  #longestAt(text: string, start: number): { end: number; token: AddedToken } | undefined {
    let found: { end: number; token: AddedToken } | undefined;
    let node: Node | undefined = this.#root;
    for (let at = start; at < text.length; at += 1) {
      node = node.next.get(text.charCodeAt(at));
      if (node === undefined) break;
      if (node.token !== undefined) found = { end: at + 1, token: node.token };
    }
    return found;
  }
}

function standsAlone(text: string, start: number, end: number): boolean {
  return !WORD_BEFORE.test(text.slice(Math.max(0, start - 2), start)) && !WORD_BEHIND.test(text.slice(end, end + 2));
}
