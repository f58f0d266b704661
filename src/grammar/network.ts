import { GrammarError, TooManyStatesError } from './grammar-error.ts';

/** Most nodes and edges of a grammar. */
export const MOST_PARTS = 300_000;
/** Longest time to make one. The clock is read once in so many parts. */
const BUILD_LIMIT_MS = 2000;
const PARTS_A_LOOK = 1024;

/** A part of a network that is entered at its start and left at its end, by edges or by a call. */
export interface Rule {
  readonly start: number;
  readonly end: number;
}

/**
 * A grammar as a recursive transition network: nodes with edges that take a byte of a range, edges that take nothing, and calls, which go through a
 * rule before they go on. Edges of one kind lie in the order of their nodes: those of node n from `from[n]` to `from[n + 1]`. All arrays lie in shared memory, so that threads
 * pass a network on without copying it.
 */
export interface Network {
  readonly root: Rule;
  readonly nodes: number;
  readonly bytes: { readonly from: Uint32Array; readonly ranges: Uint16Array; readonly to: Uint32Array };
  readonly empty: { readonly from: Uint32Array; readonly to: Uint32Array };
  readonly calls: { readonly from: Uint32Array; readonly rules: Uint32Array; readonly to: Uint32Array };
  /** 1: a rule ends here. */
  readonly final: Uint8Array;
}

/** Takes edges and rules in any order, and makes a network of them. Throws GrammarError above its limits. */
export class NetworkBuilder {
  readonly #final: number[] = [];
  readonly #bytes: number[] = [];
  readonly #empty: number[] = [];
  readonly #calls: number[] = [];
  readonly #untilMs = performance.now() + BUILD_LIMIT_MS;
  readonly #most: number;
  #parts = 0;

  constructor(most = MOST_PARTS) {
    this.#most = most;
  }

  /** Nodes and edges so far. */
  get parts(): number {
    return this.#parts;
  }

  node(): number {
    this.#count();
    return this.#final.push(0) - 1;
  }

  /** A rule without edges yet. */
  rule(): Rule {
    this.#checkTime();
    const rule = { start: this.node(), end: this.node() };
    this.#final[rule.end] = 1;
    return rule;
  }

  /** An edge that takes one byte from `low` to `high`. */
  byte(from: number, [low, high]: readonly [number, number], to: number): void {
    this.#count();
    this.#bytes.push(from, low * 256 + high, to);
  }

  empty(from: number, to: number): void {
    this.#count();
    this.#empty.push(from, to);
  }

  call(from: number, rule: Rule, to: number): void {
    this.#count();
    this.#calls.push(from, rule.start, to);
  }

  /** Edges for the bytes of a text in UTF-8. */
  text(from: number, text: string, to: number): void {
    this.sequence(
      from,
      Array.from(Buffer.from(text), (byte) => [byte, byte] as const),
      to,
    );
  }

  /** Edges for the bytes of several texts. Those that begin alike share them, so that a thousand names are one reading of an answer and not a thousand. */
  texts(from: number, texts: readonly string[], to: number): void {
    const children = new Map<string, number>();
    for (const text of texts) {
      const bytes = Buffer.from(text);
      let at = from;
      for (const [place, byte] of bytes.entries()) {
        const key = `${at} ${byte}`;
        let next = children.get(key);
        if (next === undefined) {
          next = this.node();
          children.set(key, next);
          this.byte(at, [byte, byte], next);
        }
        at = next;
        if (place === bytes.length - 1) this.empty(at, to);
      }
    }
  }

  /** Edges for one byte of each range. */
  sequence(from: number, ranges: readonly (readonly [number, number])[], to: number): void {
    let at = from;
    for (const [index, range] of ranges.entries()) {
      const next = index === ranges.length - 1 ? to : this.node();
      this.byte(at, range, next);
      at = next;
    }
    if (ranges.length === 0) this.empty(from, to);
  }

  network(root: Rule): Network {
    const nodes = this.#final.length;
    const bytes = sorted(this.#bytes, { width: 3, nodes });
    const empty = sorted(this.#empty, { width: 2, nodes });
    const calls = sorted(this.#calls, { width: 3, nodes });
    const ranges = new Uint16Array(new SharedArrayBuffer(2 * bytes.count));
    for (let edge = 0; edge < bytes.count; edge += 1) ranges[edge] = bytes.column(0)[edge] ?? 0;
    const final = new Uint8Array(new SharedArrayBuffer(nodes));
    final.set(this.#final);
    return {
      root,
      nodes,
      bytes: { from: bytes.from, ranges, to: bytes.column(1) },
      empty: { from: empty.from, to: empty.column(0) },
      calls: { from: calls.from, rules: calls.column(0), to: calls.column(1) },
      final,
    };
  }

  #count(): void {
    this.#parts += 1;
    if (this.#parts > this.#most)
      throw new TooManyStatesError(`it needs more than ${this.#most} states: use smaller bounds, or fewer of them`);
    if (this.#parts % PARTS_A_LOOK === 0) this.#checkTime();
  }

  #checkTime(): void {
    if (performance.now() > this.#untilMs)
      throw new GrammarError(`it takes more than ${BUILD_LIMIT_MS / 1000} s to read`);
  }
}

/** Indices of a node's edges of one kind. */
export function edgesOf({ from }: { readonly from: Uint32Array }, node: number): number[] {
  const [first = 0, end = 0] = from.subarray(node, node + 2);
  return Array.from({ length: end - first }, (_, index) => first + index);
}

/** Shared memory for so many numbers. */
export function sharedNumbers(count: number): Uint32Array {
  return new Uint32Array(new SharedArrayBuffer(4 * count));
}

/** Edges, given as runs of `width` numbers of which the first is the node, in the order of their nodes. */
function sorted(
  edges: readonly number[],
  { width, nodes }: { width: number; nodes: number },
): { from: Uint32Array; count: number; column: (index: number) => Uint32Array } {
  const count = edges.length / width;
  const from = sharedNumbers(nodes + 1);
  for (let at = 0; at < edges.length; at += width) {
    const next = (edges[at] ?? 0) + 1;
    from[next] = (from[next] ?? 0) + 1;
  }
  for (let node = 0; node < nodes; node += 1) from[node + 1] = (from[node + 1] ?? 0) + (from[node] ?? 0);
  const places = from.slice();
  const columns = Array.from({ length: width - 1 }, () => sharedNumbers(count));
  for (let at = 0; at < edges.length; at += width) {
    const node = edges[at] ?? 0;
    const place = places[node] ?? 0;
    places[node] = place + 1;
    for (const [index, column] of columns.entries()) column[place] = edges[at + index + 1] ?? 0;
  }
  return { from, count, column: (index) => columns[index] ?? sharedNumbers(0) };
}
