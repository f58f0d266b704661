import type { TrialFinding } from './protocol.ts';
import { oneByOne, type Signature, type Tensor } from '../tensors/tensor.ts';
import { whyAlone } from '../onnx/dynamic-quantisation.ts';
import { ownOptions } from '../onnx/graph.ts';
import { readDoubts } from '../onnx/data-flow.ts';
import { ELEMENT_TYPES } from '../onnx/onnx-proto.ts';
import { tryReadOnnxModel, type OnnxModel } from '../onnx/structure.ts';
import { knownTexts, readRanges } from '../onnx/ranges.ts';
import type { LaneSession } from '../onnx/session.ts';
import { mayCountRows } from '../onnx/dimension-names.ts';
import { doubtOf, unstackable, vouchFor, whyJoined } from './doubts.ts';
import { prove, runRows, TrialTimeout, type ProofTerms } from './proof.ts';
import { changedRow, madeUpRow, resizedRow, type MadeUp, type RowFacts } from './made-up-rows.ts';
import { attempts } from './row-sizes.ts';
import { messageOf } from '../errors.ts';

/** Most time for the whole proof, asked between two runs: where rows are slower, batches gain little. */
const TRIAL_MS = 30_000;
/** Most time to look for sizes and contents that run at all. */
const SEARCH_MS = 5_000;
/** Made-up sizes that are tried for a second proof, of rows of another size than the first. */
const SECOND_TRIES = 4;

const GIVE_EXAMPLE = 'give a true one in model.json: "example": {"data": ...}';

/**
 * Finds out whether rows can be stacked, and along which axis each output counts them: the file must not speak against it, and batches of
 * several sizes must give every row what it gets alone. In doubt the model runs one request at a time, and `why` says which line of
 * model.json changes that. The session's signature is replaced by what was found.
 */
export async function findBatching(
  session: LaneSession,
  example: readonly Tensor[] | undefined,
): Promise<TrialFinding> {
  const { signature } = session;
  const found = await decide(session, example);
  session.signature = typeof found === 'string' ? oneByOne(signature) : found;
  return { signature: session.signature, ...(typeof found === 'string' ? { why: found } : {}) };
}

async function decide(session: LaneSession, example: readonly Tensor[] | undefined): Promise<Signature | string> {
  const { signature, spec, onnx } = session;
  if (onnx.dynamicOperator !== undefined) return whyAlone(onnx.dynamicOperator);
  const declared = (list: typeof spec.inputs) => {
    const names = new Set(list.filter(({ batchAxis }) => batchAxis !== undefined).map(({ name }) => name));
    return (name: string) => names.has(name);
  };
  if (!signature.batchable) return noBatchAxis(signature, declared(spec.inputs));
  const model = tryReadOnnxModel(spec.weights);
  const isVouched = declared(spec.outputs);
  const doubts = model === undefined ? undefined : readDoubts(model, batchAxisOf(signature));
  const doubt = unstackable(signature, declared(spec.inputs)) ?? doubtOf(signature, doubts, isVouched);
  if (doubt !== undefined) return doubt;
  const isFixed = (name: string) => doubts?.get(name)?.data === false;
  const mayMix = ownOptions(spec, 'model').dynamicQuantisation === 'together';
  const terms: ProofTerms = {
    isVouched,
    isFixed,
    isHalf: isHalf(model),
    mayMix,
    deadlineMs: performance.now() + TRIAL_MS,
  };
  const facts = factsOf(model);
  try {
    const found = await tryRows(session, { example, facts, terms });
    if (found === undefined) {
      const all = signature.outputs.every(({ name }) => isVouched(name));
      return all ? signature : `no made-up input runs; ${GIVE_EXAMPLE}`;
    }
    if (typeof found === 'string') return found;
    return whyNamed(session, found, isVouched) ?? whyJoined(found, doubts, isVouched) ?? found;
  } catch (error) {
    if (error instanceof TrialTimeout) return `its rows are too slow to be tried in batches; ${vouchForAll(signature)}`;
    const message = messageOf(error);
    return `rows that run alone do not run together: ${message}`;
  }
}

function isHalf(model: OnnxModel | undefined): boolean {
  return model !== undefined && [...model.graph.constants.values()].some(({ type }) => type === ELEMENT_TYPES.float16);
}

function factsOf(model: OnnxModel | undefined): RowFacts {
  if (model === undefined) return { ranges: new Map(), texts: [] };
  return { ranges: readRanges(model), texts: knownTexts(model.graph) };
}

function batchAxisOf({ inputs }: Signature): (input: string) => number | null {
  const axes = new Map(inputs.map(({ name, batchAxis }) => [name, batchAxis]));
  return (name) => axes.get(name) ?? null;
}

function noBatchAxis({ inputs }: Signature, isDeclared: (input: string) => boolean): string {
  const [first] = inputs;
  if (first === undefined) return 'it has no inputs';
  if (inputs.every(({ name }) => isDeclared(name)))
    return 'no input has a batch axis, as model.json ("batchAxis": null) or config.pbtxt (max_batch_size 0) says';
  return `no input has a free first axis: export the file with one, or, if another axis is the batch, name it in model.json: "inputs": [{"name": ${JSON.stringify(first.name)}, "batchAxis": 1}]`;
}

function vouchForAll({ outputs }: Signature): string {
  return vouchFor(outputs[0]?.name ?? '');
}

interface TrialPlan {
  readonly example: readonly Tensor[] | undefined;
  readonly facts: RowFacts;
  readonly terms: ProofTerms;
}

/** Proves by the example, or by made-up rows. */
async function tryRows(session: LaneSession, plan: TrialPlan): Promise<Signature | string | undefined> {
  const { example, facts, terms } = plan;
  const { signature } = session;
  if (example === undefined) return tryMadeUp(session, plan);
  const proveBy = (row: readonly Tensor[]) =>
    proveRows(session, terms, (kind) => changedRow(signature, { row, facts }, kind));
  const found = (await proveBy(example)) ?? `its example does not run; ${GIVE_EXAMPLE}`;
  // A row of another size tells a count of rows from one of steps or pixels. It need not run: only the example is known to.
  const other = typeof found === 'string' ? undefined : resizedRow(signature, example);
  return other === undefined ? found : ((await proveBy(other)) ?? found);
}

/** Proves by the first made-up rows that run, and again by rows of another size, where there are any that run. */
async function tryMadeUp(session: LaneSession, { facts, terms }: TrialPlan): Promise<Signature | string | undefined> {
  const { signature } = session;
  const searchMs = performance.now() + SEARCH_MS;
  let first: { found: Signature; base: number } | undefined;
  let tries = 0;
  for (const { shapes, integers, base } of attempts(signature, session.dimensionNames.inputs)) {
    if (base === first?.base) continue;
    if (first !== undefined) tries += 1;
    if (tries > SECOND_TRIES || performance.now() > searchMs) break;
    const madeUp: MadeUp = { shapes, integers, facts };
    const found = await proveRows(session, terms, (kind) => madeUpRow(signature, madeUp, kind));
    if (typeof found === 'string' || (found !== undefined && first !== undefined)) return found;
    if (found !== undefined) first = { found, base };
  }
  return first?.found;
}

/** Undefined where too few of the rows run alone. */
async function proveRows(
  session: LaneSession,
  terms: ProofTerms,
  rowOf: (kind: number) => readonly Tensor[],
): Promise<Signature | string | undefined> {
  const rows = await runRows(session, terms, rowOf);
  return rows === undefined ? undefined : prove(session, rows, terms);
}

/** An output is not cut along a dimension that the file calls by another name than the inputs' batch. */
function whyNamed(
  { dimensionNames: names }: LaneSession,
  { inputs, outputs }: Signature,
  isVouched: (output: string) => boolean,
): string | undefined {
  const batchNames = inputs.flatMap(({ batchAxis }, index) =>
    batchAxis === null ? [] : [names.inputs[index]?.[batchAxis] ?? ''],
  );
  for (const [index, { name, batchAxis }] of outputs.entries()) {
    const own = batchAxis === null ? '' : (names.outputs[index]?.[batchAxis] ?? '');
    if (isVouched(name) || mayCountRows(own, batchNames)) continue;
    return `output ${name} counts "${own}", not the inputs' "${batchNames.join('", "')}"; ${vouchFor(name)}`;
  }
  return undefined;
}
