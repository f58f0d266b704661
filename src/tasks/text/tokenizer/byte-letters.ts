/**
 * Letters that stand for bytes in byte-level vocabularies (GPT-2's `bytes_to_unicode`): printable characters of Latin-1 stand for
 * their own bytes, the letters from U+0100 on for the other bytes.
 */
const LETTERS: readonly string[] = (() => {
  let other = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
    return String.fromCharCode(printable ? byte : other++);
  });
})();

const BYTES: ReadonlyMap<string, number> = new Map(LETTERS.map((letter, byte) => [letter, byte]));

const PRINTABLE = /^[!-~]*$/;

/** All 256 letters, by byte. */
export const BYTE_LETTERS: readonly string[] = LETTERS;

/** A text's UTF-8 bytes as letters. */
export function toByteLetters(text: string): string {
  if (PRINTABLE.test(text)) return text;
  let letters = '';
  for (const byte of Buffer.from(text, 'utf8')) letters += LETTERS[byte] ?? '';
  return letters;
}

/** The bytes that a token's letters stand for; undefined if a letter stands for none. */
export function bytesOfLetters(token: string): number[] | undefined {
  const bytes: number[] = [];
  for (const letter of token) {
    const byte = BYTES.get(letter);
    if (byte === undefined) return undefined;
    bytes.push(byte);
  }
  return bytes;
}
