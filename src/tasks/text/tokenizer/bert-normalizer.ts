import type { Normalizer } from './pieces.ts';
import { ALSO_NONSPACING, NOT_FORMAT, NOT_NONSPACING } from './reference-characters.ts';
import { decomposed, dropping, lowered } from './unicode-normalizers.ts';

/** BERT's cleaning of texts: removes control characters, accents and capitals, makes white space spaces, and puts spaces around Chinese characters. */
export interface BertNormalizerOptions {
  readonly clean_text: boolean;
  readonly handle_chinese_chars: boolean;
  /** null: the same as `lowercase`. */
  readonly strip_accents: boolean | null;
  readonly lowercase: boolean;
}

const CONTROLS = new RegExp(`[[\\0\\ufffd\\p{Cc}\\p{Cf}\\p{Co}]--[\\t\\n\\r${NOT_FORMAT}]]`, 'gv');
const WHITE_SPACE = /\p{White_Space}/gu;
const CHINESE =
  /[\u4e00-\u9fff\u3400-\u4dbf\uf900-\ufaff\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu;
const ACCENTS = new RegExp(`[[\\p{Mn}${ALSO_NONSPACING}]--[${NOT_NONSPACING}]]`, 'gv');
/** In texts of only these characters, only capitals change. */
const PLAIN = /^[ -~]*$/;

/** The `BertNormalizer` of tokenizer.json with these options. */
export function bertNormalizer(options: BertNormalizerOptions): Normalizer {
  const { clean_text: cleans, handle_chinese_chars: spaces, lowercase: lowers } = options;
  const strips = options.strip_accents ?? lowers;
  return dropping((text) => {
    if (PLAIN.test(text)) return lowers ? text.toLowerCase() : text;
    let out = text;
    if (cleans) out = out.replace(CONTROLS, '').replace(WHITE_SPACE, ' ');
    if (spaces) out = out.replace(CHINESE, ' $& ');
    if (strips) out = decomposed(out).replace(ACCENTS, '');
    return lowers ? lowered(out) : out;
  });
}
