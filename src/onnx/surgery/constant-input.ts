import { ELEMENT_TYPES, GRAPH, MODEL, TENSOR, VALUE } from '../onnx-proto.ts';
import { Message } from '../protobuf/message.ts';
import type { Edit } from './rewrite.ts';

/**
 * Makes a constant of a graph's boolean input, and leaves out the outputs that `drop` names. A merged decoder chooses between its two branches by such an input,
 * and ONNX Runtime then copies whatever passes through the unchanged branch: for Whisper the audio's keys and values, 18 MB a row and
 * step for the smallest model. Of a constant it takes the branch at load, and the copies are gone. Throws a plain Error where the graph
 * has no such input.
 */
export function constantInput({
  input,
  value,
  drop,
}: {
  input: string;
  value: boolean;
  drop: (output: string) => boolean;
}): Edit {
  return (file, changes) => {
    let found = false;
    for (const graph of file.fields()) {
      if (graph.number !== MODEL.graph) continue;
      for (const field of file.fields(graph)) {
        if (field.number === GRAPH.input && file.textIn(field, VALUE.name) === input) {
          changes.replace(field, new Message().field(GRAPH.initializer, boolTensor(input, value)));
          found = true;
        } else if (field.number === GRAPH.output && drop(file.textIn(field, VALUE.name))) {
          changes.drop(field);
        }
      }
    }
    if (!found) throw new Error(`the graph has no input ${input}`);
  };
}

function boolTensor(name: string, value: boolean): Message {
  return new Message()
    .integer(TENSOR.dimension, 1)
    .integer(TENSOR.type, ELEMENT_TYPES.bool)
    .field(TENSOR.name, name)
    .field(TENSOR.raw, Uint8Array.of(value ? 1 : 0));
}
