import { isAbsolute } from 'node:path';
import type { CreateTask, Task, TaskSource } from './task.ts';

/** The built-in tasks. Each is loaded when a model asks for it, because every thread that runs tasks loads its own. */
const TASKS: Readonly<Record<string, () => Promise<CreateTask>>> = {
  tensors: async () => (await import('./tensors.ts')).createTensorsTask,
  'text-classification': async () => (await import('./text-classification.ts')).createTextClassificationTask,
  'image-to-image': async () => (await import('./image-to-image.ts')).createImageToImageTask,
};

/** What `task` of model.json may say, besides the path of a module. */
export const taskNames: readonly string[] = Object.keys(TASKS);

/** The task of a model: a built-in one by name, or the user's own by the absolute path of its module. Throws a plain Error saying what is wrong. */
export async function createTask(source: TaskSource): Promise<Task> {
  if (isAbsolute(source.task)) return (await import('./custom.ts')).createCustomTask(source);
  const load = Object.hasOwn(TASKS, source.task) ? TASKS[source.task] : undefined;
  if (load === undefined) throw new Error(`unknown task "${source.task}"; there are ${taskNames.join(', ')}`);
  return (await load())(source);
}
