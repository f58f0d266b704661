import {
  FIXED_DATATYPES,
  elementCount,
  type Datatype,
  type FixedTensor,
  type Tensor,
  type TensorSpec,
} from '../../tensors/tensor.ts';
import { reshaped } from '../../tensors/reshape.ts';
import { widenHalf } from '../../tensors/half-float.ts';
import { tensorFromBinary } from './binary.ts';
import { malformed, shown, unfit } from './error.ts';
import { isObject, type JsonObject } from '../../json.ts';
import type { DataReader } from './json-data.ts';
import { countParameter, parametersOf, refuseSharedMemory } from './parameters.ts';
import type { OipModel } from './types.ts';

/** Bounds recursion into nested data; no ONNX operator needs so many dimensions. */
const MAX_RANK = 32;

/** A request's inputs as they arrived. */
export interface InputSource {
  readonly request: JsonObject;
  /** Reads the `data` of entries. */
  readonly data: DataReader;
  /** What follows the JSON: the blobs of the binary inputs, in the order of the inputs. */
  readonly blobs: Uint8Array;
}

/** One entry of `inputs`, with its fields checked but not its data. */
interface InputEntry {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly fields: JsonObject;
  readonly parameters: JsonObject;
}

/**
 * The inputs of a request in the order of the model's. Throws BAD_REQUEST if the protocol is broken, INVALID_INPUT if the
 * request does not fit the model.
 */
export function readInputs(source: InputSource, model: OipModel): Tensor[] {
  const specs = model.signature.inputs;
  const entries = source.request['inputs'] ?? (specs.length === 0 ? [] : undefined);
  if (!Array.isArray(entries) || (entries.length === 0 && specs.length > 0))
    throw malformed(`'inputs' must be an array of at least one input`);
  const tensors: (Tensor | undefined)[] = specs.map(() => undefined);
  let offset = 0;
  for (const [position, value] of (entries as unknown[]).entries()) {
    const entry = readEntry(value, position);
    const index = specs.findIndex((spec) => spec.name === entry.name);
    const spec = specs[index];
    if (spec === undefined)
      throw unfit(`unexpected inference input ${shown(entry.name)} for model ${shown(model.name)}`);
    if (tensors[index] !== undefined) throw malformed(`input ${shown(entry.name)} is given more than once`);
    checkFit(entry, spec, model);
    const sizeBytes = blobSize(entry, entries.length === 1 ? source.blobs.byteLength : undefined);
    if (sizeBytes === undefined) {
      const { name, datatype, shape, fields } = entry;
      tensors[index] = source.data.read({ name, datatype, shape, data: fields['data'], position });
    } else {
      const missing = sizeBytes - (source.blobs.byteLength - offset);
      if (missing > 0) {
        const text = `unexpected size for input ${shown(entry.name)}, expecting ${missing} additional bytes`;
        throw malformed(`${text} for model ${shown(model.name)}`);
      }
      tensors[index] = fromBlob(entry, source.blobs.subarray(offset, offset + sizeBytes), spec);
      offset += sizeBytes;
    }
  }
  if (offset < source.blobs.byteLength)
    throw malformed(`unexpected additional input data for model ${shown(model.name)}`);
  return complete(tensors, model).map((tensor, index) => forGraph(tensor, specs[index]));
}

/** In the dimensions of the graph, where clients know others. */
function forGraph(tensor: Tensor, spec: TensorSpec | undefined): Tensor {
  if (spec?.clientShape === undefined) return tensor;
  return { ...tensor, shape: reshaped(tensor.shape, spec.clientShape, spec.shape) };
}

/** Rows of a request: the size that all batched inputs share along their batch axes. Throws INVALID_INPUT if they do not. */
export function countRows(inputs: readonly Tensor[], model: OipModel): number {
  if (!model.signature.batchable) return 1;
  let first: { readonly name: string; readonly rows: number } | undefined;
  for (const [index, { name, batchAxis }] of model.signature.inputs.entries()) {
    if (batchAxis === null) continue;
    const rows = inputs[index]?.shape[batchAxis] ?? 1;
    first ??= { name, rows };
    if (rows !== first.rows)
      throw unfit(`inputs '${first.name}' and '${name}' differ in batch size: ${first.rows} and ${rows}`);
  }
  return first?.rows ?? 1;
}

function readEntry(value: unknown, position: number): InputEntry {
  if (!isObject(value)) throw malformed(`entry ${position} of 'inputs' must be an object`);
  const { name, datatype, shape } = value;
  if (typeof name !== 'string') throw malformed(`entry ${position} of 'inputs' must have a 'name'`);
  const where = `input ${shown(name)}`;
  if (typeof datatype !== 'string') throw malformed(`${where} must have a 'datatype'`);
  if (!isDatatype(datatype)) throw malformed(`${where} has an unknown datatype ${shown(datatype)}`);
  if (!isShape(shape)) throw malformed(`'shape' of ${where} must be an array of at most ${MAX_RANK} whole numbers`);
  if (!Number.isSafeInteger(elementCount(shape))) throw malformed(`'shape' of ${where} has too many elements`);
  return { name, datatype, shape, fields: value, parameters: parametersOf(value, where) };
}

function isDatatype(text: string): text is Datatype {
  return text === 'BYTES' || Object.hasOwn(FIXED_DATATYPES, text);
}

function isShape(value: unknown): value is number[] {
  if (!Array.isArray(value) || value.length > MAX_RANK) return false;
  return value.every((dimension) => Number.isSafeInteger(dimension) && (dimension as number) >= 0);
}

/** Half floats may be sent, in binary, for FP32: ONNX Runtime has no BF16 in Node, and the widening is exact. */
function isHalfForSingle(datatype: Datatype, spec: TensorSpec): datatype is 'FP16' | 'BF16' {
  return spec.datatype === 'FP32' && (datatype === 'FP16' || datatype === 'BF16');
}

function checkFit({ name, datatype, shape }: InputEntry, spec: TensorSpec, model: OipModel): void {
  if (datatype !== spec.datatype && !isHalfForSingle(datatype, spec)) {
    const expected = `but model ${shown(model.name)} expects '${spec.datatype}'`;
    throw unfit(`inference input ${shown(name)} data-type is '${datatype}', ${expected}`);
  }
  const wanted = spec.clientShape ?? spec.shape;
  const fits =
    shape.length === wanted.length &&
    shape.every((size, axis) => wanted[axis] === -1 || wanted[axis] === size || isBatchAxis(axis, spec, model));
  if (fits || spec.anyRank === true) return;
  const expected = wanted.map((size, axis) => (isBatchAxis(axis, spec, model) ? -1 : size));
  const text = `Expected [${expected.join(',')}], got [${shape.join(',')}].`;
  throw unfit(`unexpected shape for input ${shown(name)} for model ${shown(model.name)}. ${text}`);
}

function isBatchAxis(axis: number, spec: TensorSpec, model: OipModel): boolean {
  return model.signature.batchable && axis === spec.batchAxis;
}

/**
 * Size of an input's blob in bytes; undefined if its data is in the JSON. The size of a single input may be left out, as OpenVINO
 * Model Server's clients do: its blob is then `loneBytes`, all that follows the JSON.
 */
function blobSize({ name, fields, parameters }: InputEntry, loneBytes: number | undefined): number | undefined {
  refuseSharedMemory(parameters, `input ${shown(name)}`);
  const hasData = fields['data'] !== undefined;
  const sizeBytes = countParameter(parameters, 'binary_data_size');
  if (hasData !== (sizeBytes !== undefined)) return sizeBytes;
  if (!hasData && loneBytes !== undefined && loneBytes > 0) return loneBytes;
  const text = "Input must set only one of the following fields: 'data', 'binary_data_size' in 'parameters'";
  throw malformed(`${text}. Input ${shown(name)} sets ${hasData ? 'both' : 'neither'}.`);
}

function fromBlob(entry: InputEntry, blob: Uint8Array, spec: TensorSpec): Tensor {
  const tensor = tensorFromBinary(entry, blob);
  return isHalfForSingle(tensor.datatype, spec) ? widenHalf(tensor as FixedTensor) : tensor;
}

function complete(tensors: readonly (Tensor | undefined)[], model: OipModel): Tensor[] {
  const present = tensors.filter((tensor) => tensor !== undefined);
  if (present.length === tensors.length) return present;
  const names = (given: boolean): string =>
    model.signature.inputs
      .filter((_, index) => (tensors[index] !== undefined) === given)
      .map(({ name }) => `'${name}'`)
      .join(',');
  const counts = `expected ${tensors.length} inputs but got ${present.length} inputs for model '${model.name}'`;
  const missing = `missing required input(s) [${names(false)}]. Please provide all required input(s).`;
  throw unfit(`${counts}. Got input(s) [${names(true)}], but ${missing}`);
}
