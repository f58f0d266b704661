import type { TrialFinding } from '../pool/trial-messages.ts';
import { split, stack } from '../rows.ts';
import { oneByOne, type Signature, type Tensor, type TensorSpec } from '../tensor.ts';
import { whyAlone } from './dynamic-quantisation.ts';
import type { LaneSession } from './session.ts';
import { ownOptions } from './graph.ts';
import { changedRow, makeRow, numbersOf } from './trial-rows.ts';

/** Sizes tried for free dimensions that are not the batch, where no example says better. */
const FREE_SIZES = [1, 8, 16, 32, 64, 128, 256, 512];

/** Outputs of a row alone and in a batch may differ by this share of the output's range (quantised models round by batch). */
const TOLERANCE = 0.02;

/**
 * Finds by running whether rows can be stacked, and along which axis each output grows: two different rows alone, then both
 * together. A model whose rows change each other's answer, or whose outputs do not grow, runs one by one. The session's
 * signature is replaced by what was found.
 */
export async function trial(session: LaneSession, example: readonly Tensor[] | undefined): Promise<TrialFinding> {
  const { signature, graph } = session;
  if (graph.dynamicOperator !== undefined) return settle(session, oneByOne(signature), whyAlone(graph.dynamicOperator));
  if (!signature.batchable) return settle(session, oneByOne(signature), 'no input has a free dimension');
  const rows = example === undefined ? FREE_SIZES.map((size) => makeRow(signature, size)) : [example];
  let why = 'no trial input ran; give an example in model.json';
  for (const row of rows) {
    try {
      const found = await compare(session, row, changedRow(signature, row));
      return typeof found === 'string' ? settle(session, oneByOne(signature), found) : settle(session, found);
    } catch (error) {
      why = `the trial run failed: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
  return settle(session, oneByOne(signature), why);
}

function settle(session: LaneSession, signature: Signature, why?: string): TrialFinding {
  session.signature = signature;
  return { signature, ...(why === undefined ? {} : { why }) };
}

async function compare(
  session: LaneSession,
  first: readonly Tensor[],
  second: readonly Tensor[],
): Promise<Signature | string> {
  const { inputs, outputs } = session.signature;
  const alone = [(await session.run(first)).outputs, (await session.run(second)).outputs];
  const together = await session.run(
    inputs.map(({ batchAxis }, index) => {
      const parts = [first[index], second[index]].filter((tensor) => tensor !== undefined);
      return stack(batchAxis === null ? parts.slice(0, 1) : parts, batchAxis ?? 0);
    }),
  );
  const specs: TensorSpec[] = [];
  for (const [index, spec] of outputs.entries()) {
    const batch = together.outputs[index];
    const [one, two] = alone.map((tensors) => tensors[index]);
    if (batch === undefined || one === undefined || two === undefined) return `output ${spec.name} is missing`;
    const axis = spec.batchAxis ?? grownAxis(one.shape, batch.shape);
    if (axis === undefined) return `output ${spec.name} does not grow with the batch`;
    const parts = split(batch, axis, [1, 1]);
    // Whoever names the axis in model.json vouches for the values too (a model that draws random numbers, say).
    const vouched = spec.batchAxis !== null || ownOptions(session.spec, 'model').dynamicQuantisation === 'together';
    if (!vouched && ![one, two].every((row, at) => alike(row, parts[at])))
      return `rows in a batch change each other's ${spec.name}`;
    specs.push({ ...spec, batchAxis: axis });
  }
  return { inputs, outputs: specs, batchable: true };
}

/** The one axis that is 1 alone and 2 together. */
function grownAxis(alone: readonly number[], together: readonly number[]): number | undefined {
  if (alone.length !== together.length) return undefined;
  const different = alone.flatMap((size, axis) => (size === together[axis] ? [] : [axis]));
  const [axis] = different;
  return different.length === 1 && axis !== undefined && alone[axis] === 1 && together[axis] === 2 ? axis : undefined;
}

function alike(alone: Tensor, row: Tensor | undefined): boolean {
  if (row === undefined || alone.datatype === 'BYTES' || row.datatype === 'BYTES')
    return row !== undefined && JSON.stringify(alone.data) === JSON.stringify(row.data);
  const [expected, actual] = [numbersOf(alone), numbersOf(row)];
  let range = 0;
  for (const value of expected) if (Number.isFinite(Number(value))) range = Math.max(range, Math.abs(Number(value)));
  return expected.every((value, index) => {
    const difference = Math.abs(Number(value) - Number(actual[index]));
    return Number.isNaN(difference)
      ? Object.is(value, actual[index]) || value === actual[index]
      : difference <= TOLERANCE * range + 1e-6;
  });
}
