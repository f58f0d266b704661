import { readFields, type Field, type FileFields } from './protobuf/fields.ts';

/**
 * The structure of an ONNX file: nodes, names and dimensions, without the weights. What metadata does not tell is read here: an input whose
 * rank is not stated, and which operators stand between the inputs and an output. Field numbers are those of onnx.proto3
 * (github.com/onnx/onnx).
 */

/** Longer lists of attributes are not read to their end. */
const MOST_VALUES = 256;
/** TensorProto.DataType.INT64 */
const INT64 = 7;
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
  /** TensorProto.DataType. */
  readonly type: number;
  readonly dimensions: readonly number[];
  /** The elements of a short list of 64-bit integers (axes, say) that lies in the file itself. */
  readonly integers?: readonly number[];
}

/** What the file says of a graph's input or output. */
export interface OnnxValue {
  readonly name: string;
  readonly isTensor: boolean;
  /** False: the file does not say how many dimensions there are. */
  readonly hasRank: boolean;
}

export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly constants: ReadonlyMap<string, OnnxConstant>;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
}

/** A function of the model's own: an operator by its nodes. */
export interface OnnxFunction {
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export interface OnnxModel {
  readonly graph: OnnxGraph;
  /** By `functionKey`. */
  readonly functions: ReadonlyMap<string, OnnxFunction>;
}

export function functionKey(domain: string, op: string): string {
  return `${domain}:${op}`;
}

/** Reads the file's structure; blocks for some milliseconds. Throws a plain Error where it is no ONNX file (ONNX Runtime's own .ort, say). */
export function readOnnxModel(path: string): OnnxModel {
  return readFields(path, (file) => {
    const graph = new GraphParts();
    const functions = new Map<string, OnnxFunction>();
    for (const field of file.fields()) {
      // Several graph fields are one: protobuf joins their lists.
      if (field.number === 7 && field.delimited) graph.add(file, field);
      else if (field.number === 25 && field.delimited) addFunction(file, field, functions);
    }
    return { graph, functions };
  });
}

/** Names of a graph's inputs and outputs. */
export interface GraphNames {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** The names alone, with nodes and weights passed over. Constants of the graph are no inputs, even where old exporters list them. Throws as `readOnnxModel`. */
export function readGraphNames(path: string): GraphNames {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const constants = new Set<string>();
  readFields(path, (file) => {
    for (const graph of file.fields()) {
      if (graph.number !== 7 || !graph.delimited) continue;
      for (const field of file.fields(graph.from, graph.to)) {
        if (field.number === 11) inputs.push(readValue(file, field).name);
        else if (field.number === 12) outputs.push(readValue(file, field).name);
        else if (field.number === 5) constants.add(readTensor(file, field).name);
      }
    }
  });
  return { inputs: inputs.filter((name) => !constants.has(name)), outputs };
}

/** A graph while it is read. */
class GraphParts implements OnnxGraph {
  readonly nodes: OnnxNode[] = [];
  readonly constants = new Map<string, OnnxConstant>();
  readonly inputs: OnnxValue[] = [];
  readonly outputs: OnnxValue[] = [];

  add(file: FileFields, { from, to }: Field): this {
    for (const field of file.fields(from, to)) {
      if (field.number === 1) this.nodes.push(readNode(file, field));
      else if (field.number === 5) this.#constant(file, field);
      else if (field.number === 11) this.inputs.push(readValue(file, field));
      else if (field.number === 12) this.outputs.push(readValue(file, field));
      else if (field.number === 15) this.#sparseConstant(file, field);
    }
    return this;
  }

  #constant(file: FileFields, field: Field): void {
    const { name, ...constant } = readTensor(file, field);
    this.constants.set(name, constant);
  }

  #sparseConstant(file: FileFields, { from, to }: Field): void {
    for (const field of file.fields(from, to)) if (field.number === 1) this.#constant(file, field);
  }
}

function readNode(file: FileFields, { from, to }: Field): OnnxNode {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes = new Map<string, OnnxAttribute>();
  let op = '';
  let domain = '';
  for (const field of file.fields(from, to)) {
    if (field.number === 1) inputs.push(file.text(field));
    else if (field.number === 2) outputs.push(file.text(field));
    else if (field.number === 4) op = file.text(field);
    else if (field.number === 5) addAttribute(file, field, attributes);
    else if (field.number === 7) domain = file.text(field);
  }
  return { op, domain: domain === 'ai.onnx' ? '' : domain, inputs, outputs, attributes };
}

function addAttribute(file: FileFields, { from, to }: Field, attributes: Map<string, OnnxAttribute>): void {
  const integers: number[] = [];
  const texts: string[] = [];
  let name = '';
  let graph: OnnxGraph | undefined;
  let tensor: OnnxConstant | undefined;
  for (const field of file.fields(from, to)) {
    if (field.number === 1) name = file.text(field);
    else if (field.number === 3 || field.number === 8) addIntegers(file, field, integers);
    else if ((field.number === 4 || field.number === 9) && texts.length < MOST_VALUES)
      texts.push(shortText(file, field));
    else if (field.number === 5) tensor = readTensor(file, field);
    else if (field.number === 6) graph = new GraphParts().add(file, field);
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

/** Texts of attributes may be whole files (a tokenizer's): nobody asks for those. */
function shortText(file: FileFields, field: Field): string {
  return field.to - field.from > 1024 ? '' : file.text(field);
}

function readTensor(file: FileFields, { from, to }: Field): OnnxConstant & { readonly name: string } {
  const dimensions: number[] = [];
  const integers: number[] = [];
  let type = 0;
  let name = '';
  let raw: Field | undefined;
  for (const field of file.fields(from, to)) {
    if (field.number === 1) dimensions.push(...file.integers(field));
    else if (field.number === 2) type = field.value;
    else if (field.number === 7 && integers.length < MOST_AXES) addIntegers(file, field, integers);
    else if (field.number === 8) name = file.text(field);
    else if (field.number === 9) raw = field;
  }
  if (type === INT64 && raw !== undefined) integers.push(...rawIntegers(file, raw));
  const isWhole = type === INT64 && integers.length === dimensions.reduce((count, size) => count * size, 1);
  return { type, dimensions, name, ...(isWhole ? { integers } : {}) };
}

function rawIntegers(file: FileFields, { from, to }: Field): number[] {
  if (to - from > MOST_AXES * 8) return [];
  const bytes = file.bytes(from, to);
  return Array.from({ length: Math.floor(bytes.length / 8) }, (_, index) => Number(bytes.readBigInt64LE(index * 8)));
}

/** ValueInfoProto: field 2 is its type, of which field 1 is a tensor's, of which field 2 is the shape. */
function readValue(file: FileFields, { from, to }: Field): OnnxValue {
  let name = '';
  let isTensor = false;
  let hasRank = false;
  for (const field of file.fields(from, to)) {
    if (field.number === 1) name = file.text(field);
    if (field.number !== 2) continue;
    for (const type of file.fields(field.from, field.to)) {
      if (type.number !== 1) continue;
      isTensor = true;
      for (const part of file.fields(type.from, type.to)) if (part.number === 2) hasRank = true;
    }
  }
  return { name, isTensor, hasRank };
}

function addFunction(file: FileFields, { from, to }: Field, functions: Map<string, OnnxFunction>): void {
  const nodes: OnnxNode[] = [];
  const inputs: string[] = [];
  const outputs: string[] = [];
  let name = '';
  let domain = '';
  for (const field of file.fields(from, to)) {
    if (field.number === 1) name = file.text(field);
    else if (field.number === 4) inputs.push(file.text(field));
    else if (field.number === 5) outputs.push(file.text(field));
    else if (field.number === 7) nodes.push(readNode(file, field));
    else if (field.number === 10) domain = file.text(field);
  }
  functions.set(functionKey(domain, name), { nodes, inputs, outputs });
}
