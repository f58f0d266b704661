import type { Item, Task } from './task.ts';

/** Whether an item is answered by the task's `serve`, not by `prepare` and `finish`. */
export function isServed({ serve, serves }: Task, item: Item): boolean {
  return serve !== undefined && (serves === undefined || serves(item));
}
