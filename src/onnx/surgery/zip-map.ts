import {
  ATTRIBUTE,
  DIMENSION,
  ELEMENT_TYPES,
  GRAPH,
  MODEL,
  NODE,
  SHAPE,
  TENSOR_TYPE,
  TYPE,
  VALUE,
} from '../onnx-proto.ts';
import type { FileFields, Range } from '../protobuf/fields.ts';
import { Message } from '../protobuf/message.ts';
import type { Changes } from './rewrite.ts';

/** The operator that ends classifiers by the converters of scikit-learn and LightGBM: of each row it makes a map from class to probability. */
export const ZIP_MAP = 'ZipMap';

/**
 * Makes a float32 output [rows, classes] of the maps of each ZipMap, because ONNX Runtime for Node passes tensors alone. ZipMap becomes
 * Identity, and the output the tensor that went into it: what the converters write with `zipmap: False`.
 */
export function tensorsForMaps(file: FileFields, changes: Changes): void {
  for (const graph of file.fields()) {
    if (graph.number !== MODEL.graph) continue;
    const classes = new Map<string, number>();
    for (const node of file.fields(graph)) {
      if (node.number !== GRAPH.node || file.textIn(node, NODE.op) !== ZIP_MAP) continue;
      const [input, output] = [file.textIn(node, NODE.input), file.textIn(node, NODE.output)];
      const identity = new Message().field(NODE.input, input).field(NODE.output, output).field(NODE.op, 'Identity');
      changes.replace(node, new Message().field(GRAPH.node, identity));
      classes.set(output, countClasses(file, node));
    }
    for (const output of file.fields(graph)) {
      if (output.number !== GRAPH.output) continue;
      const name = file.textIn(output, VALUE.name);
      const count = classes.get(name);
      if (count !== undefined) changes.replace(output, new Message().field(GRAPH.output, scores(name, count)));
    }
  }
}

/** Of `classlabels_int64s` the numbers, of `classlabels_strings` the texts. */
function countClasses(file: FileFields, node: Range): number {
  let count = 0;
  for (const attribute of file.fields(node)) {
    if (attribute.number !== NODE.attribute) continue;
    for (const field of file.fields(attribute)) {
      if (field.number === ATTRIBUTE.integers) count += file.integers(field).length;
      else if (field.number === ATTRIBUTE.texts) count += 1;
    }
  }
  return count;
}

/** An output of float32 [rows, classes]. */
function scores(name: string, classes: number): Message {
  const size = new Message().integer(DIMENSION.size, classes);
  const shape = new Message().field(SHAPE.dimension, new Message()).field(SHAPE.dimension, size);
  const type = new Message().integer(TENSOR_TYPE.element, ELEMENT_TYPES.float32).field(TENSOR_TYPE.shape, shape);
  return new Message().field(VALUE.name, name).field(VALUE.type, new Message().field(TYPE.tensor, type));
}
