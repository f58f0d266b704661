import { ServerError } from '../errors.ts';
import type { Item, Task } from './task.ts';

/** Whether an item is answered by the task's `serve`, not by `prepare` and `finish`. */
export function isServed({ serve, serves }: Task, item: Item): boolean {
  return serve !== undefined && (serves === undefined || serves(item));
}

/** For `prepare` and `finish` of a task all of whose items are answered by `serve`. */
export function servedBy(task: string): () => never {
  return () => {
    throw new ServerError('INTERNAL', undefined, { cause: new Error(`${task} is served by \`serve\``) });
  };
}
