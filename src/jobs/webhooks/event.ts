import { randomBytes } from 'node:crypto';

/** What is told of. Batches have the names that OpenAI gives them. */
export type EventType =
  | 'job.completed'
  | 'job.failed'
  | 'job.cancelled'
  | 'batch.completed'
  | 'batch.failed'
  | 'batch.expired'
  | 'batch.cancelled';

/** A message that is to be sent to a URL. */
export interface WebhookMessage {
  /** The same with each try, so that a receiver can tell a repeated message. */
  readonly id: string;
  readonly url: string;
  /** JSON. */
  readonly body: string;
  readonly createdMs: number;
  /** Tries that have failed. */
  readonly failures: number;
}

/** A larger result is fetched by its id. */
const MOST_RESULT_BYTES = 64 * 1024;

/**
 * A message in the shape of OpenAI's events, which its clients unwrap, with the `timestamp` of Standard Webhooks. `data` is the text of a JSON value.
 * https://platform.openai.com/docs/api-reference/webhook-events, https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export function webhookMessage(type: EventType, url: string, data: string, nowMs = Date.now()): WebhookMessage {
  const id = `evt_${randomBytes(16).toString('hex')}`;
  const created_at = Math.floor(nowMs / 1000);
  const head = JSON.stringify({ id, object: 'event', type, created_at, timestamp: new Date(nowMs).toISOString() });
  return { id, url, body: `${head.slice(0, -1)},"data":${data}}`, createdMs: nowMs, failures: 0 };
}

/** A job that has ended, with its result unless that is large or there is none. */
export function jobData(
  job: { readonly id: string | null; readonly customId: string | null; readonly status: string },
  line: Uint8Array | undefined,
): string {
  const head = JSON.stringify({ id: job.id, custom_id: job.customId, status: job.status });
  const isTold = line !== undefined && line.byteLength <= MOST_RESULT_BYTES;
  return `${head.slice(0, -1)},"result":${isTold ? Buffer.from(line).toString() : 'null'}}`;
}
