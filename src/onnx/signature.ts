import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import type { ModelSpec, TensorOverride } from '../model-spec.ts';
import { isReshape } from '../tensors/reshape.ts';
import { elementCount, type Signature, type TensorSpec } from '../tensors/tensor.ts';
import { elementName } from './onnx-proto.ts';
import { readGraphEnds, type OnnxGraph, type OnnxValue } from './structure.ts';
import { datatypeOf } from './ort-tensor.ts';
import { isBatchName, isTelling, readDimensionNames, type DimensionNames } from './dimension-names.ts';

/** Of a made-up input, which the trial holds several times. */
const MOST_ELEMENTS = 2 ** 26;

/**
 * The signature from metadata, corrected by model.json. Metadata may be wrong (free dimensions without names, the batch called
 * `time`, batch on axis 1), so the batch axes of inputs are only candidates here and outputs have none: a trial proves them.
 * Throws a plain Error that lists every override of a tensor that the graph does not have.
 */
export function readSignature(session: InferenceSession, spec: ModelSpec): Signature {
  const problems = [
    ...unknownNames(session.inputNames, spec.inputs, 'input'),
    ...unknownNames(session.outputNames, spec.outputs, 'output'),
  ];
  if (problems.length > 0) throw new Error(problems.join('; '));
  const names = readDimensionNames(session, { inputs: session.inputMetadata, outputs: session.outputMetadata });
  const axes = batchAxes(session.inputMetadata, names.inputs);
  const ranks = withoutRank(session.inputMetadata, spec.weights);
  const inputs = session.inputMetadata.map((metadata, index) => {
    const own = override(spec.inputs, metadata.name);
    const input = tensorSpec(metadata, own, axes[index] ?? null);
    return ranks.has(input.name) && own?.shape === undefined ? { ...input, anyRank: true } : input;
  });
  const tensors = tensorOutputs(session);
  const outputs = tensors.map((metadata) => tensorSpec(metadata, override(spec.outputs, metadata.name), null));
  const leftOut = session.outputNames.filter((name) => !tensors.some((tensor) => tensor.name === name));
  return {
    inputs,
    outputs,
    batchable: inputs.some(({ batchAxis }) => batchAxis !== null),
    ...(leftOut.length === 0 ? {} : { leftOut: `${leftOut.join(', ')}: no tensor; ${CURE}` }),
  };
}

/**
 * The axis of each input that may be the batch: one that the file calls so, else the first where it is free, else one that has the name of
 * another input's batch. No other free axis is taken: that of `[1, samples]` is a length.
 */
function batchAxes(inputs: readonly InferenceSession.ValueMetadata[], names: DimensionNames): (number | null)[] {
  const firsts = inputs.map((metadata, index): number | null => {
    const own = names[index] ?? [];
    const spoken = own.findIndex((name) => /batch/i.test(name) && isBatchName(name));
    if (spoken >= 0) return spoken;
    const lettered = own.findIndex(isBatchName);
    if (lettered >= 0) return lettered;
    return metadata.isTensor && metadata.shape.length > 0 && isFree(metadata.shape[0]) ? 0 : null;
  });
  const batchNames = new Set(firsts.map((axis, index) => (axis === null ? '' : (names[index]?.[axis] ?? ''))));
  return firsts.map((axis, index) => {
    if (axis !== null) return axis;
    const named = (names[index] ?? []).findIndex((name) => isTelling(name) && batchNames.has(name));
    return named >= 0 ? named : null;
  });
}

function isFree(size: number | string | undefined): boolean {
  return typeof size !== 'number' || size < 0;
}

function unknownNames(names: readonly string[], overrides: readonly TensorOverride[], kind: string): string[] {
  return overrides
    .filter(({ name }) => !names.includes(name))
    .map(({ name }) => `model.json: there is no ${kind} ${name}; the graph has ${names.join(', ')}`);
}

function override(overrides: readonly TensorOverride[], name: string): TensorOverride | undefined {
  return overrides.find((entry) => entry.name === name);
}

function tensorSpec(
  metadata: InferenceSession.ValueMetadata,
  own: TensorOverride | undefined,
  guess: number | null,
): TensorSpec {
  const { name } = metadata;
  if (!metadata.isTensor) throw new Error(`${name} is not a tensor`);
  const fileShape = metadata.shape.map((size) => (isFree(size) ? -1 : Number(size)));
  const shape = own?.shape ?? fileShape;
  const batchAxis = own?.batchAxis === undefined ? guess : own.batchAxis;
  if (batchAxis !== null && batchAxis >= shape.length) throw new Error(`model.json: ${name} has no axis ${batchAxis}`);
  const datatype = own?.datatype ?? datatypeOf(metadata.type);
  const isOwn = own?.shape?.length === fileShape.length;
  return {
    ...{ name, datatype, shape, batchAxis },
    ...(isOwn ? { fileShape } : {}),
    ...(own === undefined ? {} : otherShapes(own, { name, shape, batchAxis })),
  };
}

/** The shapes of model.json beside the graph's own. */
function otherShapes(
  own: TensorOverride,
  spec: Pick<TensorSpec, 'name' | 'shape' | 'batchAxis'>,
): Pick<TensorSpec, 'clientShape' | 'exampleShape'> {
  return {
    ...(own.exampleShape === undefined ? {} : { exampleShape: exampleShape(own.exampleShape, spec) }),
    ...(own.clientShape === undefined ? {} : { clientShape: clientShape(own.clientShape, spec) }),
  };
}

/** Throws a plain Error where a row of these sizes does not fit. */
function exampleShape(
  given: readonly number[],
  { name, shape }: Pick<TensorSpec, 'name' | 'shape'>,
): readonly number[] {
  const fits = given.length === shape.length && shape.every((size, axis) => size === -1 || size === given[axis]);
  if (!fits) throw new Error(`exampleShape of ${name} does not fit its shape [${shape.join(', ')}]`);
  if (elementCount(given) > MOST_ELEMENTS)
    throw new Error(`exampleShape of ${name} has more than ${MOST_ELEMENTS} elements`);
  return given;
}

/** Throws a plain Error where tensors of the one shape cannot be the graph's. */
function clientShape(
  given: readonly number[],
  { name, shape, batchAxis }: Pick<TensorSpec, 'name' | 'shape' | 'batchAxis'>,
): readonly number[] {
  if (!isReshape(given, shape))
    throw new Error(`clientShape of ${name} has other elements than its shape [${shape.join(', ')}]`);
  if (batchAxis !== null && batchAxis !== 0)
    throw new Error(`${name} can have a clientShape only where its batch is the first axis`);
  return given;
}

/** Inputs whose number of dimensions the file does not say: metadata shows them as single numbers. */
function withoutRank(inputs: readonly InferenceSession.ValueMetadata[], file: string): ReadonlySet<string> {
  if (!inputs.some((metadata) => metadata.isTensor && metadata.shape.length === 0)) return new Set();
  try {
    const { inputs: values } = readGraphEnds(file);
    return new Set(values.filter(({ isTensor, shape }) => isTensor && shape === undefined).map(({ name }) => name));
  } catch {
    return new Set();
  }
}

/** What ONNX Runtime says about a graph's inputs and outputs. */
export type GraphMetadata = Pick<InferenceSession, 'inputMetadata' | 'outputMetadata'>;

/** The same from the file, without opening it: ONNX Runtime may know more of the outputs, which it infers. */
export function metadataOf({ inputs, outputs, constants }: OnnxGraph): GraphMetadata {
  const given = inputs.filter(({ name }) => !constants.has(name));
  return { inputMetadata: given.map(valueMetadata), outputMetadata: outputs.map(valueMetadata) };
}

function valueMetadata({ name, isTensor, type, shape = [] }: OnnxValue): InferenceSession.ValueMetadata {
  return isTensor ? { name, isTensor, type: elementName(type) as OrtTensor.Type, shape } : { name, isTensor };
}

/** How to get what cannot be served. */
const CURE = 'ONNX Runtime for Node passes tensors alone; export the model with a tensor in its place';

/** Outputs that are tensors. Throws a plain Error where there is none, or one that the binding cannot hand over. */
function tensorOutputs(session: InferenceSession): readonly InferenceSession.ValueMetadata[] {
  const { outputMetadata: outputs } = session;
  const tensors = outputs.filter(({ isTensor }) => isTensor);
  if (tensors.length === 0)
    throw new Error(`no output is a tensor: ${outputs.map(({ name }) => name).join(', ')}; ${CURE}`);
  // The binding collects outputs in a plain object, whose prototype has this name.
  if (tensors.some(({ name }) => name === '__proto__')) throw new Error('an output cannot be called __proto__');
  return tensors;
}
