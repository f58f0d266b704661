import { readFile } from 'node:fs/promises';
import type { CpuPool } from '../cpu/pool.ts';
import { tensorFromBinary } from '../dialects/oip/binary.ts';
import { messageOf, ServerError } from '../errors.ts';
import type { PlannedLane } from '../lanes/plan.ts';
import type { ModelSpec } from '../model-spec.ts';
import type { ModelSource } from '../repository/source.ts';
import { createTask } from '../tasks/registry.ts';
import type { Item, Prepared, TaskSource } from '../tasks/task.ts';
import { elementCount, oneByOne, type Signature, type Tensor } from '../tensors/tensor.ts';
import type { TrialProcess } from '../trial/trial-process.ts';
import type { AloneLog } from './alone-log.ts';
import { bytesBeside } from './model-files.ts';
import type { ServedGraph } from './served-model.ts';
import type { Tried, TrialMemory } from './trial-memory.ts';

export interface TrialParts {
  readonly trials: Pick<TrialProcess, 'open'>;
  readonly cpu: Pick<CpuPool, 'run'>;
  readonly alone: Pick<AloneLog, 'tell' | 'tellTensors'>;
  /** Absent: each load tries the graph. */
  readonly memory?: TrialMemory;
}

/** A graph to be tried, and the lane that it is for. */
export interface GraphToTry {
  readonly spec: ModelSpec;
  readonly source: ModelSource;
  readonly taskSource: Omit<TaskSource, 'signature'>;
  readonly lane: PlannedLane;
  /** Of a program's graph: the signature that the program gives. The example then is for the program, not for the graph. */
  readonly given?: Signature | undefined;
  /** The state of its files. */
  readonly stamp: string;
}

/**
 * Runs a graph in another process, to find out how its rows can be stacked and with which row a lane can be warmed. If the process is lost, the graph's
 * rows run one by one. Throws a plain Error if the graph cannot be opened, or its example not be prepared.
 */
export async function tryGraph(graph: GraphToTry, parts: TrialParts): Promise<Tried> {
  const { memory } = parts;
  if (memory === undefined) return (await tryOnce(graph, parts)).tried;
  const { spec, source, lane, given, stamp } = graph;
  const { fingerprint, manifest } = source;
  const key = JSON.stringify([stamp, fingerprint, manifest, { ...spec, key: '' }, lane, given]);
  return memory.remember(key, () => tryOnce(graph, parts));
}

async function tryOnce(
  { spec, source, taskSource, lane, given }: GraphToTry,
  { trials, cpu, alone }: TrialParts,
): Promise<{ readonly tried: Tried; readonly isLost: boolean }> {
  const file = { model: spec, lane, bytes: await bytesBeside(spec.weights) };
  return trials.open(file, async (trial) => {
    const signature = given ?? trial.signature;
    const example = given === undefined ? await prepareExample(source, { ...taskSource, signature }, cpu) : undefined;
    const row = example === undefined ? await sampleRow(source, signature, given) : rowOf(signature, example);
    const tried = await trial.try(row);
    // Rows are also made up from an example, so what was too slow, or ended the process, need not be what clients send.
    const inputs = row === undefined ? 'made-up inputs' : 'inputs made from its example';
    const why = tried.kind === 'lost' ? `the trial with ${inputs}: ${tried.why}` : tried.why;
    if (why !== undefined && given === undefined) alone.tell(source.name, why);
    else if (why !== undefined) alone.tellTensors(source.name, why);
    const cost = example?.cost ?? 1;
    if (tried.kind === 'lost') return { tried: { signature: oneByOne(signature), cost }, isLost: true };
    const whole = { ...tried, signature: { ...tried.signature, empties: await trial.empties() }, cost };
    return { tried: whole, isLost: false };
  });
}

/** How elements of a graph's inputs are counted as cost. */
export function sizesIn(tried: Tried | undefined): Pick<ServedGraph, 'elementsPerCost' | 'bytesPerElement'> {
  if (tried?.row === undefined) return { elementsPerCost: 1, bytesPerElement: undefined };
  const elements = tried.row.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  return { elementsPerCost: Math.max(1, elements) / tried.cost, bytesPerElement: tried.bytesPerElement };
}

/** The model's example, prepared, or one that its task makes up: a row with real shapes and values for the trial and the warm-up. */
async function prepareExample(
  source: ModelSource,
  taskSource: TaskSource,
  cpu: Pick<CpuPool, 'run'>,
): Promise<Prepared | undefined> {
  const item = await exampleItem(source);
  if (item === undefined) return (await createTask(taskSource)).example?.();
  try {
    const task = await createTask(taskSource);
    // What is served needs a lane, which there is not yet.
    if (task.serve !== undefined && task.serves?.(item) !== false) return task.example?.();
    if (task.isLight(item)) return await task.prepare(item);
    const job = { kind: 'call' as const, source: taskSource, name: 'prepare', argument: item };
    return (await cpu.run(job, { limitMs: source.manifest.runLimitMs })) as Prepared;
  } catch (error) {
    const why = error instanceof ServerError && error.cause instanceof Error ? error.cause.message : messageOf(error);
    throw new Error(`its example cannot be prepared: ${why}`, { cause: error });
  }
}

/** The example of model.json as a client would send it. */
export async function exampleItem({ example }: Pick<ModelSource, 'example'>): Promise<Item | undefined> {
  if (example === undefined) return undefined;
  if ('file' in example) {
    const bytes = new Uint8Array(await readFile(example.file));
    return { kind: 'raw', contentType: example.contentType, bytes };
  }
  const { data: value, parameters } = example;
  return { kind: 'json', value, ...(parameters === undefined ? {} : { parameters }) };
}

/** The row that files of raw contents give; undefined where there are none, or not for each input. Throws a plain Error if one is of the wrong size. */
async function sampleRow(
  { sampleFiles }: ModelSource,
  { inputs }: Signature,
  given: Signature | undefined,
): Promise<Tensor[] | undefined> {
  if (sampleFiles === undefined || given !== undefined) return undefined;
  const row: Tensor[] = [];
  for (const { name, datatype, exampleShape: shape } of inputs) {
    const file = sampleFiles[name];
    if (file === undefined || shape === undefined) return undefined;
    try {
      row.push(tensorFromBinary({ name, datatype, shape }, new Uint8Array(await readFile(file))));
    } catch (error) {
      throw new Error(`its warm-up sample: ${messageOf(error)}`, { cause: error });
    }
  }
  return row;
}

function rowOf(signature: Signature, { inputs }: Prepared): Tensor[] {
  return signature.inputs.map(({ name }) => {
    const tensor = inputs[name];
    if (tensor === undefined) throw new Error(`the task prepared no input ${name}`);
    return tensor;
  });
}
