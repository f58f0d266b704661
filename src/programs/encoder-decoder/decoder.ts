import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { widenHalf } from '../../tensors/half-float.ts';
import { FIXED_DATATYPES, typedView } from '../../tensors/tensor.ts';
import type { Graph } from '../../onnx/graph.ts';
import { datatypeOf, fromOrt, toOrt } from '../../onnx/ort-tensor.ts';
import { DecoderCache } from './decoder-cache.ts';
import type { Hidden } from './encoded.ts';

export const CACHE_SWITCH = 'use_cache_branch';
const MASK = 'encoder_attention_mask';
const HIDDEN = 'encoder_hidden_states';
const TEXT_CACHE = /^past_key_values\.\d+\.decoder\.(?:key|value)$/;
const SOURCE_CACHE = /^past_key_values\.\d+\.encoder\.(?:key|value)$/;

/** Logits of the last run, [rows, positions, vocabulary]. */
export interface Logits {
  readonly values: Float32Array;
  readonly positions: number;
  readonly vocabulary: number;
}

/** One layer's attention to the source, [1, heads, tokens, positions]. */
export interface Attention {
  readonly values: Float32Array;
  readonly shape: readonly number[];
}

/**
 * A decoder that reads what an encoder gives, in optimum's layout: a merged graph (`decoder_model_merged`), or one for the first pass (`decoder_model`) and one for further
 * ones (`decoder_with_past_model`). The first pass computes the source's keys and values, which further passes take as inputs. Of a merged graph, a second session
 * for these holds it without the branch of the first pass (constant-input.ts), at the price of a second copy of the decoder's weights.
 */
export class CrossDecoder {
  readonly #first: Graph;
  readonly #further: Graph;
  readonly #textCache: readonly InferenceSession.TensorValueMetadata[];
  readonly #sourceCache: readonly InferenceSession.TensorValueMetadata[];

  constructor(first: Graph, further: Graph) {
    this.#first = first;
    this.#further = further;
    const tensors = further.session.inputMetadata.filter((metadata) => metadata.isTensor);
    this.#textCache = tensors.filter(({ name }) => TEXT_CACHE.test(name));
    this.#sourceCache = tensors.filter(({ name }) => SOURCE_CACHE.test(name));
    const isOneGraph = first === further && !first.session.inputNames.includes(CACHE_SWITCH);
    if (isOneGraph || this.#textCache.length === 0 || this.#sourceCache.length === 0)
      throw new Error(
        'the decoder has no cache: it must be a merged one (decoder_model_merged, with use_cache_branch and past_key_values), or come with a decoder_with_past_model',
      );
    const missing = this.#presents().find((name) => !first.session.outputNames.includes(name));
    if (missing !== undefined) throw new Error(`the decoder does not give ${missing}`);
  }

  /** Why rows must run alone, where they must (graph.ts). */
  get dynamicOperator(): string | undefined {
    return this.#first.dynamicOperator ?? this.#further.dynamicOperator;
  }

  /** Whether sources of different lengths may share a run: the graphs are told which positions to read. */
  get takesMask(): boolean {
    return [this.#first, this.#further].every(({ session }) => session.inputNames.includes(MASK));
  }

  /** Bytes of the source's keys and values of one row of `positions`; a text's take as much for as many tokens. */
  cacheBytes(positions: number): number {
    let bytes = 0;
    for (const metadata of this.#sourceCache) {
      const [heads, width] = sizesOf(metadata);
      const datatype = datatypeOf(metadata.type);
      bytes += heads * positions * width * (datatype === 'BYTES' ? 1 : FIXED_DATATYPES[datatype].bytes);
    }
    return bytes;
  }

  /** Runs prompts of one length on the encoder's output, one row for each. Throws what ONNX Runtime throws. */
  async begin(prompts: readonly (readonly number[])[], hidden: Hidden): Promise<[Logits, DecoderCache]> {
    const present = this.#presents().map((name) => [name, null]);
    const fetches = Object.fromEntries([['logits', null], ...present]) as Record<string, null>;
    const outputs = await this.#first.run(this.#firstFeeds(prompts, hidden), fetches);
    const source = caches(outputs, this.#sourceCache);
    if (hidden.mask !== undefined && this.#further.session.inputNames.includes(MASK)) source.set(MASK, hidden.mask);
    return [logitsOf(outputs), new DecoderCache(hidden.rows, caches(outputs, this.#textCache), source)];
  }

  /** Whether the graph gives its attention to the source, in these layers. */
  hasAttention(layers: readonly number[]): boolean {
    return layers.length > 0 && layers.every((layer) => this.#first.session.outputNames.includes(attentionOf(layer)));
  }

  /** The attention of a text's tokens to the source, by layer. Throws what ONNX Runtime throws. */
  async attention(ids: readonly number[], hidden: Hidden, layers: readonly number[]): Promise<Map<number, Attention>> {
    const fetches = Object.fromEntries(layers.map((layer) => [attentionOf(layer), null]));
    const outputs = await this.#first.run(this.#firstFeeds([ids], hidden), fetches);
    return new Map(layers.map((layer) => [layer, floatsOf(outputs, attentionOf(layer))]));
  }

  /** Runs one more token for each row. Throws what ONNX Runtime throws. */
  async step(ids: readonly number[], cache: DecoderCache): Promise<Logits> {
    const { session } = this.#further;
    const fetches: Record<string, null> = { logits: null };
    for (const { name } of this.#textCache) fetches[presentOf(name)] = null;
    const feeds: Record<string, OrtTensor> = { input_ids: idsTensor(ids.map((id) => [id])), ...cache.feeds };
    // Further passes read the source only through its keys and values.
    if (session.inputNames.includes(HIDDEN)) feeds[HIDDEN] = noHidden(session, ids.length);
    if (session.inputNames.includes(CACHE_SWITCH)) feeds[CACHE_SWITCH] = new OrtTensor('bool', Uint8Array.of(1), [1]);
    const outputs = await this.#further.run(feeds, fetches);
    cache.advance(caches(outputs, this.#textCache));
    return logitsOf(outputs);
  }

  async release(): Promise<void> {
    await this.#first.release();
    if (this.#further !== this.#first) await this.#further.release();
  }

  #presents(): string[] {
    return [...this.#textCache, ...this.#sourceCache].map(({ name }) => presentOf(name));
  }

  #firstFeeds(prompts: readonly (readonly number[])[], { tensor, rows, mask }: Hidden): Record<string, OrtTensor> {
    const { inputNames } = this.#first.session;
    const feeds: Record<string, OrtTensor> = { input_ids: idsTensor(prompts), [HIDDEN]: tensor };
    if (mask !== undefined && inputNames.includes(MASK)) feeds[MASK] = mask;
    if (!inputNames.includes(CACHE_SWITCH)) return feeds;
    feeds[CACHE_SWITCH] = new OrtTensor('bool', Uint8Array.of(0), [1]);
    for (const metadata of [...this.#textCache, ...this.#sourceCache]) {
      const [heads, width] = sizesOf(metadata);
      feeds[metadata.name] = noElements(metadata, [rows, heads, 0, width]);
    }
    return feeds;
  }
}

/** The encoder's output of no positions. */
function noHidden({ inputMetadata }: InferenceSession, rows: number): OrtTensor {
  const metadata = inputMetadata.find(({ name }) => name === HIDDEN);
  const width = metadata?.isTensor === true ? metadata.shape.at(-1) : undefined;
  if (metadata?.isTensor !== true || typeof width !== 'number') throw new Error(`${HIDDEN} has no width`);
  return noElements(metadata, [rows, 0, width]);
}

function noElements({ name, type }: InferenceSession.TensorValueMetadata, shape: readonly number[]): OrtTensor {
  const datatype = datatypeOf(type);
  if (datatype === 'BYTES') throw new Error(`${name} is not numeric`);
  return toOrt({ datatype, shape, data: new Uint8Array(0) });
}

function sizesOf({ name, shape }: InferenceSession.TensorValueMetadata): [heads: number, width: number] {
  const [, heads, , width] = shape;
  if (typeof heads !== 'number' || typeof width !== 'number') throw new Error(`${name} has no fixed heads and width`);
  return [heads, width];
}

function presentOf(past: string): string {
  return past.replace('past_key_values', 'present');
}

function caches(
  outputs: Readonly<Record<string, OrtTensor>>,
  inputs: readonly InferenceSession.TensorValueMetadata[],
): Map<string, OrtTensor> {
  return new Map(
    inputs.map(({ name }) => {
      const tensor = outputs[presentOf(name)];
      if (tensor === undefined) throw new Error(`output ${presentOf(name)} is missing`);
      return [name, tensor];
    }),
  );
}

function idsTensor(rows: readonly (readonly number[])[]): OrtTensor {
  return new OrtTensor('int64', BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0]?.length ?? 0]);
}

function attentionOf(layer: number): string {
  return `cross_attentions.${layer}`;
}

function logitsOf(outputs: Readonly<Record<string, OrtTensor>>): Logits {
  const { values, shape } = floatsOf(outputs, 'logits');
  const [, positions = 0, vocabulary = 0] = shape;
  return { values, positions, vocabulary };
}

function floatsOf(outputs: Readonly<Record<string, OrtTensor>>, name: string): Attention {
  const output = outputs[name];
  const tensor = output === undefined ? undefined : fromOrt(output);
  if (tensor === undefined || tensor.datatype === 'BYTES') throw new Error(`output ${name} is missing`);
  const values = typedView(tensor.datatype === 'FP16' ? widenHalf(tensor) : tensor);
  if (!(values instanceof Float32Array)) throw new Error(`${name} are not floating-point numbers`);
  return { values, shape: tensor.shape };
}
