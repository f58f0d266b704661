import { ServerError } from '../errors.ts';
import type { Item, Reading, Reply, ServeContext, Task } from './task.ts';

/** Whether an item is answered by the task's `serve`, not by `prepare` and `finish`. */
export function isServed({ serve, serves }: Task, item: Item): boolean {
  return serve !== undefined && (serves === undefined || serves(item));
}

/** `prepare` and `finish` of a task all of whose items are answered by `serve`. */
export function servedBy(task: string): { readonly prepare: () => never; readonly finish: () => never } {
  const unused = (): never => {
    throw new ServerError('INTERNAL', undefined, { cause: new Error(`${task} is served by \`serve\``) });
  };
  return { prepare: unused, finish: unused };
}

interface InTwoParts<Read> {
  /** Must be one of the task's calls, too, by the name `call`. */
  readonly read: Reading['read'];
  readonly call: string;
  readonly serve: (read: Read, context: ServeContext) => Promise<Reply>;
  readonly isLight: Task['isLight'];
}

/** How a task serves items that are read on the CPU pool, light ones on the main thread, before they are answered. */
export function servedInTwoParts<Read>({
  read,
  call,
  serve,
  isLight,
}: InTwoParts<Read>): Required<Pick<Task, 'serve' | 'reading'>> {
  return {
    serve: async (item, context) => serve((await context.call(call, item, { light: isLight(item) })) as Read, context),
    reading: { read, serve },
  };
}
