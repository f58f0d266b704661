import { ServerError } from '../../errors.ts';
import type { Reply } from '../../tasks/task.ts';

/** The value of a JSON reply. Throws INTERNAL for bytes. */
export function replyJson(reply: Reply): unknown {
  if ('json' in reply) return reply.json;
  throw new ServerError('INTERNAL', undefined, { cause: new Error('the task gave bytes, not JSON') });
}
