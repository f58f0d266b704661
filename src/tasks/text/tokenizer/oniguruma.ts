import { caseless, characterAt, literal, readClass, readEscape, WORD_CLASS, type Cursor } from './oniguruma-class.ts';

/**
 * Regular expressions of tokenizer.json are Oniguruma's (Ruby's syntax). The parts of it that tokenizers use are translated to
 * JavaScript; others are refused by name, because a pattern with another meaning would silently cut texts wrongly.
 */

/** Source for a RegExp with the flag `v`. Throws a plain Error that names what is not supported. */
export function fromOniguruma(pattern: string): string {
  const state: State = { pattern, at: 0, atomics: 0 };
  const source = readAlternatives(state, false);
  if (state.at < pattern.length) throw new Error(`unmatched ${pattern[state.at] ?? ''} in a pattern`);
  return source;
}

interface State extends Cursor {
  /** Groups so far that do not give back what they took. */
  atomics: number;
}

/** A line begins at the beginning of the text, and after each line feed except one at the end. */
const LINE_START = '(?:(?<![\\s\\S])|(?<=\\n)(?=[\\s\\S]))';
const LINE_END = '(?:(?=\\n)|(?![\\s\\S]))';
const BOUNDARY = `(?:(?<=${WORD_CLASS})(?!${WORD_CLASS})|(?<!${WORD_CLASS})(?=${WORD_CLASS}))`;
const NO_BOUNDARY = `(?:(?<=${WORD_CLASS})(?=${WORD_CLASS})|(?<!${WORD_CLASS})(?!${WORD_CLASS}))`;

const ASSERTIONS: Readonly<Record<string, string>> = {
  b: BOUNDARY,
  B: NO_BOUNDARY,
  A: '(?<![\\s\\S])',
  z: '(?![\\s\\S])',
  Z: '(?=\\n?(?![\\s\\S]))',
};

/** Reads alternatives up to the `)` that closes them, or to the end. */
function readAlternatives(state: State, ignoreCase: boolean): string {
  let source = '';
  let folds = ignoreCase;
  while (state.at < state.pattern.length && state.pattern[state.at] !== ')') {
    if (state.pattern[state.at] === '|') {
      source += '|';
      state.at += 1;
    } else if (state.pattern.startsWith('(?i)', state.at)) {
      // It applies up to the end of the group, including further alternatives.
      if (source.includes('|')) throw new Error('(?i) behind an alternative of a pattern is not supported');
      folds = true;
      state.at += 4;
    } else source += readQuantified(state, folds);
  }
  return source;
}

/** Sequences that equal a single character when case is ignored (STRASSE and Straße); patterns of tokenizers do not have them. */
const LIGATURES = /^(?:ss|st|f[fil])/i;

function readQuantified(state: State, ignoreCase: boolean): string {
  if (ignoreCase && LIGATURES.test(state.pattern.slice(state.at)))
    throw new Error(
      `${state.pattern.slice(state.at, state.at + 2)} without regard to case in a pattern is not supported`,
    );
  const atom = readAtom(state, ignoreCase);
  const [quantifier] = /^(?:[*+?]|\{\d+(?:,\d*)?\}|\{,\d+\})/.exec(state.pattern.slice(state.at)) ?? [''];
  if (quantifier === '') return atom;
  state.at += quantifier.length;
  const counted = quantifier.startsWith('{');
  const written = quantifier.startsWith('{,') ? `{0${quantifier.slice(1)}` : quantifier;
  const next = state.pattern[state.at];
  if (next === '?' && !(counted && !quantifier.includes(','))) {
    state.at += 1;
    return endQuantified(state, `${atom}${written}?`);
  }
  if (next === '+') {
    state.at += 1;
    // Ruby has no possessive {n}+: the plus repeats the whole.
    return endQuantified(state, counted ? `(?:${atom}${written})+` : atomic(state, atom + written));
  }
  return endQuantified(state, atom + written);
}

function endQuantified({ pattern, at }: State, source: string): string {
  if (/^[*+?]/.test(pattern.slice(at))) throw new Error('a quantifier of a quantifier in a pattern is not supported');
  return source;
}

/** An atomic group: JavaScript has none, but a captured lookahead behaves like one. */
function atomic(state: State, source: string): string {
  state.atomics += 1;
  return `(?:(?=(?<a${state.atomics}>${source}))\\k<a${state.atomics}>)`;
}

function readAtom(state: State, ignoreCase: boolean): string {
  const character = characterAt(state.pattern, state.at);
  if (character === '(') return readGroup(state, ignoreCase);
  if (character === '[') return readClass(state, ignoreCase);
  if (character === '\\') return readEscaped(state, ignoreCase);
  if (/^[*+?]$/.test(character)) throw new Error(`${character} in a pattern repeats nothing`);
  state.at += character.length;
  if (character === '.') return '[^\\n]';
  if (character === '^') return LINE_START;
  if (character === '$') return LINE_END;
  return ignoreCase ? caseless(character) : literal(character);
}

function readEscaped(state: State, ignoreCase: boolean): string {
  const element = readEscape(state, false);
  if (element === undefined) {
    const source = ASSERTIONS[state.pattern[state.at + 1] ?? ''] ?? '';
    state.at += 2;
    return source;
  }
  if ('set' in element) return element.set;
  return ignoreCase ? caseless(element.character) : literal(element.character);
}

function readGroup(state: State, ignoreCase: boolean): string {
  const [opening = '('] = /^\((?:\?(?:<[=!]|<[A-Za-z_]\w*>|[:=!>]|i:))?/.exec(state.pattern.slice(state.at)) ?? [];
  if (opening === '(' && state.pattern[state.at + 1] === '?')
    throw new Error(`${state.pattern.slice(state.at, state.at + 4)} in a pattern is not supported`);
  state.at += opening.length;
  const inner = readAlternatives(state, ignoreCase || opening === '(?i:');
  if (state.pattern[state.at] !== ')') throw new Error('a group in a pattern has no end');
  state.at += 1;
  if (opening === '(?>') return atomic(state, inner);
  // No part of a pattern refers to a group, so no group needs to capture.
  const looks = opening === '(?=' || opening === '(?!' || opening === '(?<=' || opening === '(?<!';
  return `${looks ? opening : '(?:'}${inner})`;
}
