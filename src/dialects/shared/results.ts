import { ServerError, toServerError } from '../../errors.ts';
import type { Outputs, Reply, Task } from '../../tasks/task.ts';

/** The result of one item of a request. */
export type ItemResult =
  { readonly ok: true; readonly reply: Reply } | { readonly ok: false; readonly error: ServerError };

/** The result of an item that has run: the task's reply, or the error that its `finish` throws. */
export async function finishItem(task: Task, outputs: Outputs, memo: unknown): Promise<ItemResult> {
  try {
    return { ok: true, reply: await task.finish(outputs, memo) };
  } catch (thrown) {
    return { ok: false, error: toServerError(thrown) };
  }
}

/**
 * The replies of a request whose dialect has no errors for single items. Throws the error of the first item that failed; if `field` names the list
 * of the items, the error names the item in it.
 */
export function allReplies(results: readonly ItemResult[], field?: string): Reply[] {
  return results.map((result, index) => {
    if (result.ok) return result.reply;
    const { error } = result;
    if (field === undefined || error.status >= 429 || error.code === 'REQUEST_TIMEOUT') throw error;
    // Another field is at fault, for all items alike.
    if (error.param !== undefined && error.param !== field) throw error;
    const param = `${field}[${index}]`;
    throw new ServerError(error.code, `${param}: ${error.message}`, { param, cause: error });
  });
}
