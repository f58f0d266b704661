import type { Network } from './network.ts';
import type { TokenTrie } from './token-trie.ts';

/** A grammar ready for a model's answers: plain data over shared memory, which any thread can use. */
export interface CompiledGrammar {
  /** Equal for equal grammars of one vocabulary. */
  readonly key: string;
  readonly network: Network;
  /** By node: `distancesOf`. */
  readonly distances: Uint32Array;
  readonly trie: TokenTrie;
}

/** Tokens of the shortest answer, at most. */
export function shortestAnswer({ network, distances }: CompiledGrammar): number {
  return distances[network.root.start] ?? 0;
}
