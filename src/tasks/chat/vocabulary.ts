import type { Vocabulary } from '../../grammar/compile.ts';
import { SPECIAL, tokenTrie } from '../../grammar/token-trie.ts';
import { bytesOfLetters } from '../text/tokenizer/byte-letters.ts';
import type { TextTokenizer } from '../text/tokenizer.ts';
import { tokenBytes } from './token-bytes.ts';

/** A space and a line's end, as byte-level vocabularies (GPT-2) spell them. */
const BYTE_LEVEL = { Ġ: ' ', Ċ: '\n' } as const;

/** The tokens by which an answer is written. `ends`: tokens that end answers, which stand for no text. Takes some hundred milliseconds for a large vocabulary. */
export function vocabularyOf(tokenizer: TextTokenizer, ends: readonly number[]): Vocabulary {
  const isByteLevel = Object.entries(BYTE_LEVEL).every(([spelling, text]) => {
    const id = tokenizer.tokenToId(spelling);
    return id !== undefined && tokenizer.decode([id]) === text;
  });
  const specials = new Set<string>();
  const spellings = Array.from({ length: tokenizer.vocabularySize }, (_, id) => {
    const spelling = tokenizer.idToToken(id);
    if (spelling === undefined || ends.includes(id)) return undefined;
    if (tokenizer.specialIds.has(id)) {
      specials.add(spelling);
      return Buffer.concat([Buffer.of(SPECIAL), Buffer.from(spelling)]);
    }
    const letters = isByteLevel ? bytesOfLetters(spelling) : undefined;
    return Buffer.from(letters ?? tokenBytes(tokenizer, id).bytes);
  });
  return { trie: tokenTrie(spellings), specials };
}
