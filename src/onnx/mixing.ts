import type { OnnxGraph, OnnxNode } from './structure.ts';

/**
 * Operators that join the rows of a batch. Runs of made-up rows may never show the effect: `if the largest number of the batch is above a
 * million` changes no answer to smaller numbers. Only what is certain is reported here; the runs of the trial find the rest.
 */

const REDUCTIONS = new Set([
  ...['ReduceMax', 'ReduceMin', 'ReduceSum', 'ReduceMean', 'ReduceProd', 'ReduceL1', 'ReduceL2'],
  ...['ReduceLogSum', 'ReduceLogSumExp', 'ReduceSumSquare'],
]);

/** Operators whose result counts along its first axis what their inputs count along theirs: they work element by element, or row by row. */
const ELEMENTWISE = new Set([
  ...['Identity', 'Cast', 'CastLike', 'Abs', 'Neg', 'Sign', 'Not', 'Exp', 'Log', 'Sqrt', 'Reciprocal', 'Dropout'],
  ...['Floor', 'Ceil', 'Round', 'Relu', 'LeakyRelu', 'Sigmoid', 'Tanh', 'Softplus', 'Elu', 'Gelu', 'Erf', 'Clip'],
  ...['Add', 'Sub', 'Mul', 'Div', 'Pow', 'Mod', 'Min', 'Max', 'Sum', 'Mean', 'And', 'Or', 'Xor', 'Where', 'IsNaN'],
  ...['Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'QuantizeLinear', 'DequantizeLinear', 'IsInf'],
]);
const ROW_BY_ROW = new Set([
  ...['Conv', 'MaxPool', 'AveragePool', 'GlobalAveragePool', 'GlobalMaxPool', 'MatMul'],
  ...['BatchNormalization', 'LayerNormalization'],
]);

/** Operators that work along one axis of their first input, with the default axis. */
const ALONG: Readonly<Record<string, number>> = {
  ArgMax: 0,
  ArgMin: 0,
  Gather: 0,
  TopK: -1,
  Softmax: -1,
  LogSoftmax: -1,
  Hardmax: -1,
};

type Constants = Pick<OnnxGraph, 'constants' | 'nodes'>;

/** What an operator does to rows that are counted along the first axis of some of its inputs. */
export interface RowUse {
  /** It joins all of them. The operator's name. */
  readonly mixed?: string;
  /** Its result counts them along its first axis. */
  readonly isFirst?: true;
}

/** What a standard operator does to rows; `isFirst` tells the inputs along whose first axis they are counted. */
export function useOfRows(node: OnnxNode, graph: Constants, isFirst: readonly boolean[]): RowUse {
  const { op, inputs } = node;
  const [first = false] = isFirst;
  if (REDUCTIONS.has(op)) return reduction(node, graph, first);
  const axis = op === 'CumSum' ? integersOf(inputs[1], graph)?.[0] : axisOf(node);
  // Work along the axis of rows: a sum over rows, the greatest of them, row 0 alone. What becomes of a row depends on the others.
  if (first && axis === 0) return { mixed: op };
  // In a flat list of all elements, a reduction along the only axis joins the rows.
  if (op === 'Reshape') return counted(isFlat(integersOf(inputs[1], graph)));
  return counted(ELEMENTWISE.has(op) ? isFirst.includes(true) : ROW_BY_ROW.has(op) && first);
}

function axisOf({ op, attributes }: OnnxNode): number | undefined {
  return Object.hasOwn(ALONG, op) ? (attributes.get('axis')?.integers[0] ?? ALONG[op]) : undefined;
}

function reduction({ op, inputs, attributes }: OnnxNode, graph: Constants, isFirst: boolean): RowUse {
  const [, given = ''] = inputs;
  const axes = given === '' ? (attributes.get('axes')?.integers ?? []) : integersOf(given, graph);
  if (axes === undefined) return {};
  if (axes.length === 0 && attributes.get('noop_with_empty_axes')?.integers[0] === 1) return counted(isFirst);
  const isMixed = axes.length === 0 || (isFirst && axes.includes(0));
  return isMixed ? { mixed: op } : counted(isFirst);
}

function counted(isFirst: boolean): RowUse {
  return isFirst ? { isFirst } : {};
}

function isFlat(shape: readonly number[] | undefined): boolean {
  return shape?.length === 1 && shape[0] === -1;
}

function integersOf(name: string | undefined, { constants, nodes }: Constants): readonly number[] | undefined {
  if (name === undefined) return undefined;
  const own = constants.get(name)?.integers;
  if (own !== undefined) return own;
  const attributes = nodes.find(({ op, outputs }) => op === 'Constant' && outputs[0] === name)?.attributes;
  return attributes?.get('value')?.tensor?.integers ?? attributes?.get('value_ints')?.integers;
}
