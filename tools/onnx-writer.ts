import { type Datatype, elementCount, FIXED_DATATYPES, type TypedArray } from '../src/tensors/tensor.ts';
import { Message } from '../src/onnx/protobuf/message.ts';

/**
 * Writes small ONNX models, for the shipped `square` model, benchmarks and tests. Field numbers are those of onnx.proto3
 * (github.com/onnx/onnx). The same description always gives the same bytes.
 */

/** Datatypes of the Open Inference Protocol as TensorProto.DataType. */
const ELEMENT_TYPES: Readonly<Record<Datatype, number>> = {
  FP32: 1,
  UINT8: 2,
  INT8: 3,
  UINT16: 4,
  INT16: 5,
  INT32: 6,
  INT64: 7,
  BYTES: 8,
  BOOL: 9,
  FP16: 10,
  FP64: 11,
  UINT32: 12,
  UINT64: 13,
  BF16: 16,
};

/**
 * An input or output. Dimensions are numbers, or names of free dimensions; an empty name says nothing of the dimension, and no shape nothing of
 * their number.
 */
export interface OnnxValue {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape?: readonly (number | string)[];
}

/** A constant: a typed array of the datatype (FP16 and BF16 as their bits, BOOL as 0 and 1), or texts for BYTES. */
export interface OnnxConstant {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly data: TypedArray | readonly string[];
}

export type OnnxAttribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly text: string }
  | { readonly ints: readonly number[] }
  | { readonly floats: readonly number[] }
  | { readonly texts: readonly string[] }
  | { readonly tensor: OnnxConstant }
  | { readonly graph: OnnxGraph };

export interface OnnxNode {
  /** The operator, e.g. `MatMul`. */
  readonly op: string;
  /** Operator set other than the standard one, e.g. `com.microsoft` (imported at version 1). */
  readonly domain?: string;
  /** Names of values; an empty name leaves an optional input out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
}

export interface OnnxGraph {
  readonly name: string;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly nodes: readonly OnnxNode[];
  readonly initializers?: readonly OnnxConstant[];
}

const IR_VERSION = 8;
const OPSET_VERSION = 17;
/** Protobuf messages end at 2 GiB; larger weights would need external data, which nothing here has use for. */
const LIMIT_BYTES = 2 ** 31 - 1;

/** The bytes of an ONNX file (IR version 8, opset 17). Throws a plain Error on data that does not fit its datatype or shape. */
export function onnxModel(graph: OnnxGraph): Uint8Array {
  const model = new Message().integer(1, IR_VERSION).field(2, 'carpool').field(7, graphMessage(graph));
  const domains = new Set(graph.nodes.map((node) => node.domain ?? ''));
  domains.delete('');
  model.field(8, new Message().integer(2, OPSET_VERSION));
  for (const domain of domains) model.field(8, new Message().field(1, domain).integer(2, 1));
  const bytes = model.finish();
  if (bytes.byteLength > LIMIT_BYTES) throw new Error(`${graph.name}: an ONNX file holds at most 2 GiB`);
  return bytes;
}

function graphMessage(graph: OnnxGraph): Message {
  const message = new Message();
  for (const node of graph.nodes) message.field(1, nodeMessage(node));
  message.field(2, graph.name);
  for (const constant of graph.initializers ?? []) message.field(5, tensorMessage(constant));
  for (const value of graph.inputs) message.field(11, valueMessage(value));
  for (const value of graph.outputs) message.field(12, valueMessage(value));
  return message;
}

function nodeMessage(node: OnnxNode): Message {
  const message = new Message();
  for (const input of node.inputs) message.field(1, input);
  for (const output of node.outputs) message.field(2, output);
  message.field(4, node.op);
  for (const [name, attribute] of Object.entries(node.attributes ?? {}))
    message.field(5, attributeMessage(name, attribute));
  if (node.domain !== undefined) message.field(7, node.domain);
  return message;
}

/** AttributeProto; field 20 repeats the kind as AttributeType. */
function attributeMessage(name: string, attribute: OnnxAttribute): Message {
  const message = new Message().field(1, name);
  if ('float' in attribute) return message.float(2, attribute.float).integer(20, 1);
  if ('int' in attribute) return message.integer(3, attribute.int).integer(20, 2);
  if ('text' in attribute) return message.field(4, attribute.text).integer(20, 3);
  if ('tensor' in attribute) return message.field(5, tensorMessage(attribute.tensor)).integer(20, 4);
  if ('graph' in attribute) return message.field(6, graphMessage(attribute.graph)).integer(20, 5);
  if ('floats' in attribute) {
    for (const value of attribute.floats) message.float(7, value);
    return message.integer(20, 6);
  }
  if ('ints' in attribute) {
    for (const value of attribute.ints) message.integer(8, value);
    return message.integer(20, 7);
  }
  for (const value of attribute.texts) message.field(9, value);
  return message.integer(20, 8);
}

function valueMessage({ name, datatype, shape }: OnnxValue): Message {
  const dimensions = new Message();
  for (const dimension of shape ?? []) {
    const message = new Message();
    if (typeof dimension === 'number') message.integer(1, dimension);
    else if (dimension !== '') message.field(2, dimension);
    dimensions.field(1, message);
  }
  const tensorType = new Message().integer(1, ELEMENT_TYPES[datatype]);
  if (shape !== undefined) tensorType.field(2, dimensions);
  return new Message().field(1, name).field(2, new Message().field(1, tensorType));
}

function tensorMessage({ name, datatype, shape, data }: OnnxConstant): Message {
  const message = new Message();
  for (const dimension of shape) message.integer(1, dimension);
  message.integer(2, ELEMENT_TYPES[datatype]);
  const count = elementCount(shape);
  if (data.length !== count) throw new Error(`${name}: the shape holds ${count} elements, the data ${data.length}`);
  if (isTyped(data)) {
    if (datatype === 'BYTES') throw new Error(`${name}: BYTES takes texts`);
    if (!(data instanceof FIXED_DATATYPES[datatype].array))
      throw new Error(`${name}: ${datatype} takes a ${FIXED_DATATYPES[datatype].array.name}`);
    return message.field(8, name).field(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  if (datatype !== 'BYTES') throw new Error(`${name}: ${datatype} takes a ${FIXED_DATATYPES[datatype].array.name}`);
  for (const text of data) message.field(6, text);
  return message.field(8, name);
}

function isTyped(data: TypedArray | readonly string[]): data is TypedArray {
  return ArrayBuffer.isView(data);
}
