import { ELEMENT_TYPES } from './onnx-proto.ts';
import type { OnnxGraph, OnnxModel, OnnxNode } from './structure.ts';

/** What an input of whole numbers (possibly as floats) or texts may hold, as far as the graph's operators show. */
export interface InputRange {
  /** Rows of the smallest table that is looked up by it: its elements are 0 to `limit` - 1. */
  readonly limit?: number;
  /** Something is divided by it. A 0 would end the whole process. */
  readonly divides: boolean;
}

/** Operators that pass their first input's elements on as they are. */
const PASSES = new Set([
  ...['Identity', 'Cast', 'Reshape', 'Squeeze', 'Unsqueeze', 'Flatten', 'Transpose', 'Slice', 'Expand', 'Tile'],
  ...['Split', 'Gather', 'GatherND', 'GatherElements', 'Concat', 'Dropout', 'DepthToSpace'],
]);
/** Operators that count a negative number from the end, or move all numbers by a few. */
const MOVES = new Set(['Add', 'Mul', 'Where', 'Max', 'Min', 'Clip']);
/** The share of a table's rows that an input may name where its elements are moved on their way to it. */
const MOVED_SHARE = 0.8;
/** Operators whose result is a table with as many rows as their first input. */
const TABLES = new Set(['Identity', 'Cast', 'DequantizeLinear', 'Dropout', 'Mul', 'Sub', 'Add']);
/** Operators whose result does not hold whole numbers made of the value's elements. */
const ENDS = new Set(['Shape', 'Size', 'Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'Not', 'IsNaN']);
const DIVISIONS = new Set(['Div', 'Mod']);
/** Most operators between a table and its lookup. */
const MOST_STEPS = 8;
const FLOAT_TYPES: readonly number[] = [
  ELEMENT_TYPES.float32,
  ELEMENT_TYPES.float16,
  ELEMENT_TYPES.float64,
  ELEMENT_TYPES.bfloat16,
];

/** By the place of an input of embedding operators: the place of its table. */
const EMBEDDED: Readonly<Record<string, number>> = { 0: 2, 1: 4, 8: 3 };

/** The range of each input, as far as the graph's own nodes show it; branches and loops are not read. */
export function readRanges({ graph }: OnnxModel): ReadonlyMap<string, InputRange> {
  const producers = new Map<string, OnnxNode>();
  const consumers = new Map<string, OnnxNode[]>();
  for (const node of graph.nodes) {
    for (const output of node.outputs) producers.set(output, node);
    for (const input of new Set(node.inputs)) consumers.set(input, [...(consumers.get(input) ?? []), node]);
  }
  const tableRows = (name: string | undefined, axis: number, depth = 0): number | undefined => {
    if (name === undefined || depth > MOST_STEPS) return undefined;
    const producer = producers.get(name);
    const dimensions = graph.constants.get(name)?.dimensions ?? producer?.attributes.get('value')?.tensor?.dimensions;
    // Single numbers and lists on the way to a table of several columns are its scales.
    if (dimensions !== undefined) return depth === 0 || dimensions.length > 1 ? dimensions.at(axis) : undefined;
    if (producer === undefined || !TABLES.has(producer.op)) return undefined;
    return producer.inputs.map((input) => tableRows(input, axis, depth + 1)).find((rows) => rows !== undefined);
  };
  return new Map(graph.inputs.map(({ name }) => [name, rangeOf(name, { consumers, tableRows })]));
}

interface Wiring {
  readonly consumers: ReadonlyMap<string, readonly OnnxNode[]>;
  readonly tableRows: (name: string | undefined, axis: number) => number | undefined;
}

function rangeOf(input: string, { consumers, tableRows }: Wiring): InputRange {
  let limit = Infinity;
  let divides = false;
  /** Values that hold the input's own elements (1) or those moved a little, then those that are only computed from it in whole numbers (0). */
  const seen = new Map<string, number>([[input, 1]]);
  for (const [value, share] of seen) {
    for (const node of consumers.get(value) ?? []) {
      if (share > 0) limit = Math.min(limit, Math.ceil(share * (limitOf(node, value, tableRows) ?? Infinity)));
      divides ||= DIVISIONS.has(node.op) && node.inputs[1] === value;
      if (!carries(node, value)) continue;
      for (const output of node.outputs) if (!seen.has(output)) seen.set(output, shareAfter(node, value, share));
    }
  }
  return { divides, ...(limit === Infinity ? {} : { limit }) };
}

/** What is left of a value's share behind a node. */
function shareAfter({ op, inputs }: OnnxNode, value: string, share: number): number {
  if (PASSES.has(op) && (inputs[0] === value || op === 'Concat')) return share;
  return MOVES.has(op) ? Math.min(share, MOVED_SHARE) : 0;
}

/** Rows of the table that this node looks `value` up in. */
function limitOf(
  { op, inputs, attributes }: OnnxNode,
  value: string,
  tableRows: Wiring['tableRows'],
): number | undefined {
  if ((op === 'Gather' || op === 'GatherElements' || op === 'GatherBlockQuantized') && inputs[1] === value) {
    const axis = attributes.get(op === 'GatherBlockQuantized' ? 'gather_axis' : 'axis')?.integers[0] ?? 0;
    return tableRows(inputs[0], axis);
  }
  if (op === 'EmbedLayerNormalization' || op === 'QEmbedLayerNormalization') {
    const table = EMBEDDED[inputs.indexOf(value)];
    return table === undefined ? undefined : tableRows(inputs[table], 0);
  }
  return undefined;
}

/** Whether whole numbers made of the value's elements come out of a node. */
function carries(node: OnnxNode, value: string): boolean {
  const isIndex = node.op.startsWith('Gather') && node.inputs[0] !== value;
  return !isIndex && !ENDS.has(node.op) && !isFloat(node);
}

function isFloat({ op, attributes }: OnnxNode): boolean {
  return op === 'Cast' && FLOAT_TYPES.includes(attributes.get('to')?.integers[0] ?? 0);
}

/** Texts that the graph knows: keys of its encoders. */
const TEXTS = ['keys_strings', 'cats_strings', 'pool_strings'];

export function knownTexts({ nodes }: OnnxGraph): string[] {
  return nodes.flatMap(({ attributes }) => TEXTS.flatMap((name) => attributes.get(name)?.texts ?? []));
}
