import { bytesOfLetters } from '../text/tokenizer/byte-letters.ts';
import type { TextTokenizer } from '../text/tokenizer.ts';

/**
 * The bytes of one token, which may be a part of a character. The decoder gives whole characters; the bytes of a part come from the
 * token's spelling: `<0xF0>` (byte fallback of SentencePiece), or the letters that stand for bytes in byte-level vocabularies (GPT-2).
 */
export function tokenBytes(tokenizer: TextTokenizer, id: number): { text: string; bytes: number[] } {
  const alone = tokenizer.decode([id]);
  if (alone.includes('\ufffd')) {
    const bytes = spelledBytes(tokenizer.idToToken(id) ?? '');
    return { text: alone, bytes: bytes ?? [...Buffer.from(alone)] };
  }
  // Decoders write a first token differently (without its space, or with the mark of a word's later part); this one is rarely the first.
  const twice = tokenizer.decode([id, id]);
  const text = twice.startsWith(alone) ? twice.slice(alone.length) : alone;
  return { text, bytes: [...Buffer.from(text)] };
}

function spelledBytes(spelling: string): number[] | undefined {
  const fallback = /^<0x([0-9A-Fa-f]{2})>$/.exec(spelling);
  if (fallback?.[1] !== undefined) return [Number.parseInt(fallback[1], 16)];
  return bytesOfLetters(spelling);
}
