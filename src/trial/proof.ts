import { split, stack } from '../tensors/rows.ts';
import type { Signature, Tensor, TensorSpec } from '../tensors/tensor.ts';
import type { LaneSession } from '../onnx/session.ts';
import { rowAxis } from './row-axis.ts';
import { alike, distance, TOLERANCE } from './compare.ts';
import { CONTENTS } from './made-up-rows.ts';

/**
 * Proof by running that rows can be stacked. Each row is run alone; then batches of 2, 3 and 5 different rows, two of each size, which share one
 * row at the same place and differ in the others. Every output must count the rows, or be the same whatever they hold.
 */

/** Rows of batches by number. Two of each size share the row at `probe`; the numbers are kinds of contents (`made-up-rows.ts`). */
const BATCHES: readonly { readonly rows: readonly number[]; readonly probe?: number }[] = [
  { rows: [0, 1] },
  { rows: [0, 6], probe: 0 },
  { rows: [1, 2, 3] },
  { rows: [4, 2, 7], probe: 1 },
  { rows: [0, 3, 1, 5, 7] },
  { rows: [6, 2, 1, 4, 0], probe: 2 },
];

/** For slow rows: one batch of each size, each with a row whose contents are a hundred times the others'. */
const FEWER_BATCHES: typeof BATCHES = [{ rows: [0, 1] }, { rows: [1, 2, 3] }, { rows: [3, 0, 1, 4, 2] }];
/** A row that takes longer is slow: half the runs must do. */
const SLOW_ROW_MS = 100;
const ALL_KINDS = Array.from({ length: CONTENTS }, (_, kind) => kind);
/** Fewer different rows prove nothing. */
const LEAST_ROWS = 3;
/** Kinds of contents (`made-up-rows.ts`) of slow rows. */
const FEWER_KINDS = [0, 1, 3, 6, 2];

/** The largest batch that there will be is run too, because a graph may take another path where there are many rows, unless it would take longer. */
const LARGEST_MS = 500;
const MOST_ROWS = 32;

/** A batch that is predicted to take longer is not run: the trial's process is killed after 10 s (`trial-process.ts`). */
const RUN_MS = 5_000;

/** Thrown when time is up, or would be. */
export class TrialTimeout extends Error {}

/** What of the signature model.json answers for, how exactly the graph computes, and when to give up. */
export interface ProofTerms {
  readonly isVouched: (output: string) => boolean;
  /** Whether the file says that an output does not depend on what rows hold. */
  readonly isFixed: (output: string) => boolean;
  readonly isHalf: boolean;
  /** model.json accepts that rows of a quantised graph change each other. */
  readonly mayMix: boolean;
  readonly deadlineMs: number;
}

interface Run {
  readonly rows: readonly number[];
  readonly outputs: readonly Tensor[];
}

/**
 * The signature with the batch axes of the outputs; a text: why rows cannot be stacked. `rows` are at least three. Throws what ONNX Runtime
 * throws of a batch, and TrialTimeout.
 */
export async function prove(
  session: LaneSession,
  rows: readonly RunRow[],
  terms: ProofTerms,
): Promise<Signature | string> {
  const runs: (Run & { readonly probe?: number })[] = [];
  for (const { rows: wanted, ...batch } of rows.length > FEWER_KINDS.length ? BATCHES : FEWER_BATCHES) {
    const numbers = wanted.map((number) => number % rows.length);
    runs.push({ ...batch, rows: numbers, outputs: await runTogether(session, rows, { numbers, terms }) });
  }
  const most = Array.from({ length: session.spec.maxItems ?? MOST_ROWS }, (_, index) => index % rows.length);
  const isLarger = runs.every(({ rows: { length } }) => length < most.length);
  if (isLarger && timeOf(rows, most) <= LARGEST_MS) {
    // A failure here is no proof against smaller batches: the lane would halve this one.
    const outputs = await runTogether(session, rows, { numbers: most, terms }).catch(() => undefined);
    if (outputs !== undefined) runs.push({ rows: most, outputs });
  }
  const outputs: TensorSpec[] = [];
  for (const [index, spec] of session.signature.outputs.entries()) {
    const found = provenAxis(spec, { rows, runs, index, terms });
    if (typeof found === 'string') return found;
    outputs.push({ ...spec, batchAxis: found });
  }
  if (!terms.isVouched(outputs[0]?.name ?? '') && !outputs.some((_, index) => differ(rows, index)))
    return NO_DIFFERENCE;
  return { ...session.signature, outputs, batchable: true };
}

const NO_DIFFERENCE =
  'all rows that were made up get the same answer, which proves nothing; give an example in model.json: "example": {"data": ...}';

/** A row that runs alone, and its answer. */
export interface RunRow {
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly runMs: number;
}

/** Runs rows of all kinds alone; those that fail are left out. Undefined where too few are left. Throws TrialTimeout. */
export async function runRows(
  session: LaneSession,
  { deadlineMs }: ProofTerms,
  rowOf: (kind: number) => readonly Tensor[],
): Promise<RunRow[] | undefined> {
  const rows: RunRow[] = [];
  let kinds = [0];
  for (let at = 0; at < kinds.length; at += 1) {
    if (performance.now() > deadlineMs) throw new TrialTimeout();
    try {
      const inputs = rowOf(kinds[at] ?? 0);
      const { outputs, runMs } = await session.run(inputs);
      rows.push({ inputs, outputs, runMs });
      if (at === 0) kinds = runMs > SLOW_ROW_MS ? FEWER_KINDS : ALL_KINDS;
    } catch {
      // Other contents may run; a size that does not run with the first does not run at all.
      if (at === 0) return undefined;
    }
  }
  return rows.length < LEAST_ROWS ? undefined : rows;
}

/** Milliseconds that rows take one by one. */
function timeOf(rows: readonly RunRow[], numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + (rows[number]?.runMs ?? 0), 0);
}

async function runTogether(
  session: LaneSession,
  rows: readonly RunRow[],
  { numbers, terms }: { numbers: readonly number[]; terms: ProofTerms },
): Promise<readonly Tensor[]> {
  if (timeOf(rows, numbers) > RUN_MS || performance.now() > terms.deadlineMs) throw new TrialTimeout();
  const inputs = session.signature.inputs.map(({ batchAxis }, index) => {
    const parts = numbers.map((number) => rows[number]?.inputs[index]).filter((tensor) => tensor !== undefined);
    return stack(batchAxis === null ? parts.slice(0, 1) : parts, batchAxis ?? 0);
  });
  return (await session.run(inputs)).outputs;
}

interface Seen {
  readonly rows: readonly RunRow[];
  readonly runs: readonly (Run & { readonly probe?: number })[];
  /** Which output. */
  readonly index: number;
  readonly terms: ProofTerms;
}

function provenAxis(spec: TensorSpec, seen: Seen): number | null | string {
  const { rows, runs, index, terms } = seen;
  const alone = rows.map(({ outputs }) => outputs[index]).filter((tensor) => tensor !== undefined);
  const together = runs.map(({ rows: { length }, outputs }) => ({ rows: length, shape: outputs[index]?.shape ?? [] }));
  if (terms.isVouched(spec.name) && spec.batchAxis === null) return null;
  const axis = rowAxis(spec, { alone: alone.map(({ shape }) => shape), together });
  if (typeof axis === 'string') return axis;
  // Whoever names the axis in model.json vouches for the values too (a model that draws random numbers, say).
  if (terms.isVouched(spec.name)) return axis;
  if (axis === null)
    return terms.isFixed(spec.name) && isConstant(seen, alone)
      ? null
      : `output ${spec.name} does not grow with the batch, though it depends on the rows`;
  return terms.mayMix ? axis : (whyMixed(spec, seen, axis) ?? axis);
}

function isConstant({ runs, index }: Seen, alone: readonly Tensor[]): boolean {
  const [first] = alone;
  return (
    first !== undefined &&
    [...alone, ...runs.map(({ outputs }) => outputs[index])].every((tensor) => alike(first, tensor, 0))
  );
}

/**
 * Compares the row that two batches of one size share, which shows the influence of the other rows, then every row of every batch with the row
 * alone, where the order of sums may differ as well.
 */
function whyMixed({ name }: TensorSpec, seen: Seen, axis: number): string | undefined {
  const batches = seen.runs.map(({ rows: numbers, outputs, probe }): CutBatch => {
    const batch = outputs[seen.index];
    const parts = batch === undefined ? [] : split(batch, axis, Array<number>(numbers.length).fill(1));
    return { numbers, parts, probe };
  });
  const most = farthest(batches, seen);
  const isProbed = batches.some(({ probe }) => probe !== undefined);
  if (!isMixed(batches) && most <= TOLERANCE.size) return undefined;
  if (isMixed(batches) || most === Infinity || !isProbed) return `rows of a batch change each other's ${name}`;
  return `output ${name} of a row in a batch is off by up to ${most.toPrecision(1)} of its size from that of the row alone (${TOLERANCE.size} is allowed), though not by who its neighbours are; if that does not matter, say so in model.json: "outputs": [{"name": ${JSON.stringify(name)}, "batchAxis": 0}]`;
}

/** A batch, cut into its rows. */
interface CutBatch {
  readonly numbers: readonly number[];
  readonly parts: readonly Tensor[];
  readonly probe: number | undefined;
}

/** Whether a row's answer depends on the other rows of a batch of the same size. */
function isMixed(batches: readonly CutBatch[]): boolean {
  return batches.some(({ parts, probe }, at) => {
    const before = probe === undefined ? undefined : batches[at - 1]?.parts[probe];
    return before !== undefined && !alike(before, parts[probe ?? 0], TOLERANCE.company);
  });
}

/** The largest difference between a row in a batch and the same row alone; that of half floats is scaled to the tolerance of others. */
function farthest(batches: readonly CutBatch[], { rows, index, terms }: Seen): number {
  const distances = batches.flatMap(({ numbers, parts }) =>
    numbers.map((number, at) => {
      const alone = rows[number]?.outputs[index];
      if (alone === undefined) return Infinity;
      const isHalf = terms.isHalf || alone.datatype === 'FP16';
      return distance(alone, parts[at]) * (isHalf ? TOLERANCE.size / TOLERANCE.sizeOfHalf : 1);
    }),
  );
  return Math.max(...distances);
}

/** Whether rows alone have different answers. */
function differ(rows: readonly RunRow[], index: number): boolean {
  const [first, ...others] = rows.map(({ outputs }) => outputs[index]);
  return first !== undefined && others.some((tensor) => !alike(first, tensor, 0));
}
