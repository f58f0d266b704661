import type { Tensor as OrtTensor } from 'onnxruntime-node';
import { fromOrt } from '../../onnx/ort-tensor.ts';
import type { EncoderOptions, Pooling } from '../../tasks/text/encoder-contract.ts';
import { widenHalf } from '../../tensors/half-float.ts';
import { typedView, type Signature, type TensorSpec } from '../../tensors/tensor.ts';
import type { TokenVectors } from './pooling.ts';

/** Which outputs of the graph a text encoder reads. */
export interface EncoderOutputs {
  /** One vector per text: the graph pools by itself, or gives scores. */
  readonly sentence: TensorSpec | undefined;
  /** One vector per token; of several outputs, their numbers one after the other. */
  readonly tokens: readonly TensorSpec[];
  /** One vector per token for comparisons token by token (ColBERT), where the graph has them beside the others; it may leave out the first token. */
  readonly multi: TensorSpec | undefined;
  /** One weight per token, [batch, tokens, 1], for a sparse vector. */
  readonly weights: TensorSpec | undefined;
  /** How `tokens` become one vector, where `sentence` does not give it. */
  readonly pooling: readonly Pooling[] | undefined;
  /** Numbers of a text's vector, or classes; -1 where the graph does not say. */
  readonly size: number;
}

/** Names by exporters, best first. */
const SENTENCE_NAMES = ['sentence_embedding', 'text_embeds', 'embeddings', 'dense_vecs'];
const TOKEN_NAMES = ['token_embeddings', 'last_hidden_state'];
/** Of exports of BGE-M3 with all its heads. */
const MULTI_NAME = 'colbert_vecs';
const WEIGHTS_NAME = 'sparse_vecs';

/** Chooses by name and rank ([batch, size] or [batch, tokens, size]). Throws a plain Error where nothing fits. */
export function chooseOutputs({ outputs }: Signature, options: EncoderOptions): EncoderOutputs {
  const usable = outputs.filter(({ datatype }) => datatype === 'FP32' || datatype === 'FP16');
  const named = usable.find(({ name }) => name === options.output);
  if (options.output !== undefined && named === undefined)
    throw new Error(`there is no float output ${options.output}; ${list(outputs)}`);
  if (options.wants === 'scores') {
    const scores = ofRank(named === undefined ? usable : [named], 2, ['logits']);
    if (scores === undefined) throw new Error(`no output holds a score a class; ${list(outputs)}`);
    return { ...NONE, sentence: scores, size: sizeOf(scores) };
  }
  if (options.wants === 'token-scores') return tokenScores({ outputs: usable }, options);
  const pooling = options.pooling ?? options.usualPooling;
  return pooling?.includes('splade') === true
    ? spladeOutputs(outputs, named ?? usable.find(({ name }) => name === 'logits'))
    : vectorOutputs(usable, named, options);
}

function vectorOutputs(
  usable: readonly TensorSpec[],
  named: TensorSpec | undefined,
  options: EncoderOptions,
): EncoderOutputs {
  // Logits of a masked language model have the rank of vectors, but are none.
  const vectors = usable.filter(({ name }) => name !== 'logits');
  const multi = ofName(usable, MULTI_NAME);
  const weights = ofName(usable, WEIGHTS_NAME);
  const tokens = ofRank(
    vectors.filter((spec) => spec !== multi && spec !== weights),
    3,
    TOKEN_NAMES,
  );
  const sentence = sentenceOutput(named === undefined ? vectors : [named], tokens, options);
  const all = { ...NONE, tokens: present(tokens), multi, weights };
  if (sentence !== undefined) return { ...all, sentence, size: sizeOf(sentence) };
  return { ...all, ...pooledOutput(named ?? tokens, usable, options) };
}

/** Vectors of tokens that become one here. Throws a plain Error where nothing says how. */
function pooledOutput(
  pooled: TensorSpec | undefined,
  outputs: readonly TensorSpec[],
  options: EncoderOptions,
): Pick<EncoderOutputs, 'tokens' | 'pooling' | 'size'> {
  if (options.ownOnly !== undefined && options.pooling === undefined)
    throw new Error(`${options.ownOnly}, and the graph has no output sentence_embedding`);
  if (pooled?.shape.length !== 3) throw new Error(`no output holds a vector a token; ${list(outputs)}`);
  const pooling = options.pooling ?? options.usualPooling;
  if (pooling === undefined)
    throw new Error(
      'no file says how the token vectors of this decoder become one: set options.pooling in model.json, most often to "last"',
    );
  const size = sizeOf(pooled);
  return { tokens: [pooled], pooling, size: size === -1 ? -1 : size * pooling.length };
}

/** The outputs with scores of tokens. Throws a plain Error where one is missing. */
function tokenScores({ outputs }: Pick<Signature, 'outputs'>, options: EncoderOptions): EncoderOutputs {
  const { heads, output } = options;
  if (heads !== undefined) {
    const found = heads.map((name) => {
      const spec = outputs.find((one) => one.name === name && one.shape.length === 2);
      if (spec === undefined) throw new Error(`there is no output ${name} of a number a token; ${list(outputs)}`);
      return spec;
    });
    return { ...NONE, tokens: found, size: found.length };
  }
  const scores = ofRank(output === undefined ? outputs : outputs.filter(({ name }) => name === output), 3, ['logits']);
  if (scores === undefined) throw new Error(`no output holds scores a token; ${list(outputs)}`);
  return { ...NONE, tokens: [scores], size: sizeOf(scores) };
}

function present(spec: TensorSpec | undefined): readonly TensorSpec[] {
  return spec === undefined ? [] : [spec];
}

const NONE = { sentence: undefined, tokens: [], multi: undefined, weights: undefined, pooling: undefined };

/** Logits of each token become one vector. Throws a plain Error where there are none. */
function spladeOutputs(outputs: readonly TensorSpec[], logits: TensorSpec | undefined): EncoderOutputs {
  if (logits?.shape.length !== 3) throw new Error(`no output holds the logits of each token; ${list(outputs)}`);
  return { ...NONE, tokens: [logits], pooling: ['splade'], size: sizeOf(logits) };
}

function ofName(specs: readonly TensorSpec[], name: string): TensorSpec | undefined {
  return specs.find((spec) => spec.name === name && spec.shape.length === 3);
}

/** The graph's own sentence vector, if it can be trusted. A pooler_output cannot: BERT's is made for another training task. */
function sentenceOutput(
  wanted: readonly TensorSpec[],
  tokens: TensorSpec | undefined,
  { pooling, output }: EncoderOptions,
): TensorSpec | undefined {
  if (pooling !== undefined) return undefined;
  const own = ofRank(wanted, 2, SENTENCE_NAMES);
  const trusted = tokens === undefined || own?.name === output || SENTENCE_NAMES.includes(own?.name ?? '');
  return trusted ? own : undefined;
}

/** The output of this rank with the first of the names, else any of this rank. */
function ofRank(specs: readonly TensorSpec[], rank: number, names: readonly string[]): TensorSpec | undefined {
  const fitting = specs.filter(({ shape }) => shape.length === rank);
  const named = names.map((name) => fitting.find((spec) => spec.name === name));
  return named.find((spec) => spec !== undefined) ?? fitting[0];
}

function sizeOf({ shape }: TensorSpec): number {
  return shape.at(-1) ?? -1;
}

function list(outputs: readonly TensorSpec[]): string {
  return `the graph has ${outputs.map(({ name }) => name).join(', ')}`;
}

/** The program's options as they come over from the main thread. Throws a plain Error on others. */
export function readEncoderOptions(options: Readonly<Record<string, unknown>>): EncoderOptions {
  const { wants, maxLength, padId } = options as Partial<EncoderOptions>;
  if (
    (wants !== 'embedding' && wants !== 'scores' && wants !== 'token-scores') ||
    maxLength === undefined ||
    padId === undefined
  )
    throw new Error('these are not the options of a text encoder');
  return options as unknown as EncoderOptions;
}

/** An output as float32 vectors along its last axis; half floats are widened. Undefined where the run gave none. */
export function vectorsOf(output: OrtTensor | undefined): TokenVectors | undefined {
  if (output === undefined) return undefined;
  const tensor = fromOrt(output);
  if (tensor.datatype === 'BYTES') throw new Error('an output of texts holds no vectors');
  const values = typedView(tensor.datatype === 'FP16' ? widenHalf(tensor) : tensor);
  if (!(values instanceof Float32Array)) throw new Error(`an output of ${tensor.datatype} holds no vectors`);
  return { values, size: tensor.shape.at(-1) ?? values.length };
}

/** The vectors of tokens in a run's outputs; undefined where the run gave none. An output of two axes has one number a token. */
export function tokenVectorsOf(
  specs: readonly TensorSpec[],
  results: Readonly<Record<string, OrtTensor>>,
): TokenVectors | undefined {
  const parts = specs.flatMap(({ name, shape }) => {
    const vectors = vectorsOf(results[name]);
    return vectors === undefined ? [] : [shape.length === 2 ? { ...vectors, size: 1 } : vectors];
  });
  const [first] = parts;
  if (first === undefined || parts.length < specs.length) return undefined;
  if (parts.length === 1) return first;
  const size = parts.reduce((sum, part) => sum + part.size, 0);
  const values = new Float32Array((first.values.length / first.size) * size);
  let offset = 0;
  for (const part of parts) {
    for (let token = 0; token * part.size < part.values.length; token += 1)
      values.set(part.values.subarray(token * part.size, (token + 1) * part.size), token * size + offset);
    offset += part.size;
  }
  return { values, size };
}
