import { ELEMENT_TYPES } from '../../onnx/onnx-proto.ts';
import type { GraphEnds, OnnxValue } from '../../onnx/structure.ts';
import { ORT_TYPES } from '../../onnx/ort-tensor.ts';
import type { Datatype } from '../../tensors/tensor.ts';
import { isReshape, reshaped } from '../../tensors/reshape.ts';
import type { TritonConfig, TritonTensor } from './config.ts';

/** What a configuration says of one input or output, as `inputs` and `outputs` of `model.json` have it. */
export interface TensorEntry {
  readonly name: string;
  readonly shape?: readonly number[];
  readonly clientShape?: readonly number[];
  readonly batchAxis?: number | null;
  readonly exampleShape?: readonly number[];
  readonly labels?: string;
}

export interface TensorEntries {
  readonly inputs: readonly TensorEntry[];
  readonly outputs: readonly TensorEntry[];
  /** One line for each thing that the graph contradicts. */
  readonly problems: readonly string[];
  /** What has no effect here. */
  readonly notes: readonly string[];
}

/**
 * Compares the inputs and outputs of a configuration with the graph's. With `max_batch_size` above 0 every tensor has one more dimension in front; with 0,
 * requests are never joined. A configuration that names none leaves everything to the graph, as Triton does.
 */
export function tensorEntries(config: TritonConfig, graph: GraphEnds): TensorEntries {
  const problems: string[] = [];
  const notes: string[] = [];
  const batched = config.maxBatchSize > 0;
  const entriesOf = (kind: string, tensors: readonly TritonTensor[], values: readonly OnnxValue[]): TensorEntry[] =>
    tensors.flatMap((tensor) => {
      const value = values.find(({ name }) => name === tensor.name);
      const what = `${kind} ${JSON.stringify(tensor.name)}`;
      if (value !== undefined) {
        if (tensor.isOptional) notes.push(`${what} optional (the graph needs it)`);
        return [{ name: tensor.name, ...shapesOf(tensor, value, { batched, what, problems }) }];
      }
      if (tensor.isOptional) notes.push(`${what} (the graph has a constant for it)`);
      else problems.push(`there is no ${what}; the graph has ${values.map(({ name }) => name).join(', ')}`);
      return [];
    });
  const inputs = entriesOf('input', config.inputs, graph.inputs);
  const outputs = entriesOf('output', config.outputs, graph.outputs);
  const hidden = graph.outputs.filter(({ name }) => !outputs.some((output) => output.name === name));
  if (config.outputs.length > 0 && hidden.length > 0)
    notes.push(`output leaves out ${hidden.map(({ name }) => name).join(', ')} (answered all the same)`);
  const labels = new Map(config.outputs.map(({ name, labelFile }) => [name, labelFile]));
  // Naming no inputs leaves the batch to the graph, as Triton's auto-complete does.
  const batchAxis = batched ? 0 : null;
  const others = graph.inputs.filter(({ name }) => !inputs.some((input) => input.name === name));
  return {
    inputs: [
      ...inputs.map((input) => ({ ...input, batchAxis, ...exampleOf(input, config, batched) })),
      ...(batched || inputs.length === 0 ? [] : others.map(({ name }) => ({ name, batchAxis }))),
    ],
    outputs: outputs.map((output) => {
      const file = labels.get(output.name);
      return file === undefined ? output : { ...output, labels: file };
    }),
    problems,
    notes,
  };
}

/** The sizes of the first sample of the warm-up, as the graph gets them. */
function exampleOf(
  { name, shape, clientShape }: TensorEntry,
  { samples: [sample] }: TritonConfig,
  batched: boolean,
): Pick<TensorEntry, 'exampleShape'> {
  const given = sample?.inputs.find((input) => input.name === name);
  if (given === undefined) return {};
  const row = batched ? [1, ...given.dims] : given.dims;
  return {
    exampleShape: shape === undefined || clientShape === undefined ? row : reshaped(row, clientShape, shape),
  };
}

interface Comparison {
  readonly batched: boolean;
  readonly what: string;
  readonly problems: string[];
}

/** The shape that the graph gets, and the one that clients send, where they are not what the file says. */
function shapesOf(
  { datatype, dims, reshape }: TritonTensor,
  { type, shape }: OnnxValue,
  { batched, what, problems }: Comparison,
): Pick<TensorEntry, 'shape' | 'clientShape'> {
  if (datatype !== undefined && type !== 0 && type !== elementType(datatype))
    problems.push(`${what} is ${datatype} there, and of another type in the graph`);
  const rows = batched ? [-1] : [];
  const clientShape = [...rows, ...dims];
  const wanted = [...rows, ...(reshape ?? dims)];
  if (!isReshape(clientShape, wanted)) problems.push(`reshape of ${what} has another number of elements than its dims`);
  if (shape === undefined) return { shape: wanted, clientShape };
  const sizes = shape.map((size) => (typeof size === 'number' && size >= 0 ? size : -1));
  if (!fits(wanted, sizes) || (batched && sizes[0] !== -1)) {
    const batch = batched ? ', with max_batch_size above 0 a batch in front' : '';
    problems.push(
      `${what} has the dimensions [${wanted.join(', ')}] there${batch}, and [${sizes.join(', ')}] in the graph`,
    );
  }
  if (reshape !== undefined) return { shape: wanted, clientShape };
  const known = wanted.map((size, axis) => (size === -1 ? (sizes[axis] ?? -1) : size));
  return same(known, sizes) ? {} : { shape: known, clientShape: known };
}

/** Whether tensors of a shape may be sent to the graph's. */
function fits(shape: readonly number[], ofGraph: readonly number[]): boolean {
  return (
    shape.length === ofGraph.length &&
    shape.every((size, axis) => size === -1 || ofGraph[axis] === -1 || size === ofGraph[axis])
  );
}

function same(one: readonly number[], other: readonly number[]): boolean {
  return one.length === other.length && one.every((size, axis) => size === other[axis]);
}

function elementType(datatype: Datatype): number {
  return ELEMENT_TYPES[datatype === 'BF16' ? 'bfloat16' : ORT_TYPES[datatype]];
}
