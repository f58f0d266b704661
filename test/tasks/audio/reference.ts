import { readFile } from 'node:fs/promises';
import type { ModelSpec } from '../../../src/model-spec.ts';
import type { Program } from '../../../src/programs/program.ts';
import { openProgram } from '../../../src/programs/programs.ts';
import { openFolder } from '../../../src/repository/scan.ts';
import { readModelSource } from '../../../src/repository/source.ts';
import { chooseProgram, createTask } from '../../../src/tasks/registry.ts';
import type { Item, Task } from '../../../src/tasks/task.ts';
import { jsonOf, pathOf } from '../support.ts';
import { contextOn, LANE, samplesOf, SmallLane, wavOf } from '../transcription/support.ts';

/** Tiny models made by tools/audio-reference, and what Python's transformers computes with them. */

const REFERENCE = pathOf('test/tasks/audio/reference');

export interface ReferenceModel {
  readonly task: Task;
  readonly taskName: string;
  readonly lane: SmallLane;
  readonly program: Program;
  readonly expected: Readonly<Record<string, unknown>>;
  /** The reply, as JSON, to an item. */
  readonly answer: (item: Item) => Promise<unknown>;
}

/** The sound, or the first so many samples of it. */
export async function sound(samples?: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(await readFile(`${REFERENCE}/sound.wav`));
  return samples === undefined ? bytes : wavOf(samplesOf(bytes).slice(0, samples));
}

export function wav(bytes: Uint8Array, parameters?: Readonly<Record<string, unknown>>): Item {
  return { kind: 'raw', contentType: 'audio/wav', bytes, ...(parameters === undefined ? {} : { parameters }) };
}

/** The folder as the server reads it, on one lane and this thread. The caller releases the program. */
export async function openReference(
  name: string,
  options: Readonly<Record<string, unknown>> = {},
): Promise<ReferenceModel> {
  const folder = await openFolder(`${REFERENCE}/${name}`, name);
  const source = await readModelSource(folder, 1, [{ label: 'test', value: { options } }]);
  const { files, weights, labels, task: taskName } = source;
  const unsigned = {
    ...{ key: name, model: name, task: taskName, folder: source.folder, files, weights },
    options: source.manifest.options,
    ...(labels === undefined ? {} : { labels }),
  };
  const chosen = await chooseProgram(unsigned);
  const spec: ModelSpec = {
    ...{ key: name, weights, session: {}, inputs: [], outputs: [] },
    ...(chosen === undefined ? {} : { program: chosen }),
  };
  const program = await openProgram(spec, LANE);
  const task = await createTask({ ...unsigned, signature: program.description.signature });
  const lane = new SmallLane(program);
  const expected = JSON.parse(
    await readFile(`${REFERENCE}/${name}/expected.json`, 'utf8'),
  ) as ReferenceModel['expected'];
  return {
    ...{ task, taskName, lane, program, expected },
    answer: async (item) => {
      const reply = await task.serve?.(
        item,
        // One after another: this lane knows no buckets.
        contextOn(lane, () => task, 1),
      );
      if (reply === undefined) throw new Error('the task serves nothing');
      return jsonOf(reply);
    },
  };
}
