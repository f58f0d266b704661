import type { Message, SQS } from '@aws-sdk/client-sqs';
import { within } from './client.ts';
import { Gathered } from './gathered.ts';
import { bytesOf, type Outgoing } from './messages.ts';
import type { Queue } from './queues.ts';

export interface Queues {
  readonly jobs: Queue;
  readonly results: Queue;
  readonly dead: Queue | undefined;
}

export interface Receipt {
  readonly receipt: string;
}

interface Receive {
  /** Up to 10. */
  readonly most: number;
  readonly waitMs: number;
  readonly visibilityMs: number;
  /** The same as of a call whose answer was lost brings the same messages; FIFO queues alone. */
  readonly attempt: string;
}

/** Requests about the messages of some queues, each with a limit on its time. */
export class Calls {
  readonly #sqs: SQS;
  readonly #queues: Queues;
  readonly #limitMs: number;
  readonly #visibilities: Gathered<{ ReceiptHandle: string; VisibilityTimeout: number }>;
  readonly #deletions: Gathered<{ ReceiptHandle: string }>;
  readonly #results: Gathered<Outgoing>;
  readonly #deadLetters: Gathered<Outgoing>;

  constructor(sqs: SQS, queues: Queues, limitMs: number) {
    this.#sqs = sqs;
    this.#queues = queues;
    this.#limitMs = limitMs;
    const { jobs, results, dead = results } = queues;
    this.#visibilities = new Gathered((Entries) =>
      within(limitMs, (call) => sqs.changeMessageVisibilityBatch({ QueueUrl: jobs.url, Entries }, call)),
    );
    this.#deletions = new Gathered((Entries) =>
      within(limitMs, (call) => sqs.deleteMessageBatch({ QueueUrl: jobs.url, Entries }, call)),
    );
    const messagesTo = ({ url }: Queue) =>
      new Gathered<Outgoing>((Entries) =>
        within(limitMs, (call) => sqs.sendMessageBatch({ QueueUrl: url, Entries }, call)),
      );
    this.#results = messagesTo(results);
    this.#deadLetters = messagesTo(dead);
  }

  /** Messages that others do not see for a while; none if there are none after the wait. */
  async receive({ most, waitMs, visibilityMs, attempt }: Receive): Promise<readonly Message[]> {
    const { url, isFifo } = this.#queues.jobs;
    const { Messages: messages = [] } = await within(waitMs + this.#limitMs, (call) =>
      this.#sqs.receiveMessage(
        {
          ...{ QueueUrl: url, MaxNumberOfMessages: most, WaitTimeSeconds: secondsOf(waitMs) },
          VisibilityTimeout: secondsOf(visibilityMs),
          MessageAttributeNames: ['All'],
          MessageSystemAttributeNames: ['ApproximateReceiveCount', 'MessageGroupId', 'SentTimestamp'],
          ...(isFifo ? { ReceiveRequestAttemptId: attempt } : {}),
        },
        call,
      ),
    );
    return messages;
  }

  setVisibility({ receipt }: Receipt, visibleAfterMs: number): Promise<void> {
    return this.#visibilities.add({ ReceiptHandle: receipt, VisibilityTimeout: secondsOf(visibleAfterMs) });
  }

  delete({ receipt }: Receipt): Promise<void> {
    return this.#deletions.add({ ReceiptHandle: receipt });
  }

  sendResult(message: Outgoing): Promise<void> {
    return this.#results.add(message, bytesOf(message));
  }

  sendDeadLetter(message: Outgoing): Promise<void> {
    return this.#deadLetters.add(message, bytesOf(message));
  }

  close(): void {
    this.#sqs.destroy();
  }
}

function secondsOf(ms: number): number {
  return Math.ceil(ms / 1000);
}
