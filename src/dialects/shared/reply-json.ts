import { ServerError } from '../../errors.ts';
import type { Reply } from '../../tasks/task.ts';

const decoder = new TextDecoder();

/** The value of a JSON reply. For small ones only, since text from other threads is parsed. Throws INTERNAL for bytes. */
export function replyJson(reply: Reply): unknown {
  if ('json' in reply) return reply.json;
  if ('jsonText' in reply) return JSON.parse(decoder.decode(reply.jsonText));
  throw new ServerError('INTERNAL', undefined, { cause: new Error('the task gave bytes, not JSON') });
}
