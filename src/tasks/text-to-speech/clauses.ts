import { isSpoken } from './sentences.ts';

/** A stretch of a sentence that is spoken in one breath, for espeak-ng, which gives phonemes without punctuation. */
export interface Clause {
  /** On one line, without the punctuation that ends it. */
  readonly words: string;
  /** The punctuation after it as voices know it: `, : ; ! ? .`, or nothing. */
  readonly mark: string;
}

/** Punctuation at the end of a word, perhaps within quotes or brackets; a comma or point between digits is none. */
const BREAK = /([,:;!?.…]+|[，、；：！？。])["'”’»)\]]*(?=\s|$)|[，、；：！？。]|\s[–—-]+\s|—/gu;
const WIDE: Readonly<Record<string, string>> = {
  '，': ',',
  '、': ',',
  '；': ';',
  '：': ':',
  '！': '!',
  '？': '?',
  '。': '.',
  '…': '.',
};
/** What espeak-ng takes as the end of a clause, or as phonemes and not as text, where it is no punctuation. */
const MISLEADING = /[()[\]{}<>|"“”„«»¿¡—–…\p{Cc}]|\[\[/gu;

/** The clauses of a sentence, in order; none without letters or digits. */
export function clausesOf(text: string): Clause[] {
  const clauses: { words: string; mark: string }[] = [];
  let from = 0;
  const add = (words: string, mark: string): void => {
    const clean = words.replace(MISLEADING, ' ').replace(/\s+/g, ' ').trim();
    if (isSpoken(clean)) clauses.push({ words: clean, mark });
  };
  for (const { 0: found, 1: marks = '', index } of text.matchAll(BREAK)) {
    const words = text.slice(from, index);
    // Within a sentence, a point is part of an abbreviation.
    if (marks === '.' && index + found.length < text.length) continue;
    add(words, markOf(found.trim()));
    from = index + found.length;
  }
  add(text.slice(from), '');
  return clauses;
}

/** The strongest of several marks is the last that is no point: `?!` is read as a question. */
function markOf(found: string): string {
  const marks = Array.from(found, (one) => WIDE[one] ?? one).filter((one) => ',:;!?.'.includes(one));
  if (marks.length === 0) return ',';
  return marks.find((one) => one === '?') ?? marks.find((one) => one === '!') ?? marks[0] ?? '';
}
