import { compileGrammar } from '../../src/grammar/compile.ts';
import { shortestAnswer, type CompiledGrammar } from '../../src/grammar/compiled.ts';
import { Grammar, Matcher } from '../../src/grammar/matcher.ts';
import type { GrammarSpec } from '../../src/grammar/spec.ts';
import { SPECIAL, tokenTrie } from '../../src/grammar/token-trie.ts';

/** Tokens of several bytes beside all single bytes: ends and beginnings of what JSON is made of, parts of characters, twins. */
const WORDS = [
  '{"',
  '":',
  '": "',
  '",',
  '", "',
  '"}',
  '}}',
  ']}',
  '[{',
  '  ',
  '\n  ',
  'true',
  'null',
  '12',
  '0.5',
  'ab',
  'abc',
  'ing',
  'é',
  '読',
  '\\u',
  '\\"',
  'ab',
];
const PARTS = [Buffer.from('読').subarray(0, 2), Buffer.from('😀').subarray(1)];
export const SPECIALS = new Set(['<call>']);
export const SPELLINGS: readonly Uint8Array[] = [
  ...Array.from({ length: 255 }, (_, byte) => Buffer.of(byte)),
  ...WORDS.map((word) => Buffer.from(word)),
  ...PARTS,
  Buffer.concat([Buffer.of(SPECIAL), Buffer.from('<call>')]),
];
const TRIE = tokenTrie(SPELLINGS);

export function compile(spec: GrammarSpec): CompiledGrammar {
  return compileGrammar(spec, { trie: TRIE, specials: SPECIALS });
}

export function schemaSpec(schema: unknown): GrammarSpec {
  return { kind: 'schema', schema: JSON.stringify(schema) };
}

/** Numbers in [0, 1), the same for the same seed. */
export function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export function tokensOf(mask: Uint32Array): number[] {
  return SPELLINGS.flatMap((_, token) => ((((mask[token >> 5] ?? 0) >>> (token & 31)) & 1) === 1 ? [token] : []));
}

export interface Walk {
  readonly bytes: Buffer;
  readonly tokens: readonly number[];
  /** The grammar lets the text end here. */
  readonly whole: boolean;
}

/** An answer of at most `most` tokens, each chosen at random of those that are allowed. */
export function walk(grammar: Grammar, random: () => number, most: number): Walk {
  const matcher = new Matcher(grammar);
  const tokens: number[] = [];
  while (tokens.length < most && !matcher.over && !(matcher.whole && random() < 0.2)) {
    const left = most - tokens.length - 1;
    const choose = (mask: Uint32Array): number | undefined => {
      const all = tokensOf(mask);
      return all[Math.floor(random() * all.length)];
    };
    let token = choose(matcher.mask());
    if (token === undefined) break;
    if (!matcher.endsWithin(token, left)) token = choose(matcher.maskWithin(left));
    if (token === undefined) break;
    matcher.take(token);
    tokens.push(token);
  }
  const bytes = Buffer.concat(tokens.map((token) => SPELLINGS[token] ?? Buffer.alloc(0)));
  return { bytes, tokens, whole: matcher.whole };
}

/** Texts of random answers, some of them in as few tokens as the grammar needs. Each is whole. */
export function answersOf(spec: GrammarSpec, { count, seed = 1 }: { count: number; seed?: number }): string[] {
  const compiled = compile(spec);
  const grammar = new Grammar(compiled);
  const least = shortestAnswer(compiled);
  const random = numbers(seed);
  return Array.from({ length: count }, (_, index) => {
    const most = least + ([0, 1, 10, 60][index % 4] ?? 0);
    const { bytes, whole } = walk(grammar, random, most);
    if (!whole)
      throw new Error(`the answer ${JSON.stringify(bytes.toString())} of at most ${most} tokens is not whole`);
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  });
}

/** Whether a grammar allows a text, byte by byte, and special tokens where their marks are. */
export function allows(spec: GrammarSpec, text: string | Uint8Array): boolean {
  const matcher = new Matcher(new Grammar(compile(spec)));
  const bytes = Buffer.from(text as Uint8Array);
  for (let at = 0; at < bytes.length;) {
    const token = bytes[at] === SPECIAL ? SPELLINGS.length - 1 : (bytes[at] ?? 0);
    if (matcher.accepted([token]) === 0) return false;
    matcher.take(token);
    at += SPELLINGS[token]?.length ?? 1;
  }
  return matcher.whole;
}
