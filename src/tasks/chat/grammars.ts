import { ServerError } from '../../errors.ts';
import { compileGrammar, keyOf, type Vocabulary } from '../../grammar/compile.ts';
import type { CompiledGrammar } from '../../grammar/compiled.ts';
import { GrammarError } from '../../grammar/grammar-error.ts';
import type { GrammarSpec } from '../../grammar/spec.ts';
import type { TextTokenizer } from '../text/tokenizer.ts';
import { vocabularyOf } from './vocabulary.ts';

/** Compiled grammars that are kept, and their nodes together: some 40 bytes each. */
const MOST_KEPT = 64;
const MOST_NODES = 500_000;

/** Compiled grammars of a model, made when they are first asked for; the latest are kept. */
export class Grammars {
  readonly #tokenizer: TextTokenizer;
  readonly #ends: readonly number[];
  readonly #kept = new Map<string, CompiledGrammar>();
  #nodes = 0;
  #vocabulary: Vocabulary | undefined;

  /** `ends`: tokens that end answers. */
  constructor(tokenizer: TextTokenizer, ends: readonly number[]) {
    this.#tokenizer = tokenizer;
    this.#ends = ends;
  }

  /** The compiled grammar of a spec. Throws INVALID_INPUT about the parameter that asked for it. */
  of(spec: GrammarSpec, param: string): CompiledGrammar {
    const key = keyOf(spec);
    const grammar = this.#kept.get(key) ?? this.#compile(spec, param);
    this.#kept.delete(key);
    this.#kept.set(key, grammar);
    return grammar;
  }

  #compile(spec: GrammarSpec, param: string): CompiledGrammar {
    this.#vocabulary ??= vocabularyOf(this.#tokenizer, this.#ends);
    try {
      const grammar = compileGrammar(spec, this.#vocabulary);
      this.#nodes += grammar.network.nodes;
      for (const [key, { network }] of this.#kept) {
        if (this.#kept.size < MOST_KEPT && this.#nodes <= MOST_NODES) break;
        this.#kept.delete(key);
        this.#nodes -= network.nodes;
      }
      return grammar;
    } catch (error) {
      if (!(error instanceof GrammarError)) throw error;
      throw new ServerError('INVALID_INPUT', `Answers of this form cannot be given: ${error.message}.`, {
        param,
        reason: 'invalid_value',
      });
    }
  }
}
