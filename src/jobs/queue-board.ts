import { z } from 'zod';
import { DEFAULT_PRIORITY } from '../core/ticket.ts';
import { ServerError } from '../errors.ts';
import { digestOf } from './digest.ts';
import { JOB_STATUSES, type JobBoard, type JobFacts, type NewJob } from './job-board.ts';
import type { JobResult } from './result.ts';
import { jobData, webhookMessage, type WebhookMessage } from './webhooks/event.ts';

/** Takes jobs of clients into a queue that many servers share. */
export interface QueueBoard extends JobBoard {
  close(): Promise<void>;
}

/** Name of the API key that it came with. */
const OWNER = z.string().nullable().default(null);

/** What stands beside a job in its queue, if it has come by `POST /v1/jobs`. */
const FACTS = z.object({
  customId: z.string().nullable(),
  priority: z.int(),
  createdMs: z.number(),
  /** Of the message. */
  digest: z.string(),
  owner: OWNER,
  webhook: z.string().nullable(),
});

export type QueueFacts = Readonly<z.infer<typeof FACTS>>;

/** What is kept of such a job once it has ended. */
const END = FACTS.extend({ status: z.enum(JOB_STATUSES), attempts: z.int().nullable(), endedMs: z.number() });

export type QueueEnd = Readonly<z.infer<typeof END>>;

export function factsOf({ bytes, customId, priority = DEFAULT_PRIORITY, webhook, owner = null }: NewJob): QueueFacts {
  return { customId, priority, createdMs: Date.now(), digest: digestOf(bytes), webhook, owner };
}

/** Undefined if the text is none of ours: anyone who can write to the queue may have written it. */
export function readFacts(text: string | undefined): QueueFacts | undefined {
  return FACTS.safeParse(valueOf(text)).data;
}

export function readEnd(text: string | undefined): QueueEnd | undefined {
  return END.safeParse(valueOf(text)).data;
}

/** The end of a job whose result is stored. */
export function endOf(facts: QueueFacts, { kind }: Pick<JobResult, 'kind'>, attempts: number | null): QueueEnd {
  return { ...facts, status: kind === 'answered' ? 'completed' : 'failed', attempts, endedMs: Date.now() };
}

export function openJob(id: string, facts: QueueFacts, now: Pick<JobFacts, 'status' | 'attempts'>): JobFacts {
  const { customId, owner, priority, createdMs } = facts;
  return { id, customId, owner, priority, createdMs, endedMs: null, ...now };
}

export function endedJob(id: string, end: QueueEnd): JobFacts {
  const { customId, owner, priority, createdMs, status, attempts, endedMs } = end;
  return { id, customId, owner, status, attempts, priority, createdMs, endedMs };
}

/** What tells that a job was cancelled; undefined if nobody is to be told. */
export function cancelMessage(id: string, { customId, webhook }: QueueFacts): WebhookMessage | undefined {
  if (webhook === null) return undefined;
  return webhookMessage('job.cancelled', webhook, jobData({ id, customId, status: 'cancelled' }, undefined));
}

/** Throws INVALID_INPUT unless the job that has the key is the one that is sent. */
export function checkSame(id: string, digest: string, sent: string): void {
  if (digest === sent) return;
  throw new ServerError('INVALID_INPUT', `Another job has this key (custom_id or Idempotency-Key): ${id}.`);
}

export function tooLargeJob(limitBytes: number): ServerError {
  return new ServerError('TOO_LARGE', `The job does not fit into a message of the queue: ${limitBytes} bytes at most.`);
}

export function queueFull(): ServerError {
  const message = 'The queue of jobs is full (JOB_QUEUE_LIMIT, or the limits of the queue server).';
  return new ServerError('QUEUE_FULL', message, { retryAfterMs: 5000 });
}

/** A queue is read from one end by many, and tells neither its length by status nor what others do with it meanwhile. */
export function noList(): ServerError {
  return new ServerError(
    'BAD_REQUEST',
    'The jobs of a shared queue (JOB_SOURCE) cannot be listed: ask for each by the id that it was accepted with.',
  );
}

export function queueUnavailable(error: unknown): ServerError {
  if (error instanceof ServerError) return error;
  const message = 'The queue of jobs cannot be reached at the moment.';
  return new ServerError('STORAGE_UNAVAILABLE', message, { cause: error, retryAfterMs: 5000 });
}

function valueOf(text = ''): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
