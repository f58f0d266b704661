import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import type { LaneTicket, TicketOutcome } from '../../../src/lanes/protocol.ts';
import type { ModelSpec } from '../../../src/model-spec.ts';
import { chooseProgram, createTask } from '../../../src/tasks/registry.ts';
import type { Item, Prepared, Reply, Task, TaskSource } from '../../../src/tasks/task.ts';
import type { Program } from '../../../src/programs/program.ts';
import { openProgram } from '../../../src/programs/programs.ts';
import { laneData, specOf } from '../../onnx/models.ts';

/** A text model's task and its program, as a server would join them, without threads. */
export interface EncoderBench {
  readonly task: Task;
  readonly program: Program;
  /** The replies' JSON, all items in one batch. */
  readonly answers: (items: readonly Item[]) => Promise<unknown[]>;
  readonly answer: (item: Item) => Promise<unknown>;
}

export type BenchSource = Pick<TaskSource, 'task' | 'folder' | 'files' | 'weights'> &
  Partial<Pick<TaskSource, 'options' | 'labels'>> &
  Pick<ModelSpec, 'dynamicQuantisation'>;

export async function openBench(
  t: TestContext,
  { dynamicQuantisation, ...source }: BenchSource,
): Promise<EncoderBench> {
  const base = { key: 'test/1#1', model: 'test', options: {}, ...source };
  const chosen = await chooseProgram(base);
  if (chosen === undefined) throw new Error(`${source.task} has no program for this model`);
  const program = await openProgram(
    specOf(source.weights, { program: chosen, ...(dynamicQuantisation === undefined ? {} : { dynamicQuantisation }) }),
    laneData(),
  );
  t.after(() => program.release());
  const { signature } = program.description;
  const task = await createTask({ ...base, signature });

  const run = async (prepared: readonly Prepared[]): Promise<readonly TicketOutcome[]> =>
    (await program.run(prepared.map((one, id) => ticketOf(program, one, id)))).outcomes;
  const answers = async (items: readonly Item[]): Promise<unknown[]> => {
    const prepared = await Promise.all(items.map(async (item) => task.prepare(item)));
    const outcomes = await run(prepared);
    return Promise.all(
      outcomes.map(async (outcome, index) => {
        if (!('outputs' in outcome)) throw new Error('message' in outcome ? outcome.message : 'not done');
        const named = signature.outputs.map(({ name }, at) => [name, outcome.outputs[at]] as const);
        const outputs = Object.fromEntries(
          named.flatMap(([name, tensor]) => (tensor === undefined ? [] : [[name, tensor]])),
        );
        return jsonOf(await task.finish(outputs, prepared[index]?.memo));
      }),
    );
  };
  return {
    task,
    program,
    answers,
    answer: async (item) => (await answers([item]))[0],
  };
}

export function ticketOf(program: Program, { inputs, parameters }: Prepared, id = 0): LaneTicket {
  const tensors = program.description.signature.inputs.map(({ name }) => inputs[name]);
  return { id, inputs: tensors.filter((tensor) => tensor !== undefined), parameters };
}

function jsonOf(reply: Reply): unknown {
  if ('json' in reply) return reply.json;
  throw new Error('the reply is not JSON');
}

export function json(value: unknown, parameters?: Record<string, unknown>): Item {
  return parameters === undefined ? { kind: 'json', value } : { kind: 'json', value, parameters };
}

/** Writes files to a temporary folder, removed after the test; returns their paths by role. */
export async function writeFiles(
  t: TestContext,
  contents: Readonly<Record<string, { readonly name: string; readonly content: unknown }>>,
): Promise<{ folder: string; files: Record<string, string> }> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-text-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const files: Record<string, string> = {};
  for (const [role, { name, content }] of Object.entries(contents)) {
    files[role] = path.join(folder, name);
    await writeFile(files[role], content instanceof Uint8Array ? content : JSON.stringify(content));
  }
  return { folder, files };
}
