import { rewritten } from './origins.ts';
import type { Normalizer, Section } from './pieces.ts';
import { ALSO_COMBINING, NO_CANONICAL, NO_COMPATIBILITY, NOT_COMBINING } from './reference-characters.ts';

/** Normalizers by Unicode's tables. */

type Form = 'NFC' | 'NFD' | 'NFKC' | 'NFKD';

const UNTOUCHED = {
  canonical: new RegExp(`[${NO_CANONICAL}]`, 'u'),
  compatibility: new RegExp(`[${NO_COMPATIBILITY}]`, 'u'),
};
const BETWEEN = {
  canonical: new RegExp(`[^${NO_CANONICAL}]+`, 'gu'),
  compatibility: new RegExp(`[^${NO_COMPATIBILITY}]+`, 'gu'),
};

/** The normalizer of one of Unicode's normal forms. */
export function normalForm(form: Form): (text: string) => string {
  const kind = form.startsWith('NFK') ? 'compatibility' : 'canonical';
  return (text) =>
    UNTOUCHED[kind].test(text) ? text.replace(BETWEEN[kind], (part) => part.normalize(form)) : text.normalize(form);
}

/** The text with accented characters as letters and marks. */
export const decomposed = normalForm('NFD');

/** The text in lower case, character by character: JavaScript lowers a sigma at the end of a word to another letter. */
export function lowered(text: string): string {
  return (text.includes('\u03a3') ? text.replaceAll('\u03a3', '\u03c3') : text).toLowerCase();
}

const MARKS = new RegExp(`[[\\p{M}${ALSO_COMBINING}]--[${NOT_COMBINING}]]`, 'gv');

/** The text without marks (`\p{M}`, as the reference knows them). */
export function withoutMarks(text: string): string {
  return text.replace(MARKS, '');
}

const NMT_DROPPED = /[\u0001-\u0008\u000b\u000e-\u001f\u007f\u008f\u009f]/g;
const NMT_SPACES = /[\u0009\u000a\u000c\u000d\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/g;

/** Applies SentencePiece's `nmt` rules, which drop some characters and turn others into spaces. */
export function nmt(text: string): string {
  return text.replace(NMT_DROPPED, '').replace(NMT_SPACES, ' ');
}

/** A normalizer from a function that does not change where a text begins. */
export function mapping(change: (text: string) => string): Normalizer {
  return (section) => changed(section, change, section.first);
}

/** A normalizer from a function that drops characters; if it drops the first one, the text begins later. */
export function dropping(change: (text: string) => string): Normalizer {
  return (section) => {
    const { text, first } = section;
    const begins = first && text !== '' && change(String.fromCodePoint(text.codePointAt(0) ?? 0)) !== '';
    return changed(section, change, begins);
  };
}

function changed({ text, origins }: Section, change: (text: string) => string, first: boolean): Section {
  return origins === undefined ? { text: change(text), first } : { ...rewritten({ text, origins }, change), first };
}
