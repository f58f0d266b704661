import { ATTRIBUTE, FUNCTION, GRAPH, MODEL, NODE } from '../onnx-proto.ts';
import type { Field, FileFields, Range } from '../protobuf/fields.ts';
import { Message } from '../protobuf/message.ts';
import type { Changes, Edit } from './rewrite.ts';

const NAME = 'accuracy_level';

/**
 * The precision with which ONNX Runtime multiplies by weights of 4 or 8 bits in blocks (MatMulNBits): 0 and 1 in float32, 2 in float16, 3 in
 * bfloat16, 4 with activations in 8 bits (ContribOperators.md, `accuracy_level`). The export chose one; the machine may know better. Sets
 * it in every operator that states one, and throws a plain Error where none does.
 */
export function accuracyLevel(level: number): Edit {
  return (file, changes) => {
    let count = 0;
    for (const node of nodesOf(file))
      for (const field of file.fields(node))
        if (field.number === NODE.attribute && setLevel(file, field, { level, changes })) count += 1;
    if (count === 0) throw new Error('model.json: accuracyLevel: no operator of the graph has one (MatMulNBits has)');
  };
}

function setLevel(
  file: FileFields,
  attribute: Field,
  { level, changes }: { level: number; changes: Changes },
): boolean {
  if (file.textIn(attribute, ATTRIBUTE.name) !== NAME) return false;
  const value = [...file.fields(attribute)].find(({ number }) => number === ATTRIBUTE.integer);
  if (value === undefined) return false;
  changes.replace(value, new Message().integer(ATTRIBUTE.integer, level));
  return true;
}

/** The nodes of a model's graph, of its branches and loops, and of its functions. */
function* nodesOf(file: FileFields): Generator<Range> {
  for (const field of file.fields()) {
    if (field.number === MODEL.graph) yield* within(file, field, GRAPH.node);
    else if (field.number === MODEL.function) yield* within(file, field, FUNCTION.node);
  }
}

function* within(file: FileFields, parent: Range, number: number): Generator<Range> {
  for (const node of file.fields(parent)) {
    if (node.number !== number) continue;
    yield node;
    for (const attribute of file.fields(node)) {
      if (attribute.number !== NODE.attribute) continue;
      for (const field of file.fields(attribute))
        if (field.number === ATTRIBUTE.graph) yield* within(file, field, GRAPH.node);
    }
  }
}
