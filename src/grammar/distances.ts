import { GrammarError } from './grammar-error.ts';
import { edgesOf, sharedNumbers, type Network } from './network.ts';
import type { TokenTrie } from './token-trie.ts';

/** No end can be reached. */
export const UNREACHABLE = 2 ** 32 - 1;
/** No answer has so many tokens; further places count as unreachable. */
const MOST_TOKENS = 1_000_000;
/** Longest text of a token that is looked for along an edge. */
const LONGEST = 64;

/**
 * How many tokens lead from each node to the end of its rule, at most: there is a way of so many, though a shorter one may exist, because
 * tokens across the ends of rules are not looked at. Dijkstra's algorithm from the ends backwards, as Knuth extended it to grammars: a call
 * costs the way through its rule and on from there. Throws GrammarError where no text of the root ends.
 */
export function distancesOf(network: Network, trie: TokenTrie): Uint32Array {
  const distances = sharedNumbers(network.nodes).fill(UNREACHABLE);
  const into = incoming(network, trie);
  const queue = new BucketQueue();
  const reach = (node: number, distance: number): void => {
    if (distance > MOST_TOKENS || distance >= (distances[node] ?? 0)) return;
    distances[node] = distance;
    queue.add(node, distance);
  };
  for (let node = 0; node < network.nodes; node += 1) if (network.final[node] === 1) reach(node, 0);
  const settled = new Uint8Array(network.nodes);
  for (let next = queue.next(); next !== undefined; next = queue.next()) {
    if (settled[next] === 1) continue;
    settled[next] = 1;
    const distance = distances[next] ?? 0;
    for (const { from, cost } of into.edges[next] ?? []) reach(from, distance + cost);
    for (const { from, other } of into.calls[next] ?? []) {
      const rest = distances[other] ?? UNREACHABLE;
      if (rest !== UNREACHABLE) reach(from, distance + rest);
    }
  }
  if (distances[network.root.start] === UNREACHABLE)
    throw new GrammarError('no text can fit it, or only one that is too long for an answer');
  return distances;
}

interface Incoming {
  readonly edges: readonly { readonly from: number; readonly cost: number }[][];
  /** Of a node that begins a rule: callers with the node behind the call; of a node behind a call: callers with the beginning of the rule. */
  readonly calls: readonly { readonly from: number; readonly other: number }[][];
}

function incoming(network: Network, trie: TokenTrie): Incoming {
  const edges: { from: number; cost: number }[][] = Array.from({ length: network.nodes }, () => []);
  const calls: { from: number; other: number }[][] = Array.from({ length: network.nodes }, () => []);
  const singles = singleBytes(trie);
  const { empty, calls: called } = network;
  for (let from = 0; from < network.nodes; from += 1) {
    const add = (to: number | undefined, cost: number): void => void edges[to ?? 0]?.push({ from, cost });
    for (const { to, range } of byteEdges(network, from)) if (hasByte(singles, range)) add(to, 1);
    for (const to of tokensAlong(network, trie, from)) add(to, 1);
    for (const edge of edgesOf(empty, from)) add(empty.to[edge], 0);
    for (const edge of edgesOf(called, from)) {
      const [rule = 0, to = 0] = [called.rules[edge], called.to[edge]];
      calls[rule]?.push({ from, other: to });
      calls[to]?.push({ from, other: rule });
    }
  }
  return { edges, calls };
}

function byteEdges({ bytes }: Network, node: number): { to: number; range: number }[] {
  return edgesOf(bytes, node).map((edge) => ({ to: bytes.to[edge] ?? 0, range: bytes.ranges[edge] ?? 0 }));
}

/** Nodes that a longer token reaches, where only one byte can come next, and again: within what the grammar spells out. */
function tokensAlong(network: Network, trie: TokenTrie, from: number): number[] {
  const found: number[] = [];
  let [node, place, end] = [from, 0, trie.bytes.length];
  for (let length = 0; length < LONGEST; length += 1) {
    const [edge, ...others] = byteEdges(network, node);
    if (edge === undefined || others.length > 0 || edge.range >> 8 !== (edge.range & 255)) break;
    place = childAt(trie, { from: place, end, byte: edge.range & 255 });
    if (place < 0) break;
    node = edge.to;
    if (trie.tokens[place] !== 0 && length > 0) found.push(node);
    end = trie.skips[place] ?? 0;
    place += 1;
  }
  return found;
}

/** The child with this byte, among the nodes of one depth that begin at `from`; -1: none. */
function childAt(
  { bytes, skips }: TokenTrie,
  { from, end, byte }: { from: number; end: number; byte: number },
): number {
  for (let place = from; place < end; place = skips[place] ?? end) if (bytes[place] === byte) return place;
  return -1;
}

/** Which bytes are tokens. */
function singleBytes(trie: TokenTrie): Uint8Array {
  const singles = new Uint8Array(256);
  for (let place = 0; place < trie.bytes.length; place = trie.skips[place] ?? trie.bytes.length)
    if (trie.tokens[place] !== 0) singles[trie.bytes[place] ?? 0] = 1;
  return singles;
}

function hasByte(singles: Uint8Array, range: number): boolean {
  return singles.subarray(range >> 8, (range & 255) + 1).includes(1);
}

/** Nodes by rising distance, which are small whole numbers. */
class BucketQueue {
  readonly #buckets: number[][] = [];
  #at = 0;

  add(node: number, distance: number): void {
    (this.#buckets[distance] ??= []).push(node);
  }

  next(): number | undefined {
    while (this.#at < this.#buckets.length) {
      const node = this.#buckets[this.#at]?.pop();
      if (node !== undefined) return node;
      this.#at += 1;
    }
    return undefined;
  }
}
