import { createTokenizer, type TextTokenizer } from '../../../src/tasks/text/tokenizer.ts';

/** GPT-2's letters for bytes, in byte order. */
const LETTERS = ((): string[] => {
  let other = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xff && byte !== 0xad);
    return String.fromCodePoint(printable ? byte : other++);
  });
})();

const special = (id: number, content: string) => ({
  ...{ id, content, special: true, single_word: false, lstrip: false, rstrip: false, normalized: false },
});

/** tokenizer.json of a byte-level tokenizer whose tokens are the bytes, id = byte; 256 ends a text, 257 begins one. */
export const BYTE_TOKENIZER = {
  model: { type: 'BPE', vocab: Object.fromEntries(LETTERS.map((letter, byte) => [letter, byte])), merges: [] },
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
  decoder: { type: 'ByteLevel' },
  added_tokens: [special(256, '<end>'), special(257, '<begin>')],
};

export function byteTokenizer(): TextTokenizer {
  return createTokenizer(BYTE_TOKENIZER, { eos_token: '<end>', bos_token: '<begin>' });
}

/** A tokenizer as SentencePiece's: words begin with U+2581, bytes without a token are spelled out. */
export function sentencePieceTokenizer(): TextTokenizer {
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
  const words = ['<unk>', '\u2581Hello', '\u2581wor', 'ld', '!', '\u2581'];
  const vocab = Object.fromEntries([...words, ...bytes].map((token, id) => [token, id]));
  return createTokenizer({
    model: { type: 'BPE', vocab, merges: [], byte_fallback: true, fuse_unk: true, unk_token: '<unk>' },
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '\u2581' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        { type: 'Strip', content: ' ', start: 1, stop: 0 },
      ],
    },
  });
}
