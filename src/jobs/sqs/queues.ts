import type { SQS } from '@aws-sdk/client-sqs';
import { z } from 'zod';
import { messageOf } from '../../errors.ts';
import { cureOf, refusedBy, unreachable } from '../unreachable.ts';
import { CURES, isUrl, serverOf, within } from './client.ts';
import { isAnswer } from './errors.ts';

/** A queue as SQS describes it. */
export interface Queue {
  readonly url: string;
  readonly name: string;
  readonly isFifo: boolean;
  /** Largest message with its attributes. */
  readonly limitBytes: number;
  /** What SQS does with messages that come again and again. */
  readonly redrive: Redrive | undefined;
}

export interface Redrive {
  /** URL of the dead-letter queue. */
  readonly url: string;
  /** A message that was received so often goes there instead of being received once more. */
  readonly maxReceives: number;
}

const OPEN_LIMIT_MS = 20_000;
/** The largest that a queue can be set to. */
const LARGEST_MESSAGE_BYTES = 1_048_576;

const POLICY = z.object({ deadLetterTargetArn: z.string(), maxReceiveCount: z.coerce.number() });

/** Looks up a queue by its name or URL. Rejects with its name if it is not there, or may not be used. */
export async function findQueue(sqs: SQS, queue: string): Promise<Queue> {
  try {
    return await lookUp(sqs, queue);
  } catch (error) {
    const told = new Error(`queue ${queue}: ${messageOf(error)}`, { cause: error });
    const server = serverOf(sqs);
    if (server !== undefined) return (isAnswer(error) ? refusedBy(server) : unreachable(server))(told);
    const cure = cureOf(error, CURES);
    throw cure === undefined ? told : new Error(`${told.message.replace(/\.$/, '')}. ${cure}`, { cause: error });
  }
}

async function lookUp(sqs: SQS, queue: string): Promise<Queue> {
  const url = isUrl(queue) ? queue : await urlOf(sqs, queue);
  const { Attributes: attributes = {} } = await within(OPEN_LIMIT_MS, (options) =>
    sqs.getQueueAttributes({ QueueUrl: url, AttributeNames: ['All'] }, options),
  );
  const name = new URL(url).pathname.split('/').at(-1) ?? '';
  return {
    url,
    name,
    // Only these may and must be called so.
    isFifo: name.endsWith('.fifo'),
    limitBytes: Number(attributes['MaximumMessageSize'] ?? LARGEST_MESSAGE_BYTES),
    redrive: redriveOf(url, attributes['RedrivePolicy']),
  };
}

async function urlOf(sqs: SQS, name: string): Promise<string> {
  const { QueueUrl: url } = await within(OPEN_LIMIT_MS, (options) => sqs.getQueueUrl({ QueueName: name }, options));
  if (url === undefined) throw new Error(`SQS has no URL for the queue ${name}`);
  return url;
}

/** A dead-letter queue has the account and the region of its queue, so its URL differs only in the name. */
function redriveOf(url: string, policy: string | undefined): Redrive | undefined {
  if (policy === undefined || policy === '') return undefined;
  const { deadLetterTargetArn: arn, maxReceiveCount: maxReceives } = POLICY.parse(JSON.parse(policy));
  return { url: new URL(arn.slice(arn.lastIndexOf(':') + 1), url).href, maxReceives };
}
