import { readFile } from 'node:fs/promises';
import { InferenceSession } from 'onnxruntime-node';
import { readSignature } from '../../../src/onnx/signature.ts';
import { openFolder } from '../../../src/repository/scan.ts';
import { readModelSource } from '../../../src/repository/source.ts';
import { createTask } from '../../../src/tasks/registry.ts';
import type { Item, Task } from '../../../src/tasks/task.ts';
import { answer, jsonOf, pathOf } from '../support.ts';

/** Tiny models made by tools/vision-reference, and what Python's transformers computes with them. */

export const REFERENCE = pathOf('test/tasks/image/reference');

export interface ReferenceModel {
  readonly task: Task;
  readonly session: InferenceSession;
  readonly taskName: string;
  readonly expected: Readonly<Record<string, unknown>>;
  /** The reply, as JSON, to the picture. */
  readonly answer: (parameters?: Readonly<Record<string, unknown>>) => Promise<unknown>;
}

export async function picture(parameters?: Readonly<Record<string, unknown>>): Promise<Item> {
  const bytes = new Uint8Array(await readFile(`${REFERENCE}/picture.png`));
  return { kind: 'raw', contentType: 'image/png', bytes, ...(parameters === undefined ? {} : { parameters }) };
}

/** The folder as the server reads it, on a session of one thread. */
export async function openReference(
  name: string,
  options: Readonly<Record<string, unknown>> = {},
): Promise<ReferenceModel> {
  const folder = await openFolder(`${REFERENCE}/${name}`, name);
  const source = await readModelSource(folder, 1, [{ label: 'test', value: { options } }]);
  const session = await InferenceSession.create(source.weights, { intraOpNumThreads: 1 });
  const { files, weights, labels, manifest } = source;
  const model = { key: name, model: name, task: source.task, folder: source.folder, files, weights };
  const signature = readSignature(session, { key: name, weights, session: {}, inputs: [], outputs: [] });
  const task = await createTask({
    ...model,
    signature,
    options: manifest.options,
    ...(labels === undefined ? {} : { labels }),
  });
  const expected = JSON.parse(
    await readFile(`${REFERENCE}/${name}/expected.json`, 'utf8'),
  ) as ReferenceModel['expected'];
  return {
    task,
    session,
    taskName: source.task,
    expected,
    answer: async (parameters) => jsonOf(await answer({ task, session }, await picture(parameters))),
  };
}

/** Relative error of a vector: the distance to the reference, as a part of its length. */
export function relativeError(values: readonly number[], expected: readonly number[]): number {
  const length = (list: readonly number[]): number => Math.sqrt(list.reduce((sum, value) => sum + value * value, 0));
  return length(expected.map((value, at) => value - (values[at] ?? NaN))) / length(expected);
}
