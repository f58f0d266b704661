import { randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { DEFAULT_PRIORITY } from '../core/ticket.ts';
import { ServerError } from '../errors.ts';
import { digestOf } from './digest.ts';
import { JOB_STATUSES, noJob, type JobBoard, type JobFacts, type NewJob } from './job-board.ts';
import type { JobResult } from './result.ts';
import { jobData, webhookMessage, type WebhookMessage } from './webhooks/event.ts';

/** Takes jobs of clients into a queue that many servers share. */
export interface QueueBoard extends JobBoard {
  close(): Promise<void>;
}

/**
 * A job is asked for by the id of its message and a secret that stands beside it there. Ids of messages are counted up, so whoever may send jobs could otherwise guess those of others,
 * where there are no API keys to tell senders apart.
 */
const SECRET_BYTES = 16;
const JOB_ID = /^(.{1,50})-([\da-f]{32})$/;

/** Name of the API key that it came with. */
const OWNER = z.string().nullable().default(null);

/** What stands beside a job in its queue, if it has come by `POST /v1/jobs`. */
const FACTS = z.object({
  customId: z.string().nullable(),
  priority: z.int(),
  createdMs: z.number(),
  /** Of the message. */
  digest: z.string(),
  secret: z.string().length(2 * SECRET_BYTES),
  owner: OWNER,
  webhook: z.string().nullable(),
});

export type QueueFacts = Readonly<z.infer<typeof FACTS>>;

/** What is kept of such a job once it has ended. */
const END = FACTS.extend({ status: z.enum(JOB_STATUSES), attempts: z.int().nullable(), endedMs: z.number() });

export type QueueEnd = Readonly<z.infer<typeof END>>;

export function factsOf({ bytes, customId, priority = DEFAULT_PRIORITY, webhook, owner = null }: NewJob): QueueFacts {
  const secret = randomBytes(SECRET_BYTES).toString('hex');
  return { customId, priority, createdMs: Date.now(), digest: digestOf(bytes), secret, webhook, owner };
}

/** What a client calls the job of a message; a message that somebody else has sent has no secret. */
export function jobIdOf(messageId: string, facts: Pick<QueueFacts, 'secret'> | undefined): string {
  return facts === undefined ? messageId : `${messageId}-${facts.secret}`;
}

/** The id of the message in that of a job; undefined if it is the id of no job. */
export function messageIdIn(jobId: string): string | undefined {
  return JOB_ID.exec(jobId)?.[1];
}

/** The id of the message in that of a job. Throws NOT_FOUND. */
export function messageIdOf(jobId: string): string {
  const id = messageIdIn(jobId);
  if (id === undefined) throw noJob(jobId);
  return id;
}

/** Throws NOT_FOUND unless the id of a job ends with the secret of the message that it leads to. */
export function checkSecret(jobId: string, { secret }: Pick<QueueFacts, 'secret'>): void {
  const given = Buffer.from(jobId.slice(-secret.length));
  const known = Buffer.from(secret);
  if (given.length !== known.length || !timingSafeEqual(given, known)) throw noJob(jobId);
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

export function openJob(messageId: string, facts: QueueFacts, now: Pick<JobFacts, 'status' | 'attempts'>): JobFacts {
  const { customId, owner, priority, createdMs } = facts;
  const id = jobIdOf(messageId, facts);
  return { id, customId, owner, priority, createdMs, endedMs: null, ...now };
}

export function endedJob(messageId: string, end: QueueEnd): JobFacts {
  const { customId, owner, priority, createdMs, status, attempts, endedMs } = end;
  const id = jobIdOf(messageId, end);
  return { id, customId, owner, status, attempts, priority, createdMs, endedMs };
}

/** What tells that a job was cancelled; undefined if nobody is to be told. */
export function cancelMessage(messageId: string, facts: QueueFacts): WebhookMessage | undefined {
  const { customId, webhook } = facts;
  if (webhook === null) return undefined;
  const id = jobIdOf(messageId, facts);
  return webhookMessage('job.cancelled', webhook, jobData({ id, customId, status: 'cancelled' }, undefined));
}

/** Throws INVALID_INPUT unless the job that has the key is the one that is sent. Its id is not told: it may be somebody else's. */
export function checkSame(digest: string, sent: string): void {
  if (digest === sent) return;
  throw new ServerError('INVALID_INPUT', 'Another job has this key (custom_id or Idempotency-Key): choose a new one.');
}

export function tooLargeJob(limitBytes: number): ServerError {
  return new ServerError('TOO_LARGE', `The job does not fit into a message of the queue: ${limitBytes} bytes at most.`);
}

export function queueFull(): ServerError {
  const message = 'The queue of jobs is full (JOB_QUEUE_LIMIT, or the limits of the queue server).';
  return new ServerError('QUEUE_FULL', message, { retryAfterMs: 5000 });
}

/** Ids are secrets: whoever has that of a job may see its result and cancel it. */
export function noListWithoutKey(): ServerError {
  return new ServerError(
    'BAD_REQUEST',
    'The jobs of a shared queue (JOB_SOURCE) are listed only where there are API keys (API_KEYS, API_KEYS_FILE), for each key its own: without keys everybody would get the ids of all. Ask for each job by the id that it was accepted with.',
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
