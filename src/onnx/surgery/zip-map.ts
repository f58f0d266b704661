import { readFileSync } from 'node:fs';
import { readFields, type Field, type FileFields } from '../protobuf/fields.ts';
import { Message } from '../protobuf/message.ts';

/**
 * By default the converters of scikit-learn and LightGBM end a classifier with ZipMap, which makes a map from class to probability of each
 * row. ONNX Runtime for Node passes tensors alone. So ZipMap becomes Identity, and the output is the tensor that went into it:
 * what the converters write with `zipmap: False`. Field numbers are those of onnx.proto3 (github.com/onnx/onnx).
 */

const GRAPH = 7;
const NODE = 1;
const OUTPUT = 12;
const FLOAT = 1;

interface ZipMap {
  readonly input: string;
  readonly output: string;
  readonly classes: number;
}

/** The bytes of an ONNX file with a float32 output [rows, classes] for each ZipMap; undefined where there is none. Blocks. */
export function withoutZipMap(file: string): Uint8Array | undefined {
  return readFields(file, (fields) => {
    const nodes = new Map<number, ZipMap>();
    for (const graph of fields.fields()) {
      if (graph.number !== GRAPH) continue;
      for (const node of fields.fields(graph.from, graph.to)) {
        const found = node.number === NODE ? readZipMap(fields, node) : undefined;
        if (found !== undefined) nodes.set(node.from, found);
      }
    }
    return nodes.size === 0 ? undefined : rewrite({ fields, bytes: readFileSync(file) }, nodes);
  });
}

interface Source {
  readonly fields: FileFields;
  readonly bytes: Uint8Array;
}

function rewrite(source: Source, nodes: ReadonlyMap<number, ZipMap>): Uint8Array {
  const classesOf = new Map([...nodes.values()].map(({ output, classes }) => [output, classes]));
  const replaced = (field: Field): Message | undefined => {
    if (field.number === NODE) return identity(nodes.get(field.from));
    if (field.number !== OUTPUT) return undefined;
    const name = textOf(source.fields, field, 1);
    return tensor(name, classesOf.get(name));
  };
  const whole = { from: 0, to: source.fields.sizeBytes };
  return copy(source, whole, (field) => (field.number === GRAPH ? copy(source, field, replaced) : undefined)).finish();
}

/** The message that lies there, with other messages in place of some fields. */
function copy(
  { fields, bytes }: Source,
  { from, to }: Pick<Field, 'from' | 'to'>,
  replace: (field: Field) => Message | undefined,
): Message {
  const message = new Message();
  let start = from;
  for (const field of fields.fields(from, to)) {
    const other = replace(field);
    if (other === undefined) message.raw(bytes.subarray(start, field.to));
    else message.field(field.number, other);
    start = field.to;
  }
  return message;
}

function readZipMap(fields: FileFields, node: Field): ZipMap | undefined {
  if (textOf(fields, node, 4) !== 'ZipMap') return undefined;
  let classes = 0;
  for (const attribute of fields.fields(node.from, node.to)) {
    if (attribute.number !== 5) continue;
    // Of classlabels_int64s the numbers (field 8), of classlabels_strings the texts (field 9).
    for (const field of fields.fields(attribute.from, attribute.to)) {
      if (field.number === 8) classes += fields.integers(field).length;
      else if (field.number === 9) classes += 1;
    }
  }
  return { input: textOf(fields, node, 1), output: textOf(fields, node, 2), classes };
}

/** The first text field of that number; '' where there is none. */
function textOf(fields: FileFields, { from, to }: Field, number: number): string {
  for (const field of fields.fields(from, to)) if (field.number === number) return fields.text(field);
  return '';
}

function identity(zipMap: ZipMap | undefined): Message | undefined {
  if (zipMap === undefined) return undefined;
  return new Message().field(1, zipMap.input).field(2, zipMap.output).field(4, 'Identity');
}

/** An output of float32 [rows, classes]. */
function tensor(name: string, classes: number | undefined): Message | undefined {
  if (classes === undefined) return undefined;
  const shape = new Message().field(1, new Message()).field(1, new Message().integer(1, classes));
  const type = new Message().integer(1, FLOAT).field(2, shape);
  return new Message().field(1, name).field(2, new Message().field(1, type));
}
