import type { Message, MessageAttributeValue, SendMessageBatchRequestEntry } from '@aws-sdk/client-sqs';
import { Cancellation } from '../../serving/cancellation.ts';
import type { JobResult } from '../result.ts';
import type { ClaimedJob } from '../source.ts';
import type { Queue } from './queues.ts';

/** A message that is this server's until its visibility timeout ends. */
export interface SqsJob extends ClaimedJob {
  /** Of the message, the same at each delivery. */
  readonly id: string;
  /** Names this delivery. */
  readonly receipt: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, MessageAttributeValue>>;
  /** How often it has been received, this time and the times that it was given back included. */
  readonly deliveries: number;
  readonly group: string | undefined;
  /** At the latest then its 12 hours began. */
  readonly claimedAtMs: number;
  readonly cancellation: Cancellation;
  /** Ends the wait of the next job of its group, which goes back if this one did. */
  readonly leave: (isGone: boolean) => void;
}

/** A message to a queue. */
export type Outgoing = Omit<SendMessageBatchRequestEntry, 'Id'>;

type Attributes = Readonly<Record<string, MessageAttributeValue>>;

/** A message has at most ten attributes. */
const MOST_ATTRIBUTES = 10;

/**
 * The jobs of one call. Those of a group stand in the order in which they were sent, and each waits for the one before it: no other server has one of the
 * group meanwhile. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html
 */
export function jobsOf(messages: readonly Message[], { isFifo }: Pick<Queue, 'isFifo'>, claimedAtMs: number): SqsJob[] {
  const last = new Map<string, Promise<boolean>>();
  return messages.flatMap((message) => {
    const job = jobOf(message, claimedAtMs);
    if (job === undefined || !isFifo) return job ?? [];
    const group = job.group ?? '';
    const turn = last.get(group);
    let leave = job.leave;
    last.set(group, new Promise((resolve) => (leave = resolve)));
    return { ...job, leave, ...(turn === undefined ? {} : { turn }) };
  });
}

function jobOf(message: Message, claimedAtMs: number): SqsJob | undefined {
  const { MessageId: id, ReceiptHandle: receipt, Body: body, Attributes: facts = {} } = message;
  if (id === undefined || receipt === undefined || body === undefined) return undefined;
  return {
    ...{ id, receipt, body, claimedAtMs },
    bytes: Buffer.from(body),
    defaultId: id,
    place: `message ${id}`,
    attributes: message.MessageAttributes ?? {},
    deliveries: Number(facts.ApproximateReceiveCount ?? 1),
    group: facts.MessageGroupId,
    sentAtMs: Number(facts.SentTimestamp ?? claimedAtMs),
    cancellation: new Cancellation(),
    leave: () => undefined,
  };
}

/** The result of a job as a message. A FIFO queue takes that of a job once in five minutes. One that is too large is replaced by an error that says so. */
export function resultMessage(job: SqsJob, { line }: JobResult, queue: Queue): Outgoing {
  const attributes = { JobId: ofText(job.id) };
  const text = textOf(line);
  const bytes = sizeOf(text, attributes);
  return messageOf(job, queue, bytes > queue.limitBytes ? tooLarge(text, bytes, queue) : text, attributes);
}

/**
 * A job that cannot be served, with the reason in the attribute `Result`, as far as there is room: the dead-letter queue takes a message as large as the
 * queue of jobs does.
 */
export function deadLetter(job: SqsJob, { line }: JobResult, queue: Queue): Outgoing {
  const own = { JobId: ofText(job.id), Deliveries: ofText(String(job.deliveries)), Result: ofText(textOf(line)) };
  const kept = Object.entries(job.attributes).filter(([name]) => !Object.hasOwn(own, name));
  const sent = Object.fromEntries(kept.slice(0, MOST_ATTRIBUTES - Object.keys(own).length));
  const whole = { ...sent, ...own };
  return messageOf(job, queue, job.body, sizeOf(job.body, whole) > queue.limitBytes ? job.attributes : whole);
}

function messageOf(job: SqsJob, { isFifo }: Queue, text: string, attributes: Attributes): Outgoing {
  return {
    ...{ MessageBody: text, MessageAttributes: attributes },
    ...(isFifo ? { MessageGroupId: job.group ?? job.id, MessageDeduplicationId: job.id } : {}),
  };
}

function tooLarge(text: string, bytes: number, { name, limitBytes }: Queue): string {
  const { id, custom_id } = JSON.parse(text) as { readonly id: unknown; readonly custom_id: unknown };
  const message = `The result has ${bytes} bytes, more than the ${limitBytes} that the queue ${name} takes: give such jobs an output.`;
  return JSON.stringify({ id, custom_id, response: null, error: { code: 'result_too_large', message } });
}

/** SQS takes no U+FFFE and U+FFFF, which in JSON stand in strings alone. */
function textOf(line: Uint8Array): string {
  return Buffer.from(line)
    .toString()
    .replaceAll('\uFFFE', String.raw`\ufffe`)
    .replaceAll('\uFFFF', String.raw`\uffff`);
}

function ofText(text: string): MessageAttributeValue {
  return { DataType: 'String', StringValue: text };
}

/** As SQS counts it. */
export function bytesOf({ MessageBody: text = '', MessageAttributes: attributes = {} }: Outgoing): number {
  return sizeOf(text, attributes);
}

/** The body, and names, types and values of the attributes. */
function sizeOf(text: string, attributes: Attributes): number {
  let bytes = Buffer.byteLength(text);
  for (const [name, { DataType: type = '', StringValue: value = '', BinaryValue: binary }] of Object.entries(
    attributes,
  ))
    bytes += Buffer.byteLength(name) + Buffer.byteLength(type) + (binary?.length ?? Buffer.byteLength(value));
  return bytes;
}
