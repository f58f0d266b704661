import type { TestContext } from 'node:test';
import type { ModelSpec } from '../../../src/model-spec.ts';
import type { OnnxNode } from '../../../tools/onnx-writer.ts';
import { node, value, writeModel, type Graph } from '../../onnx/models.ts';
import { quantised } from '../../onnx/quantise.ts';
import { openBench, writeFiles, type EncoderBench } from './encoder-bench.ts';

/** A BERT in small: embeddings of words, types and places, one layer of masked attention, and either token vectors or logits. */

const WORDS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'good', 'bad', 'the', 'film', 'was', 'not', 'very', '!', '?'];
const LETTERS = Array.from('abcdefghijklmnopqrstuvwxyz');
export const VOCABULARY: readonly string[] = [...WORDS, ...LETTERS, ...LETTERS.map((letter) => `##${letter}`)];
export const SIZE = 6;
const PLACES = 64;

const special = (content: string, type = 0) => ({ SpecialToken: { id: content, type_id: type } });
const text = (id: 'A' | 'B', type: number) => ({ Sequence: { id, type_id: type } });
const added = ['[PAD]', '[UNK]', '[CLS]', '[SEP]'].map((content, id) => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
}));

/** tokenizer.json of the small BERT. */
export const TINY_TOKENIZER = {
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: added,
  normalizer: {
    type: 'BertNormalizer',
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  },
  pre_tokenizer: { type: 'BertPreTokenizer' },
  post_processor: {
    type: 'TemplateProcessing',
    single: [special('[CLS]'), text('A', 0), special('[SEP]')],
    pair: [special('[CLS]'), text('A', 0), special('[SEP]'), text('B', 1), special('[SEP]', 1)],
    special_tokens: {
      '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] },
      '[SEP]': { id: '[SEP]', ids: [3], tokens: ['[SEP]'] },
    },
  },
  decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
  model: {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(VOCABULARY.map((token, id) => [token, id])),
  },
};

export interface TinyShape {
  /** Logits of this many classes, instead of token vectors. */
  readonly classes?: number;
  /** Logits of each word of the vocabulary for each token: a masked language model. */
  readonly words?: boolean;
  /** The heads of BGE-M3: `dense_vecs`, `sparse_vecs`, and `colbert_vecs` without the first token. */
  readonly heads?: boolean;
  /** Type of the inputs. */
  readonly ids?: 'INT64' | 'INT32';
  /** Beside `last_hidden_state`: a vector of the graph's own, the first token's vector times two. */
  readonly sentence?: boolean;
  /** Half-precision outputs. */
  readonly half?: boolean;
  /** Leaves the mask out. */
  readonly unmasked?: boolean;
  /** The only length of rows. */
  readonly length?: number;
  /** Dynamically quantised. */
  readonly quantised?: boolean;
}

/** Numbers between -1 and 1 that look random and are always the same. */
export function numbers(count: number, seed: number): Float32Array {
  return Float32Array.from({ length: count }, (_, index) => Math.sin((index + 1) * 12.9898 * seed));
}

const FLOATS = { datatype: 'FP32' as const };

/** Adds -10000 to the likeness of padded tokens. */
const MASK = [
  node('Cast', ['attention_mask'], 'mask', { to: { int: 1 } }),
  node('Sub', ['mask', 'one'], 'absent'),
  node('Mul', ['absent', 'much'], 'away'),
  node('Unsqueeze', ['away', 'axis'], 'away3'),
  node('Add', ['likeness', 'away3'], 'masked'),
];

/** Value infos and nodes that make `state` into the outputs. */
function endings({ classes, words = false, heads = false, sentence = false, half = false }: TinyShape): {
  outputs: Record<string, (string | number)[]>;
  nodes: OnnxNode[];
} {
  const first = node('Gather', ['state', 'zero'], 'first', { axis: { int: 1 } });
  const cast = (from: string, to: string) => node('Cast', [from], to, { to: { int: half ? 10 : 1 } });
  if (classes !== undefined)
    return {
      outputs: { logits: [classes] },
      nodes: [first, node('MatMul', ['first', 'head'], 'scores'), cast('scores', 'logits')],
    };
  if (words)
    return {
      outputs: { logits: ['tokens', VOCABULARY.length] },
      nodes: [
        node('Transpose', ['words'], 'turned', { perm: { ints: [1, 0] } }),
        node('MatMul', ['state', 'turned'], 'logits'),
      ],
    };
  if (heads)
    return {
      outputs: { dense_vecs: [SIZE], sparse_vecs: ['tokens', 1], colbert_vecs: ['others', SIZE] },
      nodes: [
        first,
        cast('first', 'dense_vecs'),
        node('MatMul', ['state', 'head'], 'weights'),
        node('Relu', ['weights'], 'sparse_vecs'),
        node('Slice', ['state', 'one_at', 'end_at', 'one_at'], 'colbert_vecs'),
      ],
    };
  const nodes = [cast('state', 'last_hidden_state')];
  if (!sentence) return { outputs: { last_hidden_state: ['tokens', SIZE] }, nodes };
  return {
    outputs: { last_hidden_state: ['tokens', SIZE], sentence_embedding: [SIZE] },
    nodes: [...nodes, first, node('Add', ['first', 'first'], 'twice'), cast('twice', 'sentence_embedding')],
  };
}

/** The graph; constants that nothing uses are left out. */
export function tinyGraph(shape: TinyShape): Graph {
  const graph = shape.quantised === true ? quantised(wholeGraph(shape)) : wholeGraph(shape);
  const used = new Set(graph.nodes.flatMap((one) => one.inputs));
  return { ...graph, initializers: graph.initializers.filter(({ name }) => used.has(name)) };
}

function wholeGraph(shape: TinyShape): Graph & Required<Pick<Graph, 'initializers'>> {
  const { classes, ids = 'INT64', half = false, unmasked = false, length } = shape;
  const rows = ['batch', length ?? 'tokens'] as const;
  const { outputs, nodes } = endings(shape);
  const inputs = ['input_ids', ...(unmasked ? [] : ['attention_mask']), 'token_type_ids', 'position_ids'];
  return {
    inputs: inputs.map((name) => value(name, ids, rows)),
    outputs: Object.entries(outputs).map(([name, inner]) => value(name, half ? 'FP16' : 'FP32', ['batch', ...inner])),
    nodes: [
      node('Gather', ['words', 'input_ids'], 'w'),
      node('Gather', ['types', 'token_type_ids'], 't'),
      node('Gather', ['places', 'position_ids'], 'p'),
      node('Sum', ['w', 't', 'p'], 'x'),
      node('Transpose', ['x'], 'xt', { perm: { ints: [0, 2, 1] } }),
      node('MatMul', ['x', 'xt'], 'likeness'),
      ...(unmasked ? [node('Identity', ['likeness'], 'masked')] : MASK),
      node('Softmax', ['masked'], 'attention', { axis: { int: -1 } }),
      node('MatMul', ['attention', 'x'], 'context'),
      node('Add', ['context', 'x'], 'state'),
      ...nodes,
    ],
    initializers: [
      { name: 'words', ...FLOATS, shape: [VOCABULARY.length, SIZE], data: numbers(VOCABULARY.length * SIZE, 1) },
      { name: 'types', ...FLOATS, shape: [2, SIZE], data: numbers(2 * SIZE, 2) },
      { name: 'places', ...FLOATS, shape: [PLACES, SIZE], data: numbers(PLACES * SIZE, 3) },
      { name: 'head', ...FLOATS, shape: [SIZE, classes ?? 1], data: numbers(SIZE * (classes ?? 1), 5) },
      { name: 'one', ...FLOATS, shape: [1], data: Float32Array.of(1) },
      { name: 'much', ...FLOATS, shape: [1], data: Float32Array.of(10_000) },
      { name: 'axis', datatype: 'INT64', shape: [1], data: BigInt64Array.of(1n) },
      { name: 'one_at', datatype: 'INT64', shape: [1], data: BigInt64Array.of(1n) },
      { name: 'end_at', datatype: 'INT64', shape: [1], data: BigInt64Array.of(1000n) },
      { name: 'zero', datatype: 'INT64', shape: [], data: BigInt64Array.of(0n) },
    ],
  };
}

export interface TinyModel extends TinyShape, Pick<ModelSpec, 'dynamicQuantisation'> {
  readonly task: string;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly tokenizerConfig?: Readonly<Record<string, unknown>>;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly labels?: readonly string[];
  /** Further files by role: name and content. */
  readonly more?: Readonly<Record<string, { readonly name: string; readonly content: unknown }>>;
}

/** The small BERT as a hub folder, opened. */
export async function openTiny(t: TestContext, model: TinyModel): Promise<EncoderBench> {
  const { task, config, tokenizerConfig, options, labels, more, dynamicQuantisation } = model;
  const { folder, files } = await writeFiles(t, {
    tokenizer: { name: 'tokenizer.json', content: TINY_TOKENIZER },
    config: { name: 'config.json', content: { max_position_embeddings: 32, pad_token_id: 0, ...config } },
    tokenizerConfig: { name: 'tokenizer_config.json', content: { pad_token: '[PAD]', ...tokenizerConfig } },
    ...more,
  });
  return openBench(t, {
    task,
    folder,
    files,
    weights: await writeModel(t, tinyGraph(model)),
    ...(options === undefined ? {} : { options }),
    ...(labels === undefined ? {} : { labels }),
    ...(dynamicQuantisation === undefined ? {} : { dynamicQuantisation }),
  });
}
