import type { TextTokenizer } from '../text/tokenizer.ts';
import { joinOverlap, type Part, type Spelling } from './seam.ts';

/** Joins each window that shares audio with the one before it to that one. */
export function joinAll(parts: readonly Part[], tokenizer: TextTokenizer): void {
  const spelling = spellingOf(tokenizer);
  for (const [index, after] of parts.entries()) {
    const before = parts[index - 1];
    if (before === undefined || after.window.overlap === 0) continue;
    if (before.segments.length === 0 || after.segments.length === 0) continue;
    const joined = joinOverlap(before, after, spelling);
    before.segments = joined.before;
    after.segments = joined.after;
  }
}

/** Byte-level tokens with a space before them begin with this. */
const SPACE = '\u0120';

function spellingOf(tokenizer: TextTokenizer): Spelling {
  return (id) => {
    const token = tokenizer.idToToken(id) ?? '';
    const word = (token.startsWith(SPACE) ? token.slice(1) : token).toLowerCase();
    return /^[!-/:-@[-`{-~]*$/.test(word) ? '' : word;
  };
}

/** Scripts without spaces between words. */
const UNSPACED =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

/** Adds a window's text. Most begin with a space; where one does not, its first word must not stick to the last one. */
export function append(text: string, more: string): string {
  if (text === '' || more === '' || /\s$/.test(text) || /^[\s!-/:-@]/.test(more) || UNSPACED.test(more))
    return text + more;
  return `${text} ${more}`;
}
