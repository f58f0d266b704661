import { ServerError } from '../../errors.ts';
import type { Reply } from '../../tasks/task.ts';

/** What became of one item of a request. */
export type ItemResult =
  { readonly ok: true; readonly reply: Reply } | { readonly ok: false; readonly error: ServerError };

/**
 * The replies of a request that has no errors of its own for single items: the first that failed stands for the whole, and says which it
 * was where `field` names the list they came in.
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
