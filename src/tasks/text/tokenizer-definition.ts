/**
 * Where `@huggingface/tokenizers` reads a tokenizer.json otherwise than Hugging Face's own tokenizers (compared on thousands of texts
 * of many scripts), the definition and the text are put such that the ids come out the same.
 */

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** GPT-2's pattern. As a `Split`, its \s is Unicode's white space; within the library's `ByteLevel` it is JavaScript's (U+FEFF, not U+0085). */
const BYTE_LEVEL_PATTERN = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/** The definition with all its parts, and pre-tokenizers that the library gets wrong written in others. */
export function completeDefinition(definition: JsonObject): JsonObject {
  return {
    normalizer: null,
    post_processor: null,
    decoder: null,
    added_tokens: [],
    ...definition,
    pre_tokenizer: rewritten(definition['pre_tokenizer'] ?? null),
  };
}

function rewritten(preTokenizer: unknown): unknown {
  if (!isObject(preTokenizer)) return preTokenizer;
  const { type, pretokenizers } = preTokenizer as { type?: unknown; pretokenizers?: unknown };
  if (type === 'Sequence' && Array.isArray(pretokenizers))
    return { ...preTokenizer, pretokenizers: pretokenizers.map(rewritten) };
  // Digits of all scripts are digits; the library knows 0 to 9.
  if (type === 'Digits') return split(preTokenizer['individual_digits'] === true ? '\\p{N}' : '\\p{N}+');
  if (type === 'ByteLevel' && preTokenizer['use_regex'] !== false && preTokenizer['add_prefix_space'] !== true)
    return {
      type: 'Sequence',
      pretokenizers: [split(BYTE_LEVEL_PATTERN), { ...preTokenizer, use_regex: false }],
    };
  return preTokenizer;
}

function split(regex: string): JsonObject {
  return { type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false };
}

/** JSON can say half a character ("\\ud800"), UTF-8 cannot. */
const LONE_SURROGATE = /\p{Surrogate}/gu;

/** CJK characters outside the basic plane, by the ranges of BERT's tokenizer; the library sets spaces around those of the basic plane alone. */
const ASTRAL_CJK =
  /[\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu;

/** What is to be done to a text before the library gets it. */
export function textCorrection(normalizer: unknown): (text: string) => string {
  const spacesCjk = has(normalizer, 'BertNormalizer', 'handle_chinese_chars');
  const lowers = has(normalizer, 'BertNormalizer', 'lowercase') || has(normalizer, 'Lowercase');
  return (text) => {
    let corrected = text.replace(LONE_SURROGATE, '\ufffd');
    if (spacesCjk) corrected = corrected.replace(ASTRAL_CJK, ' $& ');
    // JavaScript makes a sigma at the end of a word another letter than one within; tokenizers lower each character by itself.
    return lowers ? corrected.replaceAll('\u03a3', '\u03c3') : corrected;
  };
}

function has(normalizer: unknown, type: string, flag?: string): boolean {
  if (!isObject(normalizer)) return false;
  const parts = normalizer['normalizers'];
  if (Array.isArray(parts)) return parts.some((part) => has(part, type, flag));
  return normalizer['type'] === type && (flag === undefined || normalizer[flag] === true);
}
