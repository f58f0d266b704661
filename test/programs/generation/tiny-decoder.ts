import type { OnnxConstant, OnnxGraph, OnnxNode } from '../../../tools/onnx-writer.ts';
import { onnxModel } from '../../../tools/onnx-writer.ts';
import { quantised } from '../../onnx/quantise.ts';
import { randomNumbers } from '../../../tools/make-mlp.ts';

export const VOCABULARY = 19;
const HEADS = 2;
const SIZE = 8;
export const WIDTH = HEADS * SIZE;
/** Past it a run fails. */
export const POSITIONS = 256;

export interface TinyDecoder {
  /** `grouped`: the attention is ONNX Runtime's GroupQueryAttention; else it is written out. The numbers are the same. */
  readonly grouped?: boolean;
  /** Positions come as an input; else the graph takes the place in the cache. */
  readonly positions?: boolean;
  /** Hidden states instead of logits, as an embedding model has them. */
  readonly hidden?: boolean;
  /** A name in the graph is one that the program would add, so that it cannot add its nodes. */
  readonly taken?: boolean;
  /** Dynamically quantised. */
  readonly dynamic?: boolean;
  /** Bytes of a weight happen to be the name of the operator that `grouped` has. */
  readonly spells?: boolean;
}

/** A language model of one layer with random weights and learned positions, in the usual layout with a cache. */
export function tinyDecoder({
  grouped = false,
  positions = true,
  taken = false,
  hidden = false,
  dynamic = false,
  spells,
}: TinyDecoder): Uint8Array {
  const nodes: OnnxNode[] = [];
  const node = (op: string, inputs: string[], output: string, attributes: OnnxNode['attributes'] = {}): string => {
    nodes.push({ op, inputs, outputs: [output], attributes });
    return output;
  };
  node('Shape', ['attention_mask'], 'mask_shape');
  node('Gather', ['mask_shape', 'one'], 'total');
  node('Shape', ['input_ids'], taken ? 'carpool.shape_input_ids' : 'ids_shape');
  node('Gather', [taken ? 'carpool.shape_input_ids' : 'ids_shape', 'one'], 'new');
  node('Sub', ['total', 'new'], 'past');
  node('Range', ['zero', 'total', 'one'], 'keys');
  node('Range', ['past', 'total', 'one'], 'places');
  node('Gather', ['embedding', 'input_ids'], 'words');
  node('Gather', ['position_embedding', positions ? 'position_ids' : 'places'], 'where');
  node('Add', ['words', 'where'], 'x');
  for (const name of ['q', 'k', 'v']) node('MatMul', ['x', `w${name}`], name);
  if (grouped) groupedAttention(nodes);
  else plainAttention(node);
  node('MatMul', ['attended', 'wo'], 'projected');
  node('Add', ['x', 'projected'], 'y');
  if (hidden) node('Identity', ['y'], 'last_hidden_state');
  else node('MatMul', ['y', 'head'], 'logits');
  const int64 = (name: string, ...shape: string[]) => ({ name, datatype: 'INT64' as const, shape });
  const cache = (name: string, tokens: string) => ({
    name,
    datatype: 'FP32' as const,
    shape: ['batch', HEADS, tokens, SIZE],
  });
  const initializers = weights(grouped, spells);
  const graph: OnnxGraph = {
    name: 'tiny',
    nodes,
    initializers,
    inputs: [
      int64('input_ids', 'batch', 'sequence'),
      int64('attention_mask', 'batch', 'all'),
      ...(positions ? [int64('position_ids', 'batch', 'sequence')] : []),
      cache('past_key_values.0.key', 'past'),
      cache('past_key_values.0.value', 'past'),
    ],
    outputs: [
      hidden
        ? { name: 'last_hidden_state', datatype: 'FP32', shape: ['batch', 'sequence', WIDTH] }
        : { name: 'logits', datatype: 'FP32', shape: ['batch', 'sequence', VOCABULARY] },
      cache('present.0.key', 'all'),
      cache('present.0.value', 'all'),
    ],
  };
  return onnxModel(dynamic ? quantised({ ...graph, initializers }) : graph);
}

type AddNode = (op: string, inputs: string[], output: string, attributes?: OnnxNode['attributes']) => string;

function plainAttention(node: AddNode): void {
  for (const name of ['q', 'k', 'v']) {
    node('Reshape', [name, 'split'], `${name}_split`);
    node('Transpose', [`${name}_split`], `${name}_heads`, { perm: { ints: [0, 2, 1, 3] } });
  }
  node('Concat', ['past_key_values.0.key', 'k_heads'], 'present.0.key', { axis: { int: 2 } });
  node('Concat', ['past_key_values.0.value', 'v_heads'], 'present.0.value', { axis: { int: 2 } });
  node('Transpose', ['present.0.key'], 'k_turned', { perm: { ints: [0, 1, 3, 2] } });
  node('MatMul', ['q_heads', 'k_turned'], 'products');
  node('Mul', ['products', 'scale'], 'scores');
  node('Unsqueeze', ['places', 'axis_1'], 'place_rows');
  node('LessOrEqual', ['keys', 'place_rows'], 'causal');
  node('Cast', ['attention_mask'], 'mask', { to: { int: 9 } });
  node('Unsqueeze', ['mask', 'axes_1_2'], 'mask_4d');
  node('And', ['causal', 'mask_4d'], 'seen');
  node('Where', ['seen', 'scores', 'least'], 'masked');
  node('Softmax', ['masked'], 'shares', { axis: { int: -1 } });
  node('MatMul', ['shares', 'present.0.value'], 'mixed');
  node('Transpose', ['mixed'], 'mixed_rows', { perm: { ints: [0, 2, 1, 3] } });
  node('Reshape', ['mixed_rows', 'join'], 'attended');
}

function groupedAttention(nodes: OnnxNode[]): void {
  const int32 = { to: { int: 6 } };
  nodes.push(
    { op: 'ReduceSum', inputs: ['attention_mask', 'axis_1'], outputs: ['sums'], attributes: { keepdims: { int: 0 } } },
    { op: 'Sub', inputs: ['sums', 'one'], outputs: ['last'] },
    { op: 'Cast', inputs: ['last'], outputs: ['seqlens_k'], attributes: int32 },
    { op: 'Cast', inputs: ['total'], outputs: ['total_sequence_length'], attributes: int32 },
    {
      op: 'GroupQueryAttention',
      domain: 'com.microsoft',
      inputs: [
        ...['q', 'k', 'v', 'past_key_values.0.key', 'past_key_values.0.value'],
        ...['seqlens_k', 'total_sequence_length'],
      ],
      outputs: ['attended', 'present.0.key', 'present.0.value'],
      attributes: { num_heads: { int: HEADS }, kv_num_heads: { int: HEADS } },
    },
  );
}

const SPELLING: OnnxConstant = {
  name: 'bytes',
  datatype: 'UINT8',
  shape: [19],
  data: Uint8Array.from(Buffer.from('GroupQueryAttention')),
};

function weights(grouped: boolean, spells = false): OnnxConstant[] {
  const random = randomNumbers(7);
  const matrix = (name: string, rows: number, columns: number, size = 1): OnnxConstant => ({
    name,
    datatype: 'FP32',
    shape: [rows, columns],
    data: Float32Array.from({ length: rows * columns }, () => (random() - 0.5) * 2 * size),
  });
  const integers = (name: string, values: readonly number[], scalar = false): OnnxConstant => ({
    name,
    datatype: 'INT64',
    shape: scalar ? [] : [values.length],
    data: BigInt64Array.from(values, BigInt),
  });
  const number = (name: string, value: number): OnnxConstant => ({
    name,
    datatype: 'FP32',
    shape: [],
    data: Float32Array.of(value),
  });
  const attention = [
    integers('axes_1_2', [1, 2]),
    integers('split', [0, 0, HEADS, SIZE]),
    integers('join', [0, 0, WIDTH]),
    number('scale', 1 / Math.sqrt(SIZE)),
    number('least', -1e9),
  ];
  return [
    ...(grouped ? [] : attention),
    ...(spells ? [SPELLING] : []),
    matrix('embedding', VOCABULARY, WIDTH),
    matrix('position_embedding', POSITIONS, WIDTH),
    ...['wq', 'wk', 'wv', 'wo'].map((name) => matrix(name, WIDTH, WIDTH)),
    matrix('head', WIDTH, VOCABULARY),
    integers('zero', [0], true),
    integers('one', [1], true),
    integers('axis_1', [1]),
  ];
}
