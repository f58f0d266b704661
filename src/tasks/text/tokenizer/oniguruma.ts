import { caseless, characterAt, literal, readClass, readEscape, WORD_CLASS, type Cursor } from './oniguruma-class.ts';

/**
 * Regular expressions of tokenizer.json are Oniguruma's (Ruby's syntax). Those parts of it that tokenizers use are written anew for
 * JavaScript; others are refused by name, since a pattern that means something else would cut texts wrongly without a word.
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

/** A line begins at the text's beginning and after each line feed but a last one. */
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

/** Alternatives up to the `)` that closes them, or the end. */
function readAlternatives(state: State, ignoreCase: boolean): string {
  let source = '';
  let folds = ignoreCase;
  while (state.at < state.pattern.length && state.pattern[state.at] !== ')') {
    if (state.pattern[state.at] === '|') {
      source += '|';
      state.at += 1;
    } else if (state.pattern.startsWith('(?i)', state.at)) {
      // Holds to the end of the group, further alternatives included.
      if (source.includes('|')) throw new Error('(?i) behind an alternative of a pattern is not supported');
      folds = true;
      state.at += 4;
    } else source += readQuantified(state, folds);
  }
  return source;
}

/** Letters that, without regard to case, are one character too (Straße for STRASSE); patterns of tokenizers have none of them. */
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
    // Ruby knows no {n}+: the plus repeats the whole.
    return endQuantified(state, counted ? `(?:${atom}${written})+` : atomic(state, atom + written));
  }
  return endQuantified(state, atom + written);
}

function endQuantified({ pattern, at }: State, source: string): string {
  if (/^[*+?]/.test(pattern.slice(at))) throw new Error('a quantifier of a quantifier in a pattern is not supported');
  return source;
}

/** JavaScript has no group that keeps what it took, but a look ahead is one. */
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
  // Nothing refers to what a group took, so none need keep it.
  const looks = opening === '(?=' || opening === '(?!' || opening === '(?<=' || opening === '(?<!';
  return `${looks ? opening : '(?:'}${inner})`;
}
