import type { InferenceSession } from 'onnxruntime-node';

/** Names of dimensions: what the file calls them, and what such a name tells. */

/** By input or output: a name for each dimension, empty where it has none or the size is fixed. */
export type DimensionNames = readonly (readonly string[])[];

/** What the file calls the dimensions of the tensors named; '' for a fixed one and for one without a name. */
export function readDimensionNames(
  session: InferenceSession,
  { inputs, outputs }: { inputs: readonly { name: string }[]; outputs: readonly { name: string }[] },
): { inputs: DimensionNames; outputs: DimensionNames } {
  const namesOf = (all: readonly InferenceSession.ValueMetadata[], wanted: readonly { name: string }[]) =>
    wanted.map(({ name }) => {
      const metadata = all.find((entry) => entry.name === name);
      return metadata?.isTensor === true ? metadata.shape.map((size) => (typeof size === 'string' ? size : '')) : [];
    });
  return { inputs: namesOf(session.inputMetadata, inputs), outputs: namesOf(session.outputMetadata, outputs) };
}

/** Names that say "batch" in exporters' words. */
export function isBatchName(name: string): boolean {
  return (/batch/i.test(name) && !/[*/+-]/.test(name)) || ['N', 'B', 'bs', 'BS'].includes(name);
}

/** Names that exporters make up for unnamed dimensions: they mean nothing. */
const MADE_UP = [
  /_dim_\d+$/,
  /_dynamic_axes_\d+$/,
  /^unk_*\d*$/i,
  /DynamicDimension/,
  /^\?+$/,
  /^-1$/,
  /^None$/i,
  /_o\d+_d\d+$/,
];

/** Whether a name was given on purpose. */
export function isTelling(name: string): boolean {
  return name !== '' && !MADE_UP.some((pattern) => pattern.test(name));
}

/** Whether an output's dimension of this name may count the rows of inputs whose batch has these names. */
export function mayCountRows(name: string, batchNames: readonly string[]): boolean {
  const telling = batchNames.filter(isTelling);
  return !isTelling(name) || telling.length === 0 || telling.includes(name) || isBatchName(name);
}
