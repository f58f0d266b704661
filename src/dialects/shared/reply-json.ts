import { ServerError } from '../../errors.ts';
import type { Reply } from '../../tasks/task.ts';

/** Bytes of a reply as base64, for answers in JSON. */
export function base64Of({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength).toString('base64');
}

/** The value of a JSON reply. Throws INTERNAL for bytes. */
export function replyJson(reply: Reply): unknown {
  if ('json' in reply) return reply.json;
  throw new ServerError('INTERNAL', undefined, { cause: new Error('the task gave bytes, not JSON') });
}
