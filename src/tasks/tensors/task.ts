import { ServerError } from '../../errors.ts';
import { isObject } from '../../json.ts';
import type { Signature, Tensor, TensorSpec } from '../../tensors/tensor.ts';
import { jsonElements } from './elements.ts';
import { fileOptions, withExample } from './files/options.ts';
import { inputTensor, MOST_DIMENSIONS, rowShape } from './input-tensor.ts';
import { nest } from './nested.ts';
import { readOptions } from '../options.ts';
import { refuseParameters } from '../parameters.ts';
import type { Item, Prepared, Reply, Task, TaskSource } from '../task.ts';

/**
 * The task of any ONNX model: nested JSON arrays in, nested JSON arrays out.
 *
 * An item is one row, without the batch axis: `3` for an input of shape [batch], `[1, 2]` for [batch, 2]. A model with several
 * inputs takes an object of rows by input name; one with a single input may be given that too. Inputs without a batch axis, and
 * all inputs of a model that cannot batch, are given whole. The reply is the row of the only output, or an object of rows by output name. Options may say that
 * inputs are made from files.
 */

/** An element of an item takes about 10 ns, a float of a reply 100 ns. */
const LIGHT_ELEMENTS = 16_384;
const LIGHT_REPLY_BYTES = 16_384;

/** Builds the task; it takes any model. Throws a plain Error that says what is wrong with its options. */
export async function createTensorsTask(source: TaskSource): Promise<Task> {
  const own = withExample(readOptions(source, fileOptions), source);
  const { signature } = source;
  const plain = plainTask(signature);
  if (Object.keys({ ...own.inputs, ...own.outputs }).length === 0) return plain;
  return (await import('./files/task.ts')).withFiles(plain, signature, own);
}

function plainTask(signature: Signature): Task {
  const floatRow = floatRowOf(signature);
  return {
    rawTypes: [],
    ...(floatRow === undefined ? {} : { floatRow }),
    isLight: (item) => item.kind === 'raw' || sizeOf(item.value) <= LIGHT_ELEMENTS,
    prepare: (item) => prepare(signature, item),
    isLightReply: (outputBytes) => outputBytes <= LIGHT_REPLY_BYTES,
    finish: (outputs) => finish(signature, outputs),
  };
}

/** The shape of an item that is nothing but the numbers of the one input, if that is known. */
function floatRowOf({ inputs, batchable }: Signature): readonly number[] | undefined {
  const [only, other] = inputs;
  if (only?.datatype !== 'FP32' || only.anyRank === true || other !== undefined) return undefined;
  const row = rowShape(only, batchable);
  return row.length > 0 && row.length <= MOST_DIMENSIONS && row.every((size) => size > 0) ? row : undefined;
}

/** The number of elements, estimated from the first arrays: good enough to choose a thread. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return 1 + value.length / 64;
  // Nothing is left to do.
  if (typeof value !== 'object' || value === null || value instanceof Float32Array) return 1;
  if (Array.isArray(value)) return value.length === 0 ? 1 : value.length * sizeOf(value[0]);
  let sum = 1;
  for (const child of Object.values(value)) sum += sizeOf(child);
  return sum;
}

function prepare(signature: Signature, item: Item): Prepared {
  if (item.kind === 'raw') throw new ServerError('UNSUPPORTED_MEDIA_TYPE', 'This model takes application/json only.');
  refuseParameters(item);
  const rows = rowsByName(signature.inputs, item.value);
  const inputs = signature.inputs.map((spec): [string, Tensor] => [
    spec.name,
    inputTensor(spec, rows.get(spec.name), signature.batchable),
  ]);
  return { inputs: Object.fromEntries(inputs), cost: 1 };
}

function rowsByName(specs: readonly TensorSpec[], value: unknown): ReadonlyMap<string, unknown> {
  const [only] = specs;
  const names = specs.map(({ name }) => name);
  if (specs.length === 0 && (value === null || value === undefined)) return new Map();
  if (!isObject(value) || value instanceof Float32Array) {
    if (specs.length === 1 && only !== undefined) return new Map([[only.name, value]]);
    throw new ServerError('INVALID_INPUT', `This model takes an object with the inputs ${names.join(', ')}.`);
  }
  const rows = new Map(Object.entries(value));
  const missing = names.filter((name) => !rows.has(name));
  if (missing.length > 0) throw new ServerError('INVALID_INPUT', `Missing input: ${missing.join(', ')}.`);
  if (rows.size > names.length)
    throw new ServerError('INVALID_INPUT', `Unknown input; this model has the inputs ${names.join(', ')}.`);
  return rows;
}

function finish(signature: Signature, outputs: Readonly<Record<string, Tensor>>): Reply {
  const rows = signature.outputs.map((spec): [string, unknown] => {
    const tensor = outputs[spec.name];
    if (tensor === undefined) throw new Error(`the run gave no output ${spec.name}`);
    return [spec.name, outputRow(spec, tensor, signature.batchable)];
  });
  const [only] = rows;
  return { json: rows.length === 1 && only !== undefined ? only[1] : Object.fromEntries(rows) };
}

function outputRow({ batchAxis }: TensorSpec, tensor: Tensor, batchable: boolean): unknown {
  // A row leaves out its batch axis; an output of several rows stays as it is.
  const isRow = batchable && batchAxis !== null && tensor.shape[batchAxis] === 1;
  return nest(jsonElements(tensor), isRow ? tensor.shape.toSpliced(batchAxis, 1) : tensor.shape);
}
