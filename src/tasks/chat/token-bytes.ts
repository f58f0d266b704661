import { bytesOfLetters } from '../text/tokenizer/byte-letters.ts';
import type { TextTokenizer } from '../text/tokenizer.ts';

/**
 * The bytes of one token, which may be a part of a character. Whole characters are what the decoder gives; for parts the token's
 * own spelling tells: `<0xF0>` (byte fallback of SentencePiece), or the letters that stand for bytes in byte-level vocabularies (GPT-2).
 */
export function tokenBytes(tokenizer: TextTokenizer, id: number): { text: string; bytes: number[] } {
  const spelling = tokenizer.idToToken(id) ?? '';
  const decoded = tokenizer.decode([id]);
  // A decoder drops the space of a first token; this one is rarely the first.
  const text = spelling.startsWith('\u2581') && !decoded.startsWith(' ') ? ` ${decoded}` : decoded;
  const bytes = text.includes('\ufffd') ? spelledBytes(spelling) : undefined;
  return { text, bytes: bytes ?? [...new TextEncoder().encode(text)] };
}

function spelledBytes(spelling: string): number[] | undefined {
  const fallback = /^<0x([0-9A-Fa-f]{2})>$/.exec(spelling);
  if (fallback?.[1] !== undefined) return [Number.parseInt(fallback[1], 16)];
  return bytesOfLetters(spelling);
}
