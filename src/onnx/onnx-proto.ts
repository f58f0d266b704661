/**
 * Field numbers of ONNX files, by message, as far as they are read or written here or by tools/onnx-writer.ts (onnx.proto3, github.com/onnx/onnx).
 */

export const MODEL = { irVersion: 1, producer: 2, graph: 7, opset: 8, function: 25 } as const;
export const OPSET = { domain: 1, version: 2 } as const;
export const GRAPH = { node: 1, name: 2, initializer: 5, input: 11, output: 12, sparseInitializer: 15 } as const;
export const NODE = { input: 1, output: 2, name: 3, op: 4, attribute: 5, domain: 7 } as const;
export const ATTRIBUTE = {
  name: 1,
  float: 2,
  integer: 3,
  text: 4,
  tensor: 5,
  graph: 6,
  floats: 7,
  integers: 8,
  texts: 9,
  type: 20,
} as const;
export const FUNCTION = { name: 1, input: 4, output: 5, node: 7, domain: 10 } as const;
export const TENSOR = { dimension: 1, type: 2, texts: 6, int64: 7, name: 8, raw: 9, external: 13 } as const;
export const SPARSE_TENSOR = { values: 1 } as const;
/** Of an entry of TENSOR.external. */
export const ENTRY = { key: 1, value: 2 } as const;
/** Of an input or output, its type, and the type of a tensor. */
export const VALUE = { name: 1, type: 2 } as const;
export const TYPE = { tensor: 1 } as const;
export const TENSOR_TYPE = { element: 1, shape: 2 } as const;
export const SHAPE = { dimension: 1 } as const;
export const DIMENSION = { size: 1, name: 2 } as const;

/** TensorProto.DataType: the numbers of element types, by ONNX Runtime's names where it has one. */
export const ELEMENT_TYPES = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  complex64: 14,
  complex128: 15,
  bfloat16: 16,
  float8e4m3fn: 17,
  float8e4m3fnuz: 18,
  float8e5m2: 19,
  float8e5m2fnuz: 20,
  uint4: 21,
  int4: 22,
  float4e2m1: 23,
} as const;

const ELEMENT_NAMES = new Map<number, string>(Object.entries(ELEMENT_TYPES).map(([name, number]) => [number, name]));

/** The name of an element type; `of type 99` where it has none. */
export function elementName(type: number): string {
  return ELEMENT_NAMES.get(type) ?? `of type ${type}`;
}
