import { Message } from '../../onnx/protobuf/message.ts';
import type { DecoderLayout } from './layout.ts';

/**
 * A decoder's graph gives the whole cache of every row anew with each token, and the binding copies all of it into JavaScript. Wanted is
 * the part of the new tokens alone: it is written into a cache that stays where it is. So nodes that cut it off are added to the
 * graph. Protobuf merges a field that occurs twice, and merging joins lists ("Encoding", protobuf.dev, "Last One Wins"): a second
 * `graph` behind the file's bytes adds its nodes, constants and outputs to the first, without reading the file.
 * Field numbers are those of onnx.proto3 (github.com/onnx/onnx).
 */

const PREFIX = 'carpool.';

/** Outputs of the extended graph. */
export const LAST_LOGITS = `${PREFIX}last_logits`;
export function newPart(present: string): string {
  return `${PREFIX}${present}`;
}
/** Whether an output was added here. */
export function isAdded(output: string): boolean {
  return output.startsWith(PREFIX);
}

const ELEMENT_TYPES = { float32: 1, float16: 10 } as const;
const INT64 = 7;

/**
 * What to write behind an ONNX file: outputs `newPart(present)` [rows, heads, new tokens, size] for each tensor of the cache, and
 * LAST_LOGITS [rows, 1, vocabulary] of `logitsType`.
 */
export function graphExtension(layout: DecoderLayout, logitsType: 'float32' | 'float16'): Uint8Array {
  const name = (what: string): string => `${PREFIX}${what}`;
  const graph = new Message();
  for (const [what, value] of [
    ['zero', 0n],
    ['one', 1n],
    ['two', 2n],
    ['minus_one', -1n],
    // Ends beyond the last element stand for it.
    ['end', 2n ** 62n],
  ] as const)
    graph.field(5, constant(name(what), value));
  // Counted from the end, the new tokens begin at minus the length of input_ids.
  graph.field(1, node('Shape', ['input_ids'], name('shape')));
  graph.field(1, node('Slice', ['shape', 'one', 'two', 'zero'].map(name), name('length')));
  graph.field(1, node('Neg', [name('length')], name('start')));
  for (const { present } of layout.cache) {
    graph.field(1, node('Slice', [present, name('start'), name('end'), name('two')], newPart(present)));
    graph.field(12, output(newPart(present), ELEMENT_TYPES[layout.cacheType]));
  }
  graph.field(1, node('Slice', ['logits', name('minus_one'), name('end'), name('one')], LAST_LOGITS));
  graph.field(12, output(LAST_LOGITS, ELEMENT_TYPES[logitsType]));
  return new Message().field(7, graph).finish();
}

function constant(name: string, value: bigint): Message {
  const data = new Uint8Array(BigInt64Array.of(value).buffer);
  return new Message().integer(1, 1).integer(2, INT64).field(8, name).field(9, data);
}

function node(op: string, inputs: readonly string[], result: string): Message {
  const message = new Message();
  for (const input of inputs) message.field(1, input);
  return message.field(2, result).field(3, result).field(4, op);
}

function output(name: string, elementType: number): Message {
  return new Message().field(1, name).field(2, new Message().field(1, new Message().integer(1, elementType)));
}
