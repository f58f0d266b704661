import type { TokenModel } from './model.ts';

interface Tokens {
  /** By id. */
  readonly tokens: readonly (string | undefined)[];
  readonly marks: TokenModel['marks'];
}

type Place = readonly [start: number, end: number];

/** Where a word's tokens are in it. Models give ids alone, but a token's text says how much of the word it stands for. */
export function placesOf(word: string, ids: readonly number[], { tokens, marks }: Tokens): Place[] {
  if (ids.length === 1) return [[0, word.length]];
  const texts = ids.map((id, index) =>
    plainText(tokens[id] ?? '', { isFirst: index === 0, isLast: index === ids.length - 1, ...marks }),
  );
  let at = 0;
  let bytes = 0;
  return texts.map((text, index): Place => {
    const end = at + sizeAt(word, at);
    if (text !== '' && word.startsWith(text, at)) {
      const start = at;
      at += text.length;
      return [start, at];
    }
    const place: Place = [at, BYTE.test(text) ? end : endOfUnknown(word, end, texts[index + 1])];
    if (!BYTE.test(text)) [, at] = place;
    else if ((bytes += 1) === Buffer.byteLength(word.slice(at, end))) {
      bytes = 0;
      at = end;
    }
    return place;
  });
}

/** A byte of a character without a token. */
const BYTE = /^<0x[0-9A-F]{2}>$/;

/** A token for unknown characters goes on to where the next token's text is; at least to `least`. */
function endOfUnknown(word: string, least: number, next: string | undefined): number {
  if (next === undefined) return word.length;
  const found = word.indexOf(next, least);
  return found === -1 ? least : found;
}

function sizeAt(word: string, at: number): number {
  return (word.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
}

interface Marks {
  readonly isFirst: boolean;
  readonly isLast: boolean;
  readonly prefix: string;
  readonly suffix: string;
}

function plainText(token: string, { isFirst, isLast, prefix, suffix }: Marks): string {
  const begun = !isFirst && prefix !== '' && token.startsWith(prefix) ? token.slice(prefix.length) : token;
  return isLast && suffix !== '' && begun.endsWith(suffix) ? begun.slice(0, -suffix.length) : begun;
}
