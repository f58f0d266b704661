import { Message } from '../protobuf/message.ts';

/**
 * An ONNX graph with one boolean input made a constant. A merged decoder chooses between its two branches by such an input, and ONNX Runtime
 * then copies whatever passes through the unchanged branch: for Whisper the audio's keys and values, 18 MB a row and step for the
 * smallest model. Of a constant it takes the branch at load, and the copies are gone.
 */

/** Fields of onnx.proto (ONNX IR 10) that are touched here. */
const MODEL_GRAPH = 7;
const GRAPH_INITIALIZER = 5;
const GRAPH_INPUT = 11;
const GRAPH_OUTPUT = 12;
const VALUE_NAME = 1;
const TENSOR_DIMS = 1;
const TENSOR_TYPE = 2;
const TENSOR_NAME = 8;
const TENSOR_RAW = 9;
const TYPE_BOOL = 9;
const LENGTH_DELIMITED = 2;

/**
 * The model's bytes with `input` fixed to `value` and without the outputs that `drop` names. Undefined where there is no such input or the
 * bytes are not a model.
 */
export function withConstantInput(
  model: Uint8Array,
  { input, value, drop }: { input: string; value: boolean; drop: (output: string) => boolean },
): Uint8Array | undefined {
  const changed = new Message();
  let found = false;
  for (const field of fieldsOf(model)) {
    if (field === undefined) return undefined;
    if (field.number !== MODEL_GRAPH || field.content === undefined) {
      changed.raw(field.whole);
      continue;
    }
    const graph = new Message();
    for (const part of fieldsOf(field.content)) {
      if (part === undefined) return undefined;
      const name = part.number === GRAPH_INPUT || part.number === GRAPH_OUTPUT ? nameOf(part) : undefined;
      if (part.number === GRAPH_INPUT && name === input) found = true;
      else if (!(part.number === GRAPH_OUTPUT && name !== undefined && drop(name))) graph.raw(part.whole);
    }
    graph.field(GRAPH_INITIALIZER, boolTensor(input, value));
    changed.field(MODEL_GRAPH, graph);
  }
  return found ? changed.finish() : undefined;
}

interface Field {
  readonly number: number;
  /** Tag and all. */
  readonly whole: Uint8Array;
  /** Of a length-delimited field. */
  readonly content: Uint8Array | undefined;
}

/** Fields of a message one after the other (Protocol Buffers, Encoding); undefined once where the bytes are none. */
function* fieldsOf(message: Uint8Array): Generator<Field | undefined> {
  let at = 0;
  while (at < message.byteLength) {
    const tag = readVarint(message, at);
    const wire = tag === undefined ? -1 : tag.value % 8;
    const end = tag === undefined ? undefined : endOf(message, tag.next, wire);
    if (tag === undefined || end === undefined || end.next > message.byteLength) {
      yield undefined;
      return;
    }
    const content = wire === LENGTH_DELIMITED ? message.subarray(end.from, end.next) : undefined;
    yield { number: Math.floor(tag.value / 8), whole: message.subarray(at, end.next), content };
    at = end.next;
  }
}

function endOf(message: Uint8Array, at: number, wire: number): { from: number; next: number } | undefined {
  if (wire === 1) return { from: at, next: at + 8 };
  if (wire === 5) return { from: at, next: at + 4 };
  const number = wire === 0 || wire === LENGTH_DELIMITED ? readVarint(message, at) : undefined;
  if (number === undefined) return undefined;
  return { from: number.next, next: wire === 0 ? number.next : number.next + number.value };
}

function readVarint(bytes: Uint8Array, from: number): { value: number; next: number } | undefined {
  let value = 0;
  for (let at = from, scale = 1; at < from + 10; at += 1, scale *= 128) {
    const byte = bytes[at];
    if (byte === undefined) return undefined;
    value += (byte % 128) * scale;
    if (byte < 128) return { value, next: at + 1 };
  }
  return undefined;
}

function nameOf({ content }: Field): string | undefined {
  for (const field of content === undefined ? [] : fieldsOf(content))
    if (field?.number === VALUE_NAME && field.content !== undefined) return Buffer.from(field.content).toString();
  return undefined;
}

function boolTensor(name: string, value: boolean): Message {
  return new Message()
    .integer(TENSOR_DIMS, 1)
    .integer(TENSOR_TYPE, TYPE_BOOL)
    .field(TENSOR_NAME, name)
    .field(TENSOR_RAW, Uint8Array.of(value ? 1 : 0));
}
