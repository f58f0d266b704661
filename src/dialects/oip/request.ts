import { z } from 'zod';
import { FIXED_DATATYPES, elementCount, type Tensor, type TensorSpec } from '../../tensors/tensor.ts';
import { tensorFromBinary, textFromBytes } from './binary.ts';
import { malformed, shown, unfit } from './error.ts';
import { byCutting } from './cut-data.ts';
import { countRows, readInputs, type InputSource } from './inputs.ts';
import { ParsedData } from './json-data.ts';
import { isObject, type JsonObject } from '../../json.ts';
import { parseExactJson } from './exact-json.ts';
import {
  booleanParameter,
  countParameter,
  parametersOf,
  readRequestParameters,
  refuseSharedMemory,
} from './parameters.ts';
import type { OipModel, OipOutputRequest, OipRequest } from './types.ts';

const TENSOR_BODY = z.object({
  name: z.string(),
  datatype: z.enum([...Object.keys(FIXED_DATATYPES), 'BYTES']),
  shape: z.array(z.int().min(0)),
  data: z.array(z.unknown()).optional(),
  parameters: z.record(z.string(), z.unknown()).optional(),
});

/** What bodies in JSON look like; they are read by hand, because tensors may be of any size. */
export const INFER_BODY = z.object({
  id: z.string().optional(),
  inputs: z.array(TENSOR_BODY).min(1),
  outputs: z.array(z.object({ name: z.string(), parameters: z.record(z.string(), z.unknown()).optional() })).optional(),
  parameters: z.record(z.string(), z.unknown()).optional(),
});

/**
 * Decodes the body of an inference request of the Open Inference Protocol, v2, with Triton's binary tensor data extension.
 * Binary tensors of the result are views into `body` (FP16 and BF16 given for FP32 are widened, BYTES become strings).
 *
 * @param body - the whole body, with any content encoding undone
 * @param headerLength - Inference-Header-Content-Length: bytes of JSON before the blobs. Absent: all is JSON; 0: all is one
 *   raw tensor, the model's only input, for one row
 * @throws ServerError BAD_REQUEST where the protocol is broken, INVALID_INPUT where the request does not fit the model, TOO_LARGE where the
 *   JSON cannot be held in one string
 */
export function decodeInfer(body: Uint8Array, headerLength: number | undefined, model: OipModel): OipRequest {
  const jsonBytes = headerLength ?? body.byteLength;
  if (!Number.isInteger(jsonBytes) || jsonBytes < 0 || jsonBytes > body.byteLength)
    throw malformed(`inference header size should be in range (0, ${body.byteLength}), got: ${jsonBytes}`);
  if (headerLength === 0) return decodeRaw(body, model);
  const json = body.subarray(0, jsonBytes);
  const blobs = body.subarray(jsonBytes);
  if (model.signature.inputs.some(({ datatype }) => datatype === 'FP32')) {
    const quick = byCutting(json, (request, data) => decodeParsed({ request, data, blobs }, model));
    if (quick !== undefined) return quick;
  }
  const document = parseExactJson(json);
  const { root } = document;
  if (!isObject(root)) throw malformed('the request must be a JSON object');
  return decodeParsed({ request: root, data: new ParsedData(document, body.byteLength), blobs }, model);
}

function decodeParsed(source: InputSource, model: OipModel): OipRequest {
  const { request } = source;
  const id = readId(request);
  const { binaryOutput, ...schedule } = readRequestParameters(request);
  const outputs = readOutputs(request, binaryOutput, model);
  const inputs = readInputs(source, model);
  return { ...(id !== '' && { id }), inputs, rows: countRows(inputs, model), outputs, ...schedule };
}

/** The value of Inference-Header-Content-Length. Throws BAD_REQUEST where it is no number. */
export function readJsonLength(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (!/^\d{1,10}$/.test(value)) throw malformed('Inference-Header-Content-Length must be a whole number.');
  return Number(value);
}

/** The request's id; '' for none, which is what perf_analyzer sends. */
function readId(request: JsonObject): string {
  const id = request['id'] ?? '';
  if (typeof id !== 'string') throw malformed(`'id' must be a string`);
  return id;
}

function readOutputs(request: JsonObject, binaryOutput: boolean, model: OipModel): OipOutputRequest[] {
  const entries = request['outputs'] ?? [];
  if (!Array.isArray(entries)) throw malformed(`'outputs' must be an array`);
  if (entries.length === 0) return allOutputs(binaryOutput, model);
  const asked = new Set<number>();
  return (entries as unknown[]).map((entry, position) => {
    const output = readOutput(entry, position, binaryOutput, model);
    // Otherwise a small request could ask for the same large answer many times.
    if (asked.has(output.index)) throw malformed(`entry ${position} of 'outputs' asks for an output a second time`);
    asked.add(output.index);
    return output;
  });
}

function allOutputs(binary: boolean, model: OipModel): OipOutputRequest[] {
  return model.signature.outputs.map((_, index) => ({ index, binary }));
}

function readOutput(entry: unknown, position: number, binaryOutput: boolean, model: OipModel): OipOutputRequest {
  if (!isObject(entry)) throw malformed(`entry ${position} of 'outputs' must be an object`);
  const { name } = entry;
  if (typeof name !== 'string') throw malformed(`entry ${position} of 'outputs' must have a 'name'`);
  const parameters = parametersOf(entry, `output ${shown(name)}`);
  refuseSharedMemory(parameters, `output ${shown(name)}`);
  const binary = booleanParameter(parameters, 'binary_data') ?? binaryOutput;
  const classification = countParameter(parameters, 'classification') ?? 0;
  const index = model.signature.outputs.findIndex((spec) => spec.name === name);
  const spec = model.signature.outputs[index];
  if (spec === undefined) throw unfit(`unexpected inference output ${shown(name)} for model ${shown(model.name)}`);
  if (classification === 0) return { index, binary };
  if (spec.datatype === 'BYTES' || spec.datatype === 'BOOL')
    throw unfit(`class result not available for output '${spec.name}' due to unsupported type '${spec.datatype}'`);
  return { index, binary, classification };
}

/** A raw binary request: the body is the only input's data, for one row; all outputs are binary. */
function decodeRaw(body: Uint8Array, model: OipModel): OipRequest {
  const [spec, second] = model.signature.inputs;
  if (spec === undefined || second !== undefined)
    throw unfit(
      `a raw binary request needs a model of one input, but ${shown(model.name)} has ${model.signature.inputs.length}`,
    );
  return { inputs: [rawTensor(spec, body, model)], rows: 1, outputs: allOutputs(true, model) };
}

function rawTensor(spec: TensorSpec, body: Uint8Array, model: OipModel): Tensor {
  const { name, datatype } = spec;
  const batchAxis = model.signature.batchable ? spec.batchAxis : null;
  const shape = spec.shape.map((size, axis) => (axis === batchAxis ? 1 : size));
  const free = shape.indexOf(-1);
  if (free !== shape.lastIndexOf(-1))
    throw unfit(`a raw binary request needs at most one dimension of variable size, but input '${name}' has more`);
  // Of the fixed dimensions: the free one counts as -1.
  const fixed = Math.abs(elementCount(shape));
  if (datatype === 'BYTES') {
    // The whole body is the one element, without the length that blobs of BYTES have.
    if (fixed !== 1) throw unfit(`a raw binary request needs BYTES of shape [1], but input '${name}' is larger`);
    return { datatype, shape: shape.map(() => 1), data: [textFromBytes(name, 0, body)] };
  }
  if (free !== -1) {
    const size = body.byteLength / (fixed * FIXED_DATATYPES[datatype].bytes);
    if (size === 0 || !Number.isInteger(size))
      throw malformed(`the raw binary request is not a whole number of elements of input '${name}'`);
    shape[free] = size;
  }
  return tensorFromBinary({ name, datatype, shape }, body);
}
