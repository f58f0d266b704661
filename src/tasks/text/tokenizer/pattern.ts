import { z } from 'zod';
import { literal } from './oniguruma-class.ts';
import { fromOniguruma } from './oniguruma.ts';

/** Patterns of tokenizer.json: where they match, and how a text is cut there. */

/** A literal text, or a regular expression. */
export const patternSchema = z.union([z.strictObject({ String: z.string() }), z.strictObject({ Regex: z.string() })]);

export const BEHAVIORS = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'] as const;
/** What happens to the matches at which a text is cut. */
export type Behavior = (typeof BEHAVIORS)[number];

/** A RegExp with the flags `g` and `v`. Throws a plain Error for unsupported regular expressions. */
export function compilePattern(pattern: z.output<typeof patternSchema>): RegExp {
  if ('Regex' in pattern) return new RegExp(fromOniguruma(pattern.Regex), 'gv');
  return new RegExp(Array.from(pattern.String, literal).join('') || '(?:)', 'gv');
}

/**
 * Calls back for each match in order. As in Oniguruma's iteration, an empty match right after another match does not count, and the search
 * goes on one character later.
 */
export function eachMatch(text: string, regex: RegExp, found: (start: number, end: number) => void): void {
  let lastEnd = -1;
  regex.lastIndex = 0;
  for (let match = regex.exec(text); match !== null; match = regex.exec(text)) {
    const start = match.index;
    const end = regex.lastIndex;
    // JavaScript also looks behind from within a surrogate pair.
    if (start < end || (end !== lastEnd && !isWithinCharacter(text, end))) {
      found(start, end);
      lastEnd = end;
    }
    if (start === end) regex.lastIndex = end + ((text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1);
  }
  regex.lastIndex = 0;
}

function isWithinCharacter(text: string, index: number): boolean {
  const code = index === 0 ? undefined : text.codePointAt(index - 1);
  return code !== undefined && code > 0xffff;
}

/** A match, or the text between two matches; `inverted` swaps the two. */
interface Stretch {
  start: number;
  end: number;
  readonly matches: boolean;
}

/** The parts of a text that is cut at the matches of a pattern; none is empty. */
export function cutAt(text: string, regex: RegExp, { behavior, inverted }: Cutting): string[] {
  const parts: string[] = [];
  if (behavior === 'Isolated') {
    let from = 0;
    eachMatch(text, regex, (start, end) => {
      if (from < start) parts.push(text.slice(from, start));
      if (start < end) parts.push(text.slice(start, end));
      from = end;
    });
    if (from < text.length) parts.push(text.slice(from));
    return parts;
  }
  const joined = join(stretches(text, regex, inverted), behavior);
  for (const { start, end, matches } of joined)
    if (start < end && !(matches && behavior === 'Removed')) parts.push(text.slice(start, end));
  return parts;
}

/** Where the parts of `cutAt` begin if the matches are removed. */
export function startsBetween(text: string, regex: RegExp, inverted: boolean): number[] {
  return stretches(text, regex, inverted)
    .filter(({ start, end, matches }) => start < end && !matches)
    .map(({ start }) => start);
}

export interface Cutting {
  readonly behavior: Behavior;
  /** The texts between matches are taken for the matches. */
  readonly inverted: boolean;
}

function stretches(text: string, regex: RegExp, inverted: boolean): Stretch[] {
  const all: Stretch[] = [];
  let from = 0;
  eachMatch(text, regex, (start, end) => {
    if (from < start) all.push({ start: from, end: start, matches: inverted });
    all.push({ start, end, matches: !inverted });
    from = end;
  });
  if (from < text.length) all.push({ start: from, end: text.length, matches: inverted });
  return all;
}

function join(all: readonly Stretch[], behavior: Behavior): readonly Stretch[] {
  if (behavior === 'Removed' || behavior === 'Isolated') return all;
  const backwards = behavior === 'MergedWithNext';
  const joined: Stretch[] = [];
  // The first stretch counts as if it followed one that does not match.
  let previous = false;
  for (const stretch of backwards ? all.toReversed() : all) {
    const last = joined.at(-1);
    const joins = behavior === 'Contiguous' ? stretch.matches === previous : stretch.matches && !previous;
    if (last === undefined || !joins) joined.push({ ...stretch });
    else if (backwards) last.start = stretch.start;
    else last.end = stretch.end;
    previous = stretch.matches;
  }
  return backwards ? joined.reverse() : joined;
}
