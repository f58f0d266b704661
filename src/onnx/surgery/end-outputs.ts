import { ELEMENT_TYPES, GRAPH, MODEL, NODE, TENSOR, TENSOR_TYPE, TYPE, VALUE } from '../onnx-proto.ts';
import type { Field } from '../protobuf/fields.ts';
import { Message } from '../protobuf/message.ts';
import type { Edit } from './rewrite.ts';

/** An output that is the end of another along one axis. */
export interface EndOutput {
  readonly name: string;
  /** The output whose end it is. */
  readonly of: string;
  readonly axis: 0 | 1 | 2;
  /** How long it is: 1, or as long as the second axis of this input. */
  readonly length: 1 | { readonly input: string };
  readonly type: 'float32' | 'float16';
}

/** Ends beyond the last element stand for it. */
const LAST = 2n ** 62n;

/**
 * Adds outputs that are the ends of others. The binding copies every output that is asked for into JavaScript: of a decoder's cache the new
 * tokens are wanted alone. Names of the values that are added begin with `prefix`.
 */
export function endOutputs(prefix: string, outputs: readonly EndOutput[]): Edit {
  return (file, changes) => {
    const graphs = [...file.fields()].filter(({ number }) => number === MODEL.graph);
    const last: Field | undefined = graphs.at(-1);
    if (last === undefined) throw new Error('the file has no graph');
    changes.add(last, addition(prefix, outputs));
  };
}

function addition(prefix: string, outputs: readonly EndOutput[]): Message {
  const graph = new Message();
  const made = new Set<string>();
  /** Adds what a name stands for where it is not there yet. */
  const once = (what: string, add: (name: string) => void): string => {
    const name = `${prefix}${what}`;
    if (!made.has(name)) add(name);
    made.add(name);
    return name;
  };
  const integer = (value: bigint): string =>
    once(`integer_${value}`, (name) => graph.field(GRAPH.initializer, constant(name, value)));
  const node = (op: string, inputs: readonly string[], output: string): void => {
    graph.field(GRAPH.node, nodeOf(op, inputs, output));
  };
  /** Counted from the end, the last `length` elements begin at minus that. */
  const startOf = (length: EndOutput['length']): string => {
    if (length === 1) return integer(-1n);
    const shape = once(`shape_${length.input}`, (name) => node('Shape', [length.input], name));
    const count = once(`length_${length.input}`, (name) =>
      node('Slice', [shape, integer(1n), integer(2n), integer(0n)], name),
    );
    return once(`start_${length.input}`, (name) => node('Neg', [count], name));
  };
  for (const { name, of, axis, length, type } of outputs) {
    node('Slice', [of, startOf(length), integer(LAST), integer(BigInt(axis))], name);
    graph.field(GRAPH.output, tensorOutput(name, ELEMENT_TYPES[type]));
  }
  return graph;
}

/** An int64 [1]. */
function constant(name: string, value: bigint): Message {
  const data = new Uint8Array(BigInt64Array.of(value).buffer);
  return new Message()
    .integer(TENSOR.dimension, 1)
    .integer(TENSOR.type, ELEMENT_TYPES.int64)
    .field(TENSOR.name, name)
    .field(TENSOR.raw, data);
}

function nodeOf(op: string, inputs: readonly string[], output: string): Message {
  const message = new Message();
  for (const input of inputs) message.field(NODE.input, input);
  return message.field(NODE.output, output).field(NODE.name, output).field(NODE.op, op);
}

function tensorOutput(name: string, elementType: number): Message {
  const type = new Message().integer(TENSOR_TYPE.element, elementType);
  return new Message().field(VALUE.name, name).field(VALUE.type, new Message().field(TYPE.tensor, type));
}
