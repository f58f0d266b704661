import { z } from 'zod';
import { once } from '../../once.ts';
import { count } from '../shared/answer-schema.ts';
import { text } from '../shared/body-schema.ts';
import type { ModelDescription } from '../../model.ts';
import { reshaped } from '../../tensors/reshape.ts';
import { FIXED_DATATYPES, type Tensor, type TensorSpec } from '../../tensors/tensor.ts';
import { JsonChunks } from '../shared/json-chunks.ts';
import { tensorToBinary } from './binary.ts';
import { classify } from './classification.ts';
import { tensorPieces } from './tensor-text.ts';
import type { OipOutputRequest, OipRequest } from './types.ts';

/** The answer, where it has no blobs: they follow the same JSON, in which `binary_data_size` takes the place of `data`. */
export const INFER_ANSWER = once(() => {
  const tensor = z.object({
    ...{ name: text, datatype: z.enum([...Object.keys(FIXED_DATATYPES), 'BYTES']), shape: z.array(count) },
    data: z.array(z.union([z.number(), text, z.boolean(), z.null()])).optional(),
    parameters: z.object({ binary_data_size: count }).optional(),
  });
  return z
    .object({ model_name: text, model_version: text, id: text.optional(), outputs: z.array(tensor) })
    .meta({ id: 'InferAnswer' });
});

/** An inference answer ready to be sent. */
export interface OipAnswer {
  /** Value of Inference-Header-Content-Length; absent: all is JSON, and the header must not be sent. */
  readonly headerLength?: number;
  /** The JSON, then the blobs. Blobs are views of the outputs. */
  readonly chunks: readonly Uint8Array[];
}

/** What the answer says about the model. */
export type AnsweringModel = Pick<ModelDescription, 'name' | 'version' | 'signature' | 'labels' | 'outputLabels'>;

/**
 * Encodes the answer to an inference request: JSON with flat `data`, or JSON followed by the blobs of the outputs that were
 * asked for in binary. Sent as application/octet-stream if there is a `headerLength`, else as application/json.
 *
 * @param outputs - in the order of `model.signature.outputs`
 */
export function encodeInfer(
  request: Pick<OipRequest, 'id' | 'outputs'>,
  outputs: readonly Tensor[],
  model: AnsweringModel,
): OipAnswer {
  const json = new JsonChunks();
  const blobs: Uint8Array[] = [];
  json.add(`{"model_name":${JSON.stringify(model.name)},"model_version":${JSON.stringify(model.version)}`);
  if (request.id !== undefined) json.add(`,"id":${JSON.stringify(request.id)}`);
  json.add(',"outputs":[');
  for (const [position, wanted] of request.outputs.entries()) {
    const { name, tensor } = answerTensor(wanted, outputs, model);
    json.add(position === 0 ? '' : ',');
    json.add(`{"name":${JSON.stringify(name)},"datatype":"${tensor.datatype}","shape":${JSON.stringify(tensor.shape)}`);
    if (wanted.binary) {
      const blob = tensorToBinary(tensor);
      blobs.push(blob);
      json.add(`,"parameters":{"binary_data_size":${blob.byteLength}}}`);
    } else {
      json.add(',"data":');
      for (const piece of tensorPieces(tensor)) json.add(piece);
      json.add('}');
    }
  }
  json.add(']}');
  const chunks = json.finish();
  if (blobs.length === 0) return { chunks };
  const headerLength = chunks.reduce((total, chunk) => total + chunk.byteLength, 0);
  return { headerLength, chunks: [...chunks, ...blobs] };
}

/** Bytes of outputs that are written as text; a BYTES element counts as 16. */
export function textBytesOf({ outputs }: Pick<OipRequest, 'outputs'>, tensors: readonly Tensor[]): number {
  let bytes = 0;
  for (const { index, binary, classification } of outputs) {
    const tensor = tensors[index];
    if (tensor === undefined || (binary && classification === undefined)) continue;
    bytes += tensor.datatype === 'BYTES' ? tensor.data.length * 16 : tensor.data.byteLength;
  }
  return bytes;
}

function answerTensor(
  wanted: OipOutputRequest,
  outputs: readonly Tensor[],
  model: AnsweringModel,
): { readonly name: string; readonly tensor: Tensor } {
  const spec = model.signature.outputs[wanted.index];
  const tensor = outputs[wanted.index];
  if (spec === undefined || tensor === undefined) throw new Error(`model ${model.name} gave no output ${wanted.index}`);
  // Decoding refuses classes of BYTES.
  if (wanted.classification === undefined || tensor.datatype === 'BYTES')
    return { name: spec.name, tensor: forClient(tensor, spec) };
  const labels = model.outputLabels === undefined ? model.labels : model.outputLabels[spec.name];
  const options = { classes: wanted.classification, batchAxis: spec.batchAxis, ...(labels && { labels }) };
  return { name: spec.name, tensor: classify(tensor, options) };
}

/** In the dimensions that clients know. */
function forClient(tensor: Tensor, { shape, clientShape }: TensorSpec): Tensor {
  return clientShape === undefined ? tensor : { ...tensor, shape: reshaped(tensor.shape, shape, clientShape) };
}
