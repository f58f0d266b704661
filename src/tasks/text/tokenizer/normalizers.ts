import { z } from 'zod';
import { bertNormalizer } from './bert-normalizer.ts';
import { toByteLetters } from './byte-letters.ts';
import { charsmapNormalizer } from './charsmap.ts';
import { LocatedText, sliceOrigins } from './origins.ts';
import { part, plainPart, readPart, type PartTable } from './part.ts';
import { compilePattern, eachMatch, patternSchema } from './pattern.ts';
import type { Normalizer, Section } from './pieces.ts';
import { dropping, lowered, mapping, nmt, normalForm, withoutMarks } from './unicode-normalizers.ts';

/** Readers of the `normalizer` of tokenizer.json, which changes texts before they are cut. */

const LEADING = /^\p{White_Space}+/u;
const TRAILING = /\p{White_Space}+$/u;

const NORMALIZERS: PartTable<Normalizer> = {
  BertNormalizer: part(
    {
      clean_text: z.boolean(),
      handle_chinese_chars: z.boolean(),
      strip_accents: z.boolean().nullable().default(null),
      lowercase: z.boolean(),
    },
    bertNormalizer,
  ),
  ByteLevel: plainPart(mapping(toByteLetters)),
  Lowercase: plainPart(mapping(lowered)),
  NFC: plainPart(mapping(normalForm('NFC'))),
  NFD: plainPart(mapping(normalForm('NFD'))),
  NFKC: plainPart(mapping(normalForm('NFKC'))),
  NFKD: plainPart(mapping(normalForm('NFKD'))),
  Nmt: plainPart(dropping(nmt)),
  // In the reference it drops characters without recording where the text begins afterwards.
  Precompiled: part({ precompiled_charsmap: z.string() }, ({ precompiled_charsmap: map }) =>
    mapping(charsmapNormalizer(map)),
  ),
  Prepend: part(
    { prepend: z.string() },
    ({ prepend }) =>
      (section) =>
        section.text === '' ? section : prepended(section, prepend),
  ),
  Replace: part({ pattern: patternSchema, content: z.string() }, replacing),
  Sequence: part({ normalizers: z.array(z.unknown()) }, ({ normalizers }) => {
    const all = normalizers.map(readNormalizer);
    return (section) => all.reduce((now, normalize) => normalize(now), section);
  }),
  Strip: part({ strip_left: z.boolean(), strip_right: z.boolean() }, stripping),
  StripAccents: plainPart(dropping(withoutMarks)),
};

/** Throws a plain Error that names what is not supported. */
export function readNormalizer(definition: unknown): Normalizer {
  if (definition === null || definition === undefined) return (section) => section;
  return readPart(NORMALIZERS, definition, 'normalizer');
}

function stripping({
  strip_left: left,
  strip_right: right,
}: {
  strip_left: boolean;
  strip_right: boolean;
}): Normalizer {
  return ({ text, first, origins }) => {
    const begun = left ? text.replace(LEADING, '') : text;
    const kept = right ? withoutEnd(begun) : begun;
    const from = text.length - begun.length;
    return {
      text: kept,
      first: first && from === 0,
      origins: origins && sliceOrigins(origins, from, from + kept.length),
    };
  };
}

/** The text without trailing white space, searched from the end: a regular expression would try every space of the text. */
function withoutEnd(text: string): string {
  let end = text.length;
  while (end > 0 && TRAILING.test(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}

function replacing({ pattern, content }: { pattern: z.output<typeof patternSchema>; content: string }): Normalizer {
  const regex = compilePattern(pattern);
  return (section) => {
    const { text, first, origins } = section;
    if (text === '') return section;
    let out = '';
    let from = 0;
    let begins = first;
    const located = origins && new LocatedText(origins);
    eachMatch(text, regex, (start, end) => {
      out += text.slice(from, start) + content;
      if (located !== undefined) {
        located.keep(text, from, start);
        located.add(content, Math.max(0, end - 1), Math.max(1, end));
      }
      from = end;
      // The reference places new characters where the last of the old ones was.
      if (start === 0 && end > 0 && (content === '' || end > 1)) begins = false;
    });
    located?.keep(text, from, text.length);
    return { text: out + text.slice(from), first: begins, origins: located?.finish().origins };
  };
}

/** What is put before a text stands for its first character, as in the reference. */
export function prepended({ text, first, origins }: Section, prefix: string): Section {
  if (origins === undefined) return { text: prefix + text, first };
  const located = new LocatedText(origins);
  located.add(prefix, 0, 1);
  located.keep(text, 0, text.length);
  return { ...located.finish(), first };
}
