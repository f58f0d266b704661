import { createHash } from 'node:crypto';
import { writeCalls, type CallsParts } from './calls.ts';
import type { CompiledGrammar } from './compiled.ts';
import { distancesOf } from './distances.ts';
import { writeEbnf } from './ebnf.ts';
import { GrammarError, TooManyStatesError } from './grammar-error.ts';
import { JsonRules } from './json-rules.ts';
import { refuseLeftRecursion } from './left-recursion.ts';
import { lighterCalls } from './lighter-calls.ts';
import { NetworkBuilder, type Network, type Rule } from './network.ts';
import { parseSchema } from './parse-schema.ts';
import { readRegex } from './regex.ts';
import { SchemaWriter } from './schema.ts';
import type { CallsSpec, GrammarSpec } from './spec.ts';
import type { TokenTrie } from './token-trie.ts';
import { PatternWriter } from './writer.ts';

/** Longest text of a regular expression or a grammar, and of all choices together, in UTF-16 units. */
const MOST_CHARACTERS = 256 * 1024;

export interface Vocabulary {
  readonly trie: TokenTrie;
  /** Spellings of special tokens, which stand in the trie behind a mark. */
  readonly specials: ReadonlySet<string>;
}

/** The grammar of a spec for a vocabulary. Throws GrammarError that says what is wrong, or cannot be held to, in the spec. */
export function compileGrammar(spec: GrammarSpec, { trie, specials }: Vocabulary): CompiledGrammar {
  const network = networkOf(spec, specials);
  const distances = distancesOf(network, trie);
  if (spec.kind === 'ebnf') refuseLeftRecursion(network, distances);
  return { key: keyOf(spec), network, distances, trie };
}

function networkOf(spec: GrammarSpec, specials: ReadonlySet<string>): Network {
  const write = (one: GrammarSpec): Network => {
    const builder = new NetworkBuilder();
    return builder.network(writeSpec(one, builder, specials));
  };
  try {
    return write(spec);
  } catch (error) {
    const mayBeLighter = error instanceof TooManyStatesError && spec.kind === 'calls';
    if (!mayBeLighter || !spec.calls.some(({ loose }) => loose === true)) throw error;
    return write(lighterCalls(spec));
  }
}

/** Equal for equal specs. */
export function keyOf(spec: GrammarSpec): string {
  return createHash('sha256').update(JSON.stringify(spec)).digest('base64');
}

function writeSpec(spec: GrammarSpec, builder: NetworkBuilder, specials: ReadonlySet<string>): Rule {
  const json = new JsonRules(builder);
  switch (spec.kind) {
    case 'json':
      return json.anyObject();
    case 'schema':
      return new SchemaWriter(json, parseSchema(spec.schema)).root();
    case 'calls':
      return writeCallsOr(spec, { json, specials });
    case 'choice':
      return writeChoices(spec.choices, builder);
    case 'regex':
      return writeRegex(bounded(spec.text), builder);
    case 'ebnf':
      return writeEbnf(builder, bounded(spec.text));
  }
}

function writeCallsOr(spec: CallsSpec, parts: CallsParts): Rule {
  const calls = writeCalls(spec, parts);
  if (spec.otherwise === undefined) return calls;
  const { builder } = parts.json;
  const rule = builder.rule();
  for (const one of [calls, writeSpec(spec.otherwise, builder, parts.specials)])
    builder.call(rule.start, one, rule.end);
  return rule;
}

function writeChoices(choices: readonly string[], builder: NetworkBuilder): Rule {
  if (choices.length === 0 || choices.includes(''))
    throw new GrammarError('there must be a choice, and none may be empty');
  bounded(choices.join(''));
  const rule = builder.rule();
  builder.texts(rule.start, [...new Set(choices)], rule.end);
  return rule;
}

function writeRegex(text: string, builder: NetworkBuilder): Rule {
  const rule = builder.rule();
  const pattern = readRegex(text, { whole: true });
  new PatternWriter(builder, { inJson: false }).write(pattern, { from: rule.start, to: rule.end });
  return rule;
}

function bounded(text: string): string {
  if (text.length > MOST_CHARACTERS) throw new GrammarError(`a pattern may have ${MOST_CHARACTERS} characters`);
  return text;
}
