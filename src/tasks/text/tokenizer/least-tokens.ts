import { BYTE_LETTERS } from './byte-letters.ts';
import { isObject, type JsonObject } from '../../../json.ts';
import { readNormalizer } from './normalizers.ts';

/**
 * A lower bound of a text's number of tokens, in time linear in its length, so that a text that is far too long is refused before it
 * is tokenised. Each letter counts as 1 / (length of the longest token that has it), so no token counts for more than one.
 */

/** The bound as a function of texts; undefined if a token can stand for text of any length (white space is dropped, or whole words are unknown). */
export function leastTokensOf(
  definition: JsonObject,
  vocabulary: ReadonlyMap<string, number>,
): ((text: string) => number) | undefined {
  const { normalizer, model, pre_tokenizer: preTokenizer, added_tokens: added } = definition;
  if (!keepsAll(normalizer) || !cutsOnly(preTokenizer) || !isObject(model) || model['type'] !== 'BPE') return undefined;
  const others = addedTexts(added);
  if (others === undefined) return undefined;
  const normalize = readNormalizer(normalizer);
  const count = writesBytes(preTokenizer)
    ? byBytes(vocabulary, others)
    : model['byte_fallback'] === true
      ? byCharacters(vocabulary, others)
      : undefined;
  return count && ((text) => count(normalize({ text, first: true }).text));
}

function byBytes(vocabulary: ReadonlyMap<string, number>, others: readonly string[]) {
  const longest = longestByCharacter(vocabulary.keys());
  // Bytes that no UTF-8 text has may be missing from the vocabulary; they are left out.
  const shares = Float64Array.from(BYTE_LETTERS, (letter) =>
    vocabulary.has(letter) ? 1 / (longest.get(letter) ?? 1) : 0,
  );
  for (const text of others) {
    const bytes = Buffer.from(text, 'utf8');
    for (const byte of bytes) shares[byte] = Math.min(shares[byte] ?? 0, 1 / bytes.length);
  }
  return (text: string): number => {
    let least = 0;
    for (const byte of Buffer.from(text, 'utf8')) least += shares[byte] ?? 0;
    return Math.floor(least);
  };
}

/** The bound for vocabularies of characters, where a character without a token becomes its bytes, each a token. */
function byCharacters(vocabulary: ReadonlyMap<string, number>, others: readonly string[]) {
  for (let byte = 0; byte < 256; byte += 1)
    if (!vocabulary.has(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`)) return undefined;
  const longest = longestByCharacter([...vocabulary.keys(), ...others]);
  // Spaces may have been replaced by marks already, or may be later.
  longest.set(' ', Math.max(longest.get(' ') ?? 1, longest.get('\u2581') ?? 1));
  return (text: string): number => {
    let least = 0;
    for (const character of text) least += 1 / (longest.get(character) ?? 1);
    return Math.floor(least);
  };
}

/** For each character, the length of the longest text that has it. */
function longestByCharacter(texts: Iterable<string>): Map<string, number> {
  const longest = new Map<string, number>();
  for (const text of texts)
    for (const character of text) longest.set(character, Math.max(longest.get(character) ?? 1, text.length));
  return longest;
}

/** Texts of added tokens; undefined if one of them also takes the white space around it. */
function addedTexts(added: unknown): string[] | undefined {
  const texts: string[] = [];
  for (const token of Array.isArray(added) ? (added as readonly unknown[]) : []) {
    if (!isObject(token) || typeof token['content'] !== 'string') return undefined;
    if (token['lstrip'] === true || token['rstrip'] === true) return undefined;
    texts.push(token['content']);
  }
  return texts;
}

/** Whether a normalizer removes nothing. */
function keepsAll(normalizer: unknown): boolean {
  if (!isObject(normalizer)) return true;
  const { type, normalizers, content } = normalizer;
  if (type === 'Sequence') return Array.isArray(normalizers) && normalizers.every(keepsAll);
  if (type === 'Replace') return content !== '';
  return ['NFC', 'NFD', 'NFKC', 'NFKD', 'Prepend'].includes(String(type));
}

/** Whether a pre-tokenizer leaves out nothing of a text. */
function cutsOnly(preTokenizer: unknown): boolean {
  if (!isObject(preTokenizer)) return true;
  const { type, behavior, pretokenizers } = preTokenizer;
  if (type === 'Sequence') return Array.isArray(pretokenizers) && pretokenizers.every(cutsOnly);
  if (type === 'Split' || type === 'Punctuation') return behavior !== 'Removed';
  return ['ByteLevel', 'Metaspace', 'Digits'].includes(String(type));
}

function writesBytes(preTokenizer: unknown): boolean {
  if (!isObject(preTokenizer)) return false;
  const { type, pretokenizers } = preTokenizer;
  return type === 'ByteLevel' || (Array.isArray(pretokenizers) && pretokenizers.some(writesBytes));
}
