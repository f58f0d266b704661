import { Tensor as OrtTensor, type OnnxValue } from 'onnxruntime-node';
import { readFloat16 } from '../../tensors/half-float.ts';
import type { Graph } from '../../onnx/graph.ts';
import type { CacheArray, NewPart } from './bank.ts';
import type { DecoderLayout } from './layout.ts';

/** Prefix of the names of values that are added to a graph. */
export const PREFIX = 'carpool.';
/** Outputs of an extended graph: the logits of each row's last token, [rows, 1, vocabulary]. */
export const LAST_LOGITS = `${PREFIX}last_logits`;
/** The output with the new tokens' part of a cache tensor, [rows, heads, new tokens, size]. */
export function newPart(present: string): string {
  return `${PREFIX}${present}`;
}

/** How a graph deals with a cache whose rows have different lengths. */
export interface DecoderKind {
  /** The graph has the outputs LAST_LOGITS and `newPart`. */
  readonly extended: boolean;
  /** GroupQueryAttention: a row's length is the sum of its mask, and its new tokens come right behind its past. */
  readonly grouped: boolean;
}

/** New tokens of rows, the same number for each. */
export interface Pass {
  readonly ids: readonly ArrayLike<number>[];
  /** Tokens of each row in the cache. */
  readonly pasts: readonly number[];
  /** The cache, [rows, heads, capacity, size] each. */
  readonly cache: readonly OrtTensor[];
  readonly capacity: number;
  /** The logits of all new tokens are wanted, of one row. */
  readonly every?: boolean | undefined;
}

export interface PassResult {
  /** Logits of each row's last token, [vocabulary]; the caller may alter them. */
  readonly logits: readonly Float32Array[];
  /** Logits of all new tokens of the only row, where they were wanted; fewer where the graph gives fewer. */
  readonly every: readonly Float32Array[];
  /** Keys and values of the new tokens, in the order of the layout. */
  readonly parts: readonly NewPart[];
}

/** A decoder's graph. */
export class Decoder {
  readonly layout: DecoderLayout;
  readonly #graph: Graph;
  readonly #kind: DecoderKind;
  readonly #parts: readonly string[];

  constructor(graph: Graph, layout: DecoderLayout, kind: DecoderKind) {
    this.layout = layout;
    this.#graph = graph;
    this.#kind = kind;
    this.#parts = layout.cache.map(({ present }) => (kind.extended ? newPart(present) : present));
  }

  /** Runs the graph once. Throws what ONNX Runtime throws. */
  async run(pass: Pass): Promise<PassResult> {
    const wanted = this.#kind.extended && pass.every !== true ? LAST_LOGITS : 'logits';
    const fetches = Object.fromEntries([wanted, ...this.#parts].map((name) => [name, null]));
    const results = await this.#graph.run(this.#feeds(pass), fetches);
    const logits = results[wanted];
    if (logits === undefined) throw new Error('the run gave no logits');
    const tokens = pass.ids[0]?.length ?? 0;
    const parts = this.layout.cache.map(({ present }) => {
      const output = results[this.#kind.extended ? newPart(present) : present];
      if (output === undefined) throw new Error(`the run gave no ${present}`);
      const length = output.dims[2] ?? 0;
      const behind = this.#kind.grouped && !this.#kind.extended;
      return {
        data: cacheArray(output),
        tokens: length,
        first: (row: number) => (behind ? (pass.pasts[row] ?? 0) : length - tokens),
      };
    });
    return { logits: lastLogits(logits), every: pass.every === true ? rowLogits(logits) : [], parts };
  }

  #feeds(pass: Pass): Record<string, OnnxValue> {
    const { layout } = this;
    const rows = pass.ids.length;
    const tokens = pass.ids[0]?.length ?? 0;
    const feeds: Record<string, OnnxValue> = {
      input_ids: this.#integers(rows, tokens, (row, token) => pass.ids[row]?.[token] ?? 0),
    };
    if (layout.hasMask) feeds['attention_mask'] = this.#mask(pass, rows, tokens);
    if (layout.hasPositions)
      feeds['position_ids'] = this.#integers(rows, tokens, (row, token) => (pass.pasts[row] ?? 0) + token);
    if (layout.logitsToKeep !== undefined)
      feeds[layout.logitsToKeep] = new OrtTensor(
        'int64',
        BigInt64Array.of(pass.every === true ? BigInt(tokens) : 1n),
        [],
      );
    if (layout.hasBranch)
      feeds['use_cache_branch'] = new OrtTensor('bool', Uint8Array.of(pass.capacity > 0 ? 1 : 0), [1]);
    for (const [index, { past }] of layout.cache.entries()) {
      const view = pass.cache[index];
      if (view !== undefined) feeds[past] = view;
    }
    return feeds;
  }

  /** The mask: 1 where a row has tokens. Its past begins at 0; its new tokens lie behind the room for all pasts, or (grouped) behind its own past. */
  #mask(pass: Pass, rows: number, tokens: number): OrtTensor {
    const longest = Math.max(...pass.pasts);
    const width = (this.#kind.grouped ? longest : pass.capacity) + tokens;
    return this.#integers(rows, width, (row, place) => {
      const past = pass.pasts[row] ?? 0;
      if (this.#kind.grouped) return place < past + tokens ? 1 : 0;
      return place < past || place >= pass.capacity ? 1 : 0;
    });
  }

  #integers(rows: number, columns: number, value: (row: number, column: number) => number): OrtTensor {
    const { integers } = this.layout;
    const dims = [rows, columns];
    if (integers === 'int32') {
      const data = new Int32Array(rows * columns);
      for (let index = 0; index < data.length; index += 1)
        data[index] = value(Math.floor(index / columns), index % columns);
      return new OrtTensor('int32', data, dims);
    }
    // Written as pairs of 32-bit halves, low half first, in a tenth of the time that BigInts take. Values are not negative.
    const data = new Int32Array(2 * rows * columns);
    for (let index = 0; index < rows * columns; index += 1)
      data[2 * index] = value(Math.floor(index / columns), index % columns);
    return new OrtTensor('int64', new BigInt64Array(data.buffer), dims);
  }
}

/** A tensor's elements; half floats as their bits. */
function cacheArray(output: OrtTensor): CacheArray {
  const data = output.data as Float32Array | Uint16Array;
  if (output.type === 'float32') return data;
  return new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2);
}

/** The last position's logits of each row, of [rows, positions, vocabulary]. */
function lastLogits(output: OrtTensor): Float32Array[] {
  const [rows = 0, positions = 0, vocabulary = 0] = output.dims;
  const values = cacheArray(output);
  return Array.from({ length: rows }, (_, row) => {
    const start = ((row + 1) * positions - 1) * vocabulary;
    const part = values.subarray(start, start + vocabulary);
    return part instanceof Float32Array ? part : Float32Array.from(part, readFloat16);
  });
}

/** The logits of each position of the one row of [1, positions, vocabulary]. */
function rowLogits(output: OrtTensor): Float32Array[] {
  const [, positions = 0, vocabulary = 0] = output.dims;
  const values = cacheArray(output);
  return Array.from({ length: positions }, (_, position) => {
    const part = values.subarray(position * vocabulary, (position + 1) * vocabulary);
    return part instanceof Float32Array ? part : Float32Array.from(part, readFloat16);
  });
}
