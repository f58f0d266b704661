import type { Msg } from '@nats-io/transport-node';
import type { QueueFacts } from '../queue-board.ts';
import { factsIn, type JobMark } from './records.ts';

/** A message of a stream, as JetStream has handed it to us. */
export interface Delivery extends JobMark {
  /** Of a job of `POST /v1/jobs`. */
  readonly facts: QueueFacts | undefined;
  readonly bytes: Uint8Array;
  /** Where JetStream is told what becomes of it. */
  readonly reply: string;
  /** How often it was delivered, this time included. */
  readonly count: number;
}

/** Fields of the subject for replies, from its end: `$JS.ACK[.<domain>.<account>].<stream>.<consumer>.<count>.<number>.<delivery>.<time>.<pending>[.<token>]`. */
const SHORT_FIELDS = 9;
const FIRST_FIELD = 4;

/** Reads what the subject for replies says. Throws an Error if it is none of JetStream's. https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-15.md */
export function jobOf({ data, headers, reply = '' }: Msg): Delivery {
  const fields = reply.split('.');
  const first = fields.length === SHORT_FIELDS ? FIRST_FIELD : FIRST_FIELD + 2;
  const [count, id, , stamp] = fields.slice(first);
  if (!reply.startsWith('$JS.ACK.') || count === undefined || id === undefined || stamp === undefined)
    throw new Error('a message of the queue has not come from JetStream');
  return { facts: factsIn(headers), bytes: data, reply, count: Number(count), id: Number(id), stamp };
}
