import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { widenHalf } from '../../tensors/half-float.ts';
import { FIXED_DATATYPES, typedView } from '../../tensors/tensor.ts';
import type { Graph } from '../../onnx/graph.ts';
import { datatypeOf, fromOrt, toOrt } from '../../onnx/ort-tensor.ts';
import { DecoderCache } from './decoder-cache.ts';

export const CACHE_SWITCH = 'use_cache_branch';
const TEXT_CACHE = /^past_key_values\.\d+\.decoder\.(?:key|value)$/;
const AUDIO_CACHE = /^past_key_values\.\d+\.encoder\.(?:key|value)$/;

/** Logits of the last run, [rows, positions, vocabulary]. */
export interface Logits {
  readonly values: Float32Array;
  readonly positions: number;
  readonly vocabulary: number;
}

/** One layer's attention to the audio, [1, heads, tokens, frames]. */
export interface Attention {
  readonly values: Float32Array;
  readonly shape: readonly number[];
}

/** The encoder's output for a batch: [rows, frames, width]. */
export interface Hidden {
  readonly tensor: OrtTensor;
  readonly rows: number;
}

/**
 * A merged Whisper decoder (optimum's `decoder_model_merged`): its first pass computes the audio's keys and values, which further passes
 * take as inputs. A second session for these holds the graph without the branch of the first pass (constant-input.ts), at the price of
 * a second copy of the decoder's weights.
 */
export class SpeechDecoder {
  readonly #first: Graph;
  readonly #further: Graph;
  readonly #textCache: readonly InferenceSession.TensorValueMetadata[];
  readonly #audioCache: readonly InferenceSession.TensorValueMetadata[];

  constructor(first: Graph, further: Graph) {
    this.#first = first;
    this.#further = further;
    const { inputNames, inputMetadata } = first.session;
    const tensors = inputMetadata.filter((metadata) => metadata.isTensor);
    this.#textCache = tensors.filter(({ name }) => TEXT_CACHE.test(name));
    this.#audioCache = tensors.filter(({ name }) => AUDIO_CACHE.test(name));
    if (!inputNames.includes(CACHE_SWITCH) || this.#textCache.length === 0 || this.#audioCache.length === 0)
      throw new Error(
        'the decoder is not a merged one (decoder_model_merged, with use_cache_branch and past_key_values)',
      );
  }

  /** Why rows must run alone, where they must (graph.ts). */
  get dynamicOperator(): string | undefined {
    return this.#first.dynamicOperator;
  }

  /** Bytes of the audio's keys and values of one row of `positions`. */
  audioBytes(positions: number): number {
    let bytes = 0;
    for (const metadata of this.#audioCache) {
      const [heads, width] = sizesOf(metadata);
      const datatype = datatypeOf(metadata.type);
      bytes += heads * positions * width * (datatype === 'BYTES' ? 1 : FIXED_DATATYPES[datatype].bytes);
    }
    return bytes;
  }

  /** Runs prompts of one length on the encoder's output, one row for each. Throws what ONNX Runtime throws. */
  async begin(prompts: readonly (readonly number[])[], hidden: Hidden): Promise<[Logits, DecoderCache]> {
    const present = [...this.#textCache, ...this.#audioCache].map(({ name }) => [presentOf(name), null]);
    const fetches = Object.fromEntries([['logits', null], ...present]) as Record<string, null>;
    const outputs = await this.#first.run(this.#firstFeeds(prompts, hidden), fetches);
    const { rows } = hidden;
    const cache = new DecoderCache(rows, caches(outputs, this.#textCache), caches(outputs, this.#audioCache));
    return [logitsOf(outputs), cache];
  }

  /** Whether the graph gives its attention to the audio, in these layers. */
  hasAttention(layers: readonly number[]): boolean {
    return layers.length > 0 && layers.every((layer) => this.#first.session.outputNames.includes(attentionOf(layer)));
  }

  /** The attention of a text's tokens to the audio, by layer. Throws what ONNX Runtime throws. */
  async attention(ids: readonly number[], hidden: Hidden, layers: readonly number[]): Promise<Map<number, Attention>> {
    const fetches = Object.fromEntries(layers.map((layer) => [attentionOf(layer), null]));
    const outputs = await this.#first.run(this.#firstFeeds([ids], hidden), fetches);
    return new Map(layers.map((layer) => [layer, floatsOf(outputs, attentionOf(layer))]));
  }

  #firstFeeds(prompts: readonly (readonly number[])[], { tensor, rows }: Hidden): Record<string, OrtTensor> {
    const empty = [...this.#textCache, ...this.#audioCache].map((metadata): [string, OrtTensor] => {
      const [heads, width] = sizesOf(metadata);
      const shape = [rows, heads, 0, width];
      const datatype = datatypeOf(metadata.type);
      if (datatype === 'BYTES') throw new Error(`${metadata.name} is not numeric`);
      return [metadata.name, toOrt({ datatype, shape, data: new Uint8Array(0) })];
    });
    return {
      input_ids: idsTensor(prompts),
      encoder_hidden_states: tensor,
      ...Object.fromEntries(empty),
      [CACHE_SWITCH]: new OrtTensor('bool', Uint8Array.of(0), [1]),
    };
  }

  /** Runs one more token for each row. Throws what ONNX Runtime throws. */
  async step(ids: readonly number[], cache: DecoderCache): Promise<Logits> {
    const { session } = this.#further;
    const fetches: Record<string, null> = { logits: null };
    for (const { name } of this.#textCache) fetches[presentOf(name)] = null;
    const feeds: Record<string, OrtTensor> = {
      input_ids: idsTensor(ids.map((id) => [id])),
      ...cache.feeds,
      // Further passes read the audio only through its keys and values.
      encoder_hidden_states: this.#noHidden(ids.length),
    };
    if (session.inputNames.includes(CACHE_SWITCH)) feeds[CACHE_SWITCH] = new OrtTensor('bool', Uint8Array.of(1), [1]);
    const outputs = await this.#further.run(feeds, fetches);
    cache.advance(caches(outputs, this.#textCache));
    return logitsOf(outputs);
  }

  async release(): Promise<void> {
    await this.#first.release();
    if (this.#further !== this.#first) await this.#further.release();
  }

  #noHidden(rows: number): OrtTensor {
    const metadata = this.#first.session.inputMetadata.find(({ name }) => name === 'encoder_hidden_states');
    if (metadata?.isTensor !== true) throw new Error('the decoder has no input encoder_hidden_states');
    const width = metadata.shape.at(-1);
    const datatype = datatypeOf(metadata.type);
    if (typeof width !== 'number' || datatype === 'BYTES') throw new Error('encoder_hidden_states has no width');
    return toOrt({ datatype, shape: [rows, 0, width], data: new Uint8Array(0) });
  }
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
