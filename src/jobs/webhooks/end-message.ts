import { WEBHOOK } from '../job.ts';
import { jsonMembers } from '../../json-members.ts';
import type { JobResult } from '../result.ts';
import type { ClaimedJob } from '../source.ts';
import { jobData, webhookMessage, type WebhookMessage } from './event.ts';

/** What tells of the end of a job of a queue; undefined if nobody is to be told, or it is to be tried again. */
export function endMessageOf(
  { bytes, jobId, isLast = true }: ClaimedJob,
  { kind, line }: JobResult,
): WebhookMessage | undefined {
  if (kind === 'unreadable' || (kind === 'failed' && !isLast)) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Looking for the members of a large body takes longer, and few jobs have this one.
  const members = text.includes('"webhook"') ? jsonMembers(bytes) : undefined;
  const valueOf = (name: string): unknown => {
    const { start = 0, end = 0 } = members?.get(name) ?? {};
    return start === end ? undefined : JSON.parse(text.toString('utf8', start, end));
  };
  try {
    const webhook = WEBHOOK.safeParse(valueOf('webhook'));
    if (!webhook.success) return undefined;
    const name = valueOf('custom_id');
    const customId = typeof name === 'string' ? name : null;
    const status = kind === 'answered' ? 'completed' : 'failed';
    return webhookMessage(`job.${status}`, webhook.data, jobData({ id: jobId ?? null, customId, status }, line));
  } catch {
    // A message in another shape, which was turned into a job elsewhere.
    return undefined;
  }
}
