import { type Datatype, elementCount, FIXED_DATATYPES, type TypedArray } from '../src/tensors/tensor.ts';
import {
  ATTRIBUTE,
  DIMENSION,
  ELEMENT_TYPES,
  GRAPH,
  MODEL,
  NODE,
  OPSET,
  SHAPE,
  TENSOR,
  TENSOR_TYPE,
  TYPE,
  VALUE,
} from '../src/onnx/onnx-proto.ts';
import { ORT_TYPES } from '../src/onnx/ort-tensor.ts';
import { Message } from '../src/onnx/protobuf/message.ts';

/**
 * Writes small ONNX models, for the shipped `square` model, benchmarks and tests. The same description
 * always gives the same bytes.
 */

/** The number of a datatype's element type: they have the names that ONNX Runtime gives them, but for one that it cannot pass. */
function elementType(datatype: Datatype): number {
  return ELEMENT_TYPES[datatype === 'BF16' ? 'bfloat16' : ORT_TYPES[datatype]];
}

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
  const model = new Message()
    .integer(MODEL.irVersion, IR_VERSION)
    .field(MODEL.producer, 'carpool')
    .field(MODEL.graph, graphMessage(graph));
  const domains = new Set(graph.nodes.map((node) => node.domain ?? ''));
  domains.delete('');
  model.field(MODEL.opset, new Message().integer(OPSET.version, OPSET_VERSION));
  for (const domain of domains)
    model.field(MODEL.opset, new Message().field(OPSET.domain, domain).integer(OPSET.version, 1));
  const bytes = model.finish();
  if (bytes.byteLength > LIMIT_BYTES) throw new Error(`${graph.name}: an ONNX file holds at most 2 GiB`);
  return bytes;
}

function graphMessage(graph: OnnxGraph): Message {
  const message = new Message();
  for (const node of graph.nodes) message.field(GRAPH.node, nodeMessage(node));
  message.field(GRAPH.name, graph.name);
  for (const constant of graph.initializers ?? []) message.field(GRAPH.initializer, tensorMessage(constant));
  for (const value of graph.inputs) message.field(GRAPH.input, valueMessage(value));
  for (const value of graph.outputs) message.field(GRAPH.output, valueMessage(value));
  return message;
}

function nodeMessage(node: OnnxNode): Message {
  const message = new Message();
  for (const input of node.inputs) message.field(NODE.input, input);
  for (const output of node.outputs) message.field(NODE.output, output);
  message.field(NODE.op, node.op);
  for (const [name, attribute] of Object.entries(node.attributes ?? {}))
    message.field(NODE.attribute, attributeMessage(name, attribute));
  if (node.domain !== undefined) message.field(NODE.domain, node.domain);
  return message;
}

/** AttributeProto; its type repeats the kind as AttributeType. */
function attributeMessage(name: string, attribute: OnnxAttribute): Message {
  const message = new Message().field(ATTRIBUTE.name, name);
  if ('float' in attribute) return message.float(ATTRIBUTE.float, attribute.float).integer(ATTRIBUTE.type, 1);
  if ('int' in attribute) return message.integer(ATTRIBUTE.integer, attribute.int).integer(ATTRIBUTE.type, 2);
  if ('text' in attribute) return message.field(ATTRIBUTE.text, attribute.text).integer(ATTRIBUTE.type, 3);
  if ('tensor' in attribute)
    return message.field(ATTRIBUTE.tensor, tensorMessage(attribute.tensor)).integer(ATTRIBUTE.type, 4);
  if ('graph' in attribute)
    return message.field(ATTRIBUTE.graph, graphMessage(attribute.graph)).integer(ATTRIBUTE.type, 5);
  if ('floats' in attribute) {
    for (const value of attribute.floats) message.float(ATTRIBUTE.floats, value);
    return message.integer(ATTRIBUTE.type, 6);
  }
  if ('ints' in attribute) {
    for (const value of attribute.ints) message.integer(ATTRIBUTE.integers, value);
    return message.integer(ATTRIBUTE.type, 7);
  }
  for (const value of attribute.texts) message.field(ATTRIBUTE.texts, value);
  return message.integer(ATTRIBUTE.type, 8);
}

function valueMessage({ name, datatype, shape }: OnnxValue): Message {
  const dimensions = new Message();
  for (const dimension of shape ?? []) {
    const message = new Message();
    if (typeof dimension === 'number') message.integer(DIMENSION.size, dimension);
    else if (dimension !== '') message.field(DIMENSION.name, dimension);
    dimensions.field(SHAPE.dimension, message);
  }
  const tensorType = new Message().integer(TENSOR_TYPE.element, elementType(datatype));
  if (shape !== undefined) tensorType.field(TENSOR_TYPE.shape, dimensions);
  return new Message().field(VALUE.name, name).field(VALUE.type, new Message().field(TYPE.tensor, tensorType));
}

function tensorMessage({ name, datatype, shape, data }: OnnxConstant): Message {
  const message = new Message();
  for (const dimension of shape) message.integer(TENSOR.dimension, dimension);
  message.integer(TENSOR.type, elementType(datatype));
  const count = elementCount(shape);
  if (data.length !== count) throw new Error(`${name}: the shape holds ${count} elements, the data ${data.length}`);
  if (isTyped(data)) {
    if (datatype === 'BYTES') throw new Error(`${name}: BYTES takes texts`);
    if (!(data instanceof FIXED_DATATYPES[datatype].array))
      throw new Error(`${name}: ${datatype} takes a ${FIXED_DATATYPES[datatype].array.name}`);
    return message
      .field(TENSOR.name, name)
      .field(TENSOR.raw, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  if (datatype !== 'BYTES') throw new Error(`${name}: ${datatype} takes a ${FIXED_DATATYPES[datatype].array.name}`);
  for (const text of data) message.field(TENSOR.texts, text);
  return message.field(TENSOR.name, name);
}

function isTyped(data: TypedArray | readonly string[]): data is TypedArray {
  return ArrayBuffer.isView(data);
}
