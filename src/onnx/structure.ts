import {
  ATTRIBUTE,
  DIMENSION,
  ELEMENT_TYPES,
  FUNCTION,
  GRAPH,
  MODEL,
  NODE,
  SHAPE,
  SPARSE_TENSOR,
  TENSOR,
  TENSOR_TYPE,
  TYPE,
  VALUE,
} from './onnx-proto.ts';
import { readFields, type Field, type FileFields, type Range } from './protobuf/fields.ts';

/**
 * The structure of an ONNX file: nodes, names and dimensions, without the weights. It tells more than ONNX Runtime's metadata: inputs without a
 * stated rank, and the operators between the inputs and an output.
 */

/** Longer lists of attributes are not read to their end. */
const MOST_VALUES = 256;
/** Longer lists of integers are no axes. */
const MOST_AXES = 16;

export interface OnnxAttribute {
  readonly integers: readonly number[];
  readonly texts: readonly string[];
  readonly graph?: OnnxGraph;
  readonly tensor?: OnnxConstant;
}

export interface OnnxNode {
  readonly op: string;
  /** Empty for the standard operators. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, OnnxAttribute>;
}

/** A weight or another constant, without its data. */
export interface OnnxConstant {
  /** By number, as in ELEMENT_TYPES. */
  readonly type: number;
  readonly dimensions: readonly number[];
  /** The elements of a short list of 64-bit integers (axes, say) that lies in the file itself. */
  readonly integers?: readonly number[];
}

/** What the file says of a graph's input or output. */
export interface OnnxValue {
  readonly name: string;
  readonly isTensor: boolean;
  /** Of the elements, by number as in ELEMENT_TYPES; 0 where the file does not say. */
  readonly type: number;
  /** Sizes, or names of free ones ('' where the file has none); undefined: the file does not say how many dimensions there are. */
  readonly shape: readonly (number | string)[] | undefined;
}

export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly constants: ReadonlyMap<string, OnnxConstant>;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

/** An operator that the model itself defines, by its nodes. */
export interface OnnxFunction {
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export interface OnnxModel {
  readonly graph: OnnxGraph;
  /** By `operatorName`. */
  readonly functions: ReadonlyMap<string, OnnxFunction>;
}

/** `Add`, or `com.microsoft:FusedMatMul` where it is none of the standard operators. */
export function operatorName({ op, domain }: Pick<OnnxNode, 'op' | 'domain'>): string {
  return domain === '' ? op : `${domain}:${op}`;
}

/** Reads the file's structure; blocks for some milliseconds. Throws a plain Error where it is no ONNX file (ONNX Runtime's own .ort, say). */
export function readOnnxModel(path: string): OnnxModel {
  return readFields(path, (file) => {
    const graph = new GraphParts();
    const functions = new Map<string, OnnxFunction>();
    for (const field of file.fields()) {
      // Several graph fields count as one: protobuf joins their lists.
      if (field.number === MODEL.graph && field.delimited) graph.add(file, field);
      else if (field.number === MODEL.function && field.delimited) addFunction(file, field, functions);
    }
    return { graph, functions };
  });
}

/** As `readOnnxModel`; undefined where it throws: opening the file tells why. */
export function tryReadOnnxModel(path: string): OnnxModel | undefined {
  try {
    return readOnnxModel(path);
  } catch {
    return undefined;
  }
}

/** A graph's inputs and outputs. */
export interface GraphEnds {
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

/** Reads the inputs and outputs alone. Constants of the graph are no inputs, even where old exporters list them. Throws as `readOnnxModel`. */
export function readGraphEnds(path: string): GraphEnds {
  const inputs: OnnxValue[] = [];
  const outputs: OnnxValue[] = [];
  const constants = new Set<string>();
  readFields(path, (file) => {
    for (const graph of file.fields()) {
      if (graph.number !== MODEL.graph || !graph.delimited) continue;
      for (const field of file.fields(graph)) {
        if (field.number === GRAPH.input) inputs.push(readValue(file, field));
        else if (field.number === GRAPH.output) outputs.push(readValue(file, field));
        else if (field.number === GRAPH.initializer) constants.add(file.textIn(field, TENSOR.name));
      }
    }
  });
  return { inputs: inputs.filter(({ name }) => !constants.has(name)), outputs };
}

/** Names of a graph's inputs and outputs. */
export interface GraphNames {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export function readGraphNames(path: string): GraphNames {
  const { inputs, outputs } = readGraphEnds(path);
  return { inputs: inputs.map(({ name }) => name), outputs: outputs.map(({ name }) => name) };
}

/** A graph while it is read. */
class GraphParts implements OnnxGraph {
  readonly nodes: OnnxNode[] = [];
  readonly constants = new Map<string, OnnxConstant>();
  readonly inputs: OnnxValue[] = [];
  readonly outputs: OnnxValue[] = [];

  add(file: FileFields, graph: Range): this {
    for (const field of file.fields(graph)) {
      if (field.number === GRAPH.node) this.nodes.push(readNode(file, field));
      else if (field.number === GRAPH.initializer) this.#constant(file, field);
      else if (field.number === GRAPH.input) this.inputs.push(readValue(file, field));
      else if (field.number === GRAPH.output) this.outputs.push(readValue(file, field));
      else if (field.number === GRAPH.sparseInitializer) this.#sparseConstant(file, field);
    }
    return this;
  }

  #constant(file: FileFields, tensor: Range): void {
    const { name, ...constant } = readTensor(file, tensor);
    this.constants.set(name, constant);
  }

  #sparseConstant(file: FileFields, tensor: Range): void {
    for (const field of file.fields(tensor)) if (field.number === SPARSE_TENSOR.values) this.#constant(file, field);
  }
}

function readNode(file: FileFields, node: Range): OnnxNode {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes = new Map<string, OnnxAttribute>();
  let op = '';
  let domain = '';
  for (const field of file.fields(node)) {
    if (field.number === NODE.input) inputs.push(file.text(field));
    else if (field.number === NODE.output) outputs.push(file.text(field));
    else if (field.number === NODE.op) op = file.text(field);
    else if (field.number === NODE.attribute) addAttribute(file, field, attributes);
    else if (field.number === NODE.domain) domain = file.text(field);
  }
  return { op, domain: domain === 'ai.onnx' ? '' : domain, inputs, outputs, attributes };
}

function addAttribute(file: FileFields, attribute: Range, attributes: Map<string, OnnxAttribute>): void {
  const integers: number[] = [];
  const texts: string[] = [];
  let name = '';
  let graph: OnnxGraph | undefined;
  let tensor: OnnxConstant | undefined;
  for (const field of file.fields(attribute)) {
    if (field.number === ATTRIBUTE.name) name = file.text(field);
    else if (field.number === ATTRIBUTE.integer || field.number === ATTRIBUTE.integers)
      addIntegers(file, field, integers);
    else if ((field.number === ATTRIBUTE.text || field.number === ATTRIBUTE.texts) && texts.length < MOST_VALUES)
      texts.push(shortText(file, field));
    else if (field.number === ATTRIBUTE.tensor) tensor = readTensor(file, field);
    else if (field.number === ATTRIBUTE.graph) graph = new GraphParts().add(file, field);
  }
  attributes.set(name, {
    integers,
    texts,
    ...(graph === undefined ? {} : { graph }),
    ...(tensor === undefined ? {} : { tensor }),
  });
}

function addIntegers(file: FileFields, field: Field, integers: number[]): void {
  // Decision trees have lists of millions.
  if (integers.length < MOST_VALUES && field.to - field.from < MOST_VALUES * 10) integers.push(...file.integers(field));
}

/** Texts of attributes may be whole files (a tokenizer's), which nothing here needs. */
function shortText(file: FileFields, field: Field): string {
  return field.to - field.from > 1024 ? '' : file.text(field);
}

function readTensor(file: FileFields, tensor: Range): OnnxConstant & { readonly name: string } {
  const dimensions: number[] = [];
  const integers: number[] = [];
  let type = 0;
  let name = '';
  let raw: Field | undefined;
  for (const field of file.fields(tensor)) {
    if (field.number === TENSOR.dimension) dimensions.push(...file.integers(field));
    else if (field.number === TENSOR.type) type = field.value;
    else if (field.number === TENSOR.int64 && integers.length < MOST_AXES) addIntegers(file, field, integers);
    else if (field.number === TENSOR.name) name = file.text(field);
    else if (field.number === TENSOR.raw) raw = field;
  }
  if (type === ELEMENT_TYPES.int64 && raw !== undefined) integers.push(...rawIntegers(file, raw));
  const isWhole =
    type === ELEMENT_TYPES.int64 && integers.length === dimensions.reduce((count, size) => count * size, 1);
  return { type, dimensions, name, ...(isWhole ? { integers } : {}) };
}

function rawIntegers(file: FileFields, raw: Range): number[] {
  if (raw.to - raw.from > MOST_AXES * 8) return [];
  const bytes = file.bytes(raw);
  return Array.from({ length: Math.floor(bytes.length / 8) }, (_, index) => Number(bytes.readBigInt64LE(index * 8)));
}

function readValue(file: FileFields, value: Range): OnnxValue {
  let name = '';
  let tensor: Range | undefined;
  for (const field of file.fields(value)) {
    if (field.number === VALUE.name) name = file.text(field);
    if (field.number !== VALUE.type) continue;
    for (const type of file.fields(field)) if (type.number === TYPE.tensor) tensor = type;
  }
  if (tensor === undefined) return { name, isTensor: false, type: 0, shape: undefined };
  return { name, isTensor: true, ...readTensorType(file, tensor) };
}

function readTensorType(file: FileFields, tensor: Range): Pick<OnnxValue, 'type' | 'shape'> {
  let type = 0;
  let shape: (number | string)[] | undefined;
  for (const field of file.fields(tensor)) {
    if (field.number === TENSOR_TYPE.element) type = field.value;
    if (field.number !== TENSOR_TYPE.shape) continue;
    shape = [];
    for (const dimension of file.fields(field))
      if (dimension.number === SHAPE.dimension) shape.push(readDimension(file, dimension));
  }
  return { type, shape };
}

function readDimension(file: FileFields, dimension: Range): number | string {
  for (const field of file.fields(dimension)) {
    if (field.number === DIMENSION.size) return field.value;
    if (field.number === DIMENSION.name) return file.text(field);
  }
  return '';
}

function addFunction(file: FileFields, message: Range, functions: Map<string, OnnxFunction>): void {
  const nodes: OnnxNode[] = [];
  const inputs: string[] = [];
  const outputs: string[] = [];
  let name = '';
  let domain = '';
  for (const field of file.fields(message)) {
    if (field.number === FUNCTION.name) name = file.text(field);
    else if (field.number === FUNCTION.input) inputs.push(file.text(field));
    else if (field.number === FUNCTION.output) outputs.push(file.text(field));
    else if (field.number === FUNCTION.node) nodes.push(readNode(file, field));
    else if (field.number === FUNCTION.domain) domain = file.text(field);
  }
  functions.set(operatorName({ op: name, domain }), { nodes, inputs, outputs });
}
