import { z } from 'zod';
import { toByteLetters } from './byte-letters.ts';
import { prepended } from './normalizers.ts';
import { rewritten, sliceOrigins, type Origins } from './origins.ts';
import { part, plainPart, readPart, type PartTable } from './part.ts';
import { BEHAVIORS, compilePattern, cutAt, patternSchema, startsBetween, type Behavior } from './pattern.ts';
import { cutEach, type Pieces, type PreTokenizer, type Section } from './pieces.ts';
import { ALSO_PUNCTUATION, NOT_PUNCTUATION } from './reference-characters.ts';

/** Readers of the `pre_tokenizer` of tokenizer.json, which cuts texts into words. */

/** GPT-2's pattern; `\s` is Unicode's white space, not JavaScript's. */
const GPT2 =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;
const MARK = `[[\\p{P}\\u0021-\\u002f\\u003a-\\u0040\\u005b-\\u0060\\u007b-\\u007e${ALSO_PUNCTUATION}]--[${NOT_PUNCTUATION}]]`;
const PUNCTUATION = new RegExp(MARK, 'gv');
const BERT = new RegExp(`${MARK}|[^\\p{White_Space}${MARK}]+`, 'gv');
/** Rust's \w, which includes the characters that join letters. */
const WORD = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}';
const WORDS = new RegExp(`[${WORD}]+|[^${WORD}\\p{White_Space}]+`, 'gu');
const UNSPACED = /\P{White_Space}+/gu;
const NUMBERS = { single: /\p{N}/gu, run: /\p{N}+/gu };

const PRE_TOKENIZERS: PartTable<PreTokenizer> = {
  BertPreTokenizer: plainPart(matchesOf(BERT)),
  ByteLevel: part(
    {
      add_prefix_space: z.boolean().default(true),
      use_regex: z.boolean().default(true),
      // Only for offsets.
      trim_offsets: z.boolean().optional(),
    },
    byteLevel,
  ),
  CharDelimiterSplit: part({ delimiter: character() }, ({ delimiter }) =>
    cutEach((text) => text.split(delimiter).filter((piece) => piece !== '')),
  ),
  Digits: part({ individual_digits: z.boolean().default(false) }, ({ individual_digits: single }) =>
    cutting(single ? NUMBERS.single : NUMBERS.run, 'Isolated'),
  ),
  FixedLength: part({ length: z.number().int().min(1) }, ({ length }) => cutEach((text) => inLengths(text, length))),
  Metaspace: part(
    {
      replacement: character(),
      prepend_scheme: z.enum(['always', 'first', 'never']).default('always'),
      split: z.boolean().nullable().default(true),
      // In older files.
      add_prefix_space: z.boolean().nullable().optional(),
      str_rep: z.string().optional(),
    },
    ({ replacement, prepend_scheme: scheme, split, add_prefix_space: prefix }) => {
      if (prefix === false && scheme !== 'never') throw new Error('add_prefix_space and prepend_scheme differ');
      return metaspace({ replacement, scheme, splits: split !== false });
    },
  ),
  Punctuation: part({ behavior: z.enum(BEHAVIORS).default('Isolated') }, ({ behavior }) =>
    cutting(PUNCTUATION, behavior),
  ),
  Sequence: part({ pretokenizers: z.array(z.unknown()) }, ({ pretokenizers }) => {
    const all = pretokenizers.map(readPreTokenizer);
    return (pieces) => all.reduce((now, cut) => cut(now), pieces);
  }),
  Split: part(
    { pattern: patternSchema, behavior: z.enum(BEHAVIORS), invert: z.boolean().default(false) },
    ({ pattern, behavior, invert }) => cutting(compilePattern(pattern), behavior, invert),
  ),
  Whitespace: plainPart(matchesOf(WORDS)),
  WhitespaceSplit: plainPart(matchesOf(UNSPACED)),
};

/** The pre-tokenizer of a definition. Throws a plain Error that names what is not supported. */
export function readPreTokenizer(definition: unknown): PreTokenizer {
  if (definition === null || definition === undefined) return (pieces) => pieces;
  return readPart(PRE_TOKENIZERS, definition, 'pre-tokenizer');
}

function character() {
  return z.string().refine((text) => Array.from(text).length === 1, 'is not one character');
}

function matchesOf(regex: RegExp): PreTokenizer {
  return cutEach((text) => text.match(regex) ?? []);
}

function cutting(regex: RegExp, behavior: Behavior, inverted = false): PreTokenizer {
  const cut = (text: string): string[] => cutAt(text, regex, { behavior, inverted });
  return behavior === 'Removed' ? cutEach(cut, (text) => startsBetween(text, regex, inverted)) : cutEach(cut);
}

function byteLevel({ add_prefix_space: prefix, use_regex: cuts }: { add_prefix_space: boolean; use_regex: boolean }) {
  const letters = (text: string): readonly string[] => (cuts ? (text.match(GPT2) ?? []) : [text]);
  return ({ texts, first, origins }: Pieces): Pieces => {
    if (origins !== undefined)
      return located({ texts, first, origins }, (section) => {
        const begun = prefix && !section.text.startsWith(' ') ? prepended(section, ' ') : section;
        return cutSection(begun, letters(begun.text)).map((piece) => changed(piece, toByteLetters));
      });
    const out: string[] = [];
    for (const text of texts) {
      const begun = prefix && !text.startsWith(' ') ? ` ${text}` : text;
      if (cuts) for (const piece of begun.match(GPT2) ?? []) out.push(toByteLetters(piece));
      else out.push(toByteLetters(begun));
    }
    return { texts: out, first };
  };
}

interface Metaspace {
  readonly replacement: string;
  readonly scheme: 'always' | 'first' | 'never';
  readonly splits: boolean;
}

function metaspace({ replacement, scheme, splits }: Metaspace): PreTokenizer {
  const mark = (text: string): string => text.replaceAll(' ', replacement);
  const words = (text: string): string[] => (splits ? wordsFrom(text, replacement) : [text]);
  return ({ texts, first, origins }) => {
    if (origins !== undefined)
      return located({ texts, first, origins }, (section, index) => {
        const marked = changed(section, mark);
        const begins = scheme === 'always' || (scheme === 'first' && first && index === 0);
        const begun = begins && !marked.text.startsWith(replacement) ? prepended(marked, replacement) : marked;
        return cutSection(begun, words(begun.text));
      });
    const out: string[] = [];
    for (const [index, text] of texts.entries()) {
      let marked = mark(text);
      const begins = scheme === 'always' || (scheme === 'first' && first && index === 0);
      if (begins && !marked.startsWith(replacement)) marked = replacement + marked;
      if (!splits) out.push(marked);
      else for (const word of wordsFrom(marked, replacement)) out.push(word);
    }
    return { texts: out, first };
  };
}

/** A text cut before each mark; nothing is left out, and the first part may lack a mark. */
function wordsFrom(text: string, mark: string): string[] {
  const words: string[] = [];
  let from = 0;
  for (let at = text.indexOf(mark, 1); at !== -1; at = text.indexOf(mark, at + mark.length)) {
    words.push(text.slice(from, at));
    from = at;
  }
  words.push(text.slice(from));
  return words;
}

function inLengths(text: string, length: number): string[] {
  const characters = Array.from(text);
  const pieces: string[] = [];
  for (let at = 0; at < characters.length; at += length) pieces.push(characters.slice(at, at + length).join(''));
  return pieces;
}

/** Pieces of sections with origins. */
function located(
  { texts, first, origins }: Required<Pieces>,
  pieces: (section: Section, index: number) => readonly Section[],
): Pieces {
  const all = texts.flatMap((text, index) => pieces({ text, first, origins: origins?.[index] }, index));
  return {
    texts: all.map(({ text }) => text),
    first,
    origins: all.map((piece) => piece.origins).filter((one): one is Origins => one !== undefined),
  };
}

/** A section cut into parts that leave nothing out. */
function cutSection({ text, first, origins }: Section, parts: readonly string[]): Section[] {
  if (parts.length === 1) return [{ text, first, origins }];
  let from = 0;
  return parts.map((part) => {
    const start = from;
    from += part.length;
    return { text: part, first, origins: origins && sliceOrigins(origins, start, from) };
  });
}

function changed({ text, first, origins }: Section, change: (text: string) => string): Section {
  return origins === undefined ? { text: change(text), first } : { ...rewritten({ text, origins }, change), first };
}
