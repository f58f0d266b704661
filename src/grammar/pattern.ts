import { joined, type Range } from './characters.ts';

/** What a text may be, character by character. */
export type Pattern =
  | { readonly kind: 'set'; readonly ranges: readonly Range[] }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly Pattern[] }
  | { readonly kind: 'repeat'; readonly part: Pattern; readonly least: number; readonly most: number };

export const EMPTY: Pattern = { kind: 'sequence', parts: [] };

export function set(...ranges: readonly Range[]): Pattern {
  return { kind: 'set', ranges: joined(ranges) };
}

export function sequence(...parts: readonly Pattern[]): Pattern {
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : { kind: 'sequence', parts };
}

/** One of several; of none, there is no text. */
export function choice(...parts: readonly Pattern[]): Pattern {
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : { kind: 'choice', parts };
}

export function repeat(part: Pattern, least: number, most: number): Pattern {
  return { kind: 'repeat', part, least, most };
}

export function optional(part: Pattern): Pattern {
  return repeat(part, 0, 1);
}

export function literal(text: string): Pattern {
  return sequence(
    ...Array.from(text, (character) => {
      const point = character.codePointAt(0) ?? 0;
      return set([point, point]);
    }),
  );
}
