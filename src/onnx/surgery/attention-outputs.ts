import { ELEMENT_TYPES, GRAPH, MODEL, NODE, TENSOR_TYPE, TYPE, VALUE } from '../onnx-proto.ts';
import { Message } from '../protobuf/message.ts';
import type { OnnxGraph, OnnxNode } from '../structure.ts';
import type { Edit } from './rewrite.ts';

/** The attention of one layer to the audio: the output's name, the value in the graph, and its element type. */
export interface AttentionOutput {
  readonly name: string;
  readonly of: string;
  readonly type: number;
}

const AUDIO_VALUES = /^present\.(\d+)\.encoder\.value$/;
const PRODUCTS: ReadonlySet<string> = new Set(['MatMul', 'FusedMatMul']);

/**
 * Where a Whisper decoder computes its attention to the audio, layer by layer: the softmax that is multiplied by the audio's values. Empty where the
 * graph hides it: in a branch of its own, or in a fused operator.
 */
export function findAttention({ nodes, outputs }: OnnxGraph): AttentionOutput[] {
  const makers = new Map<string, OnnxNode>(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  return outputs.flatMap(({ name, type }) => {
    const layer = AUDIO_VALUES.exec(name)?.[1];
    const product = layer === undefined ? undefined : nodes.find((node) => isProductOf(node, name));
    const [shares = ''] = product?.inputs ?? [];
    const isAttention = makers.get(shares)?.op === 'Softmax';
    return isAttention ? [{ name: `cross_attentions.${layer}`, of: shares, type: type || ELEMENT_TYPES.float32 }] : [];
  });
}

function isProductOf({ op, inputs }: OnnxNode, values: string): boolean {
  return PRODUCTS.has(op) && inputs[1] === values;
}

/** Makes outputs of values of the graph, by names of their own. Throws a plain Error where the file has no graph. */
export function attentionOutputs(outputs: readonly AttentionOutput[]): Edit {
  return (file, changes) => {
    const graph = [...file.fields()].findLast(({ number }) => number === MODEL.graph);
    if (graph === undefined) throw new Error('the file has no graph');
    const addition = new Message();
    for (const { name, of, type } of outputs) {
      const node = new Message().field(NODE.input, of).field(NODE.output, name).field(NODE.op, 'Identity');
      const tensor = new Message().integer(TENSOR_TYPE.element, type);
      addition.field(GRAPH.node, node);
      addition.field(
        GRAPH.output,
        new Message().field(VALUE.name, name).field(VALUE.type, new Message().field(TYPE.tensor, tensor)),
      );
    }
    changes.add(graph, addition);
  };
}
