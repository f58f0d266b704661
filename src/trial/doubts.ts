import type { Signature } from '../tensors/tensor.ts';
import type { OutputDoubt } from '../onnx/data-flow.ts';

/** What an ONNX file itself says against stacking rows, before anything is run. Each answer is a reason that people read, with its cure. */

/** The line of model.json by which a user vouches for an output's rows. */
export function vouchFor(name: string): string {
  return `if its rows are independent all the same, say so in model.json: "outputs": [{"name": ${JSON.stringify(name)}, "batchAxis": 0}]`;
}

/** The first reason against stacking rows; undefined: there is none. Outputs that model.json vouches for (`isVouched`) are not doubted. */
export function doubtOf(
  signature: Signature,
  doubts: ReadonlyMap<string, OutputDoubt> | undefined,
  isVouched: (output: string) => boolean,
): string | undefined {
  const outputs = signature.outputs.filter(({ name }) => !isVouched(name));
  const [first] = outputs;
  if (first === undefined) return undefined;
  if (doubts === undefined) return `its file is not read as ONNX; ${vouchFor(first.name)}`;
  for (const { name } of outputs) {
    const { shape, random, chosen } = doubts.get(name) ?? {};
    if (shape !== undefined)
      return `the size of output ${name}, or how it is computed, depends on what the whole batch holds (operator ${shape}); ${vouchFor(name)}`;
    if (chosen !== undefined)
      return `how output ${name} is computed depends on input ${chosen.input} (operator ${chosen.operator}), of which not all values can be tried; ${vouchFor(name)}`;
    if (random !== undefined) return `output ${name} is drawn at random (operator ${random}); ${vouchFor(name)}`;
  }
  return undefined;
}

/** A reason against outputs that made-up rows have proven independent although, by the file, all rows of a batch go into them. */
export function whyJoined(
  { outputs }: Signature,
  doubts: ReadonlyMap<string, OutputDoubt> | undefined,
  isVouched: (output: string) => boolean,
): string | undefined {
  for (const { name } of outputs) {
    const mixed = isVouched(name) ? undefined : doubts?.get(name)?.mixed;
    if (mixed !== undefined)
      return `output ${name} depends on all rows of the batch at once (operator ${mixed}), though rows that were made up do not show it; ${vouchFor(name)}`;
  }
  return undefined;
}

/** A reason against inputs whose size may differ between requests while nothing says along which axis requests are stacked. */
export function unstackable({ inputs }: Signature, isDeclared: (input: string) => boolean): string | undefined {
  const found = inputs.find(
    ({ name, shape, batchAxis, anyRank = false }) =>
      batchAxis === null && (anyRank || shape.includes(-1)) && !isDeclared(name),
  );
  if (found === undefined) return undefined;
  const { name, shape } = found;
  return `input ${name} [${shape.join(', ')}] has no free first axis; name its batch axis in model.json: "inputs": [{"name": ${JSON.stringify(name)}, "batchAxis": 1}], or null if all requests of a run share it`;
}
