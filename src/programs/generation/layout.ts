import type { InferenceSession } from 'onnxruntime-node';
import type { GraphMetadata } from '../../onnx/signature.ts';
import type { GenerationOptions } from '../../tasks/chat/generation.ts';

/** A key or value tensor of one layer, as input and as the longer output. Shape [rows, heads, tokens, size]. */
export interface CacheTensor {
  readonly past: string;
  readonly present: string;
  readonly heads: number;
  readonly size: number;
}

/** What a decoder's graph takes and gives, as its metadata tells. */
export interface DecoderLayout {
  readonly cache: readonly CacheTensor[];
  readonly cacheType: 'float32' | 'float16';
  /** Element type of `input_ids`, `attention_mask` and `position_ids`. */
  readonly integers: 'int64' | 'int32';
  readonly hasMask: boolean;
  readonly hasPositions: boolean;
  /** The input that asks for the logits of the last positions alone, where there is one. */
  readonly logitsToKeep: string | undefined;
  /** A graph with one branch for the first run and one for those after it. */
  readonly hasBranch: boolean;
  /** Bytes of keys and values for one token. */
  readonly tokenBytes: number;
}

const KEEP_NAMES = ['num_logits_to_keep', 'logits_to_keep'];

/** Reads the layout of a decoder-only graph. Throws a plain Error saying why the graph cannot be run here. */
export function readLayout(
  { inputMetadata, outputMetadata }: GraphMetadata,
  options: GenerationOptions,
): DecoderLayout {
  const inputs = new Map(inputMetadata.map((metadata) => [metadata.name, metadata]));
  const outputs = outputMetadata.map(({ name }) => name);
  const ids = inputs.get('input_ids');
  if (ids?.isTensor !== true || (ids.type !== 'int64' && ids.type !== 'int32'))
    throw new Error('a chat model needs an input input_ids of int64 or int32');
  if (!outputs.includes('logits')) throw new Error('a chat model needs an output logits');
  const logitsToKeep = KEEP_NAMES.find((name) => inputs.has(name));
  const known = new Set(['input_ids', 'attention_mask', 'position_ids', 'use_cache_branch', logitsToKeep]);
  const { cache, cacheType } = readCache(
    [...inputs.values()].filter(({ name }) => !known.has(name)),
    outputs,
    options,
  );
  const elements = cache.reduce((sum, { heads, size }) => sum + heads * size, 0);
  return {
    cache,
    cacheType,
    integers: ids.type,
    hasMask: inputs.has('attention_mask'),
    hasPositions: inputs.has('position_ids'),
    logitsToKeep,
    hasBranch: inputs.has('use_cache_branch'),
    tokenBytes: elements * (cacheType === 'float32' ? 4 : 2),
  };
}

/** The tensors of the cache: every input that is not one of the others. */
function readCache(
  inputs: readonly InferenceSession.ValueMetadata[],
  outputs: readonly string[],
  { keyValueHeads, headSize }: GenerationOptions,
): Pick<DecoderLayout, 'cache' | 'cacheType'> {
  const types = new Set<string>();
  const cache = inputs.map((metadata): CacheTensor => {
    const { name } = metadata;
    const present = presentOf(name, outputs);
    if (present === undefined || !metadata.isTensor || metadata.shape.length !== 4)
      throw new Error(`input ${name} of the graph is not one that a decoder-only chat model has`);
    types.add(metadata.type);
    const heads = dimension(metadata.shape[1], keyValueHeads, `${name}: the number of heads`);
    const size = dimension(metadata.shape[3], headSize, `${name}: the size of a head`);
    return { past: name, present, heads, size };
  });
  const [cacheType] = types;
  if (cache.length === 0)
    throw new Error('the graph has no past_key_values: export the model with its cache (text-generation-with-past)');
  if (types.size > 1 || (cacheType !== 'float32' && cacheType !== 'float16'))
    throw new Error(`past_key_values are ${[...types].join(' and ')}; float32 or float16 is needed`);
  return { cache, cacheType };
}

/** The output that continues an input of the cache: `past_key_values.0.key` goes on as `present.0.key`. */
function presentOf(past: string, outputs: readonly string[]): string | undefined {
  if (!past.startsWith('past')) return undefined;
  const rest = past.replace(/^past(?:_key_values)?/, '');
  return ['present', 'present_key_values'].map((name) => name + rest).find((name) => outputs.includes(name));
}

function dimension(own: number | string | undefined, fallback: number | undefined, what: string): number {
  const value = typeof own === 'number' && own > 0 ? own : fallback;
  if (value === undefined) throw new Error(`${what} is neither in the graph nor in config.json`);
  return value;
}
