import { JetStreamApiCodes, JetStreamApiError, type StoredMsg } from '@nats-io/jetstream';
import { headers } from '@nats-io/transport-node';
import { ServerError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { digestOf } from '../digest.ts';
import { noJob, type JobFacts, type NewJob } from '../job-board.ts';
import {
  cancelMessage,
  checkSame,
  checkSecret,
  endedJob,
  factsOf,
  messageIdOf,
  openJob,
  queueFull,
  queueUnavailable,
  tooLargeJob,
  type QueueBoard,
  type QueueEnd,
  type QueueFacts,
} from '../queue-board.ts';
import type { Outbox } from '../webhooks/outbox.ts';
import { refusedBy } from '../unreachable.ts';
import { Connection, serverAt, type NatsAddress } from './connection.ts';
import { CONSUMER, isCode, placesOf, prepareQueue, type QueueOptions } from './queue.ts';
import { endIn, factsIn, FACTS, HEADER_BYTES, isOf, Records, textOfFacts, type JobMark } from './records.ts';

export interface NatsBoardOptions extends QueueOptions {
  readonly address: NatsAddress;
  /** Most jobs in the stream when one is added. */
  readonly limit: number;
  readonly log: Pick<Log, 'warn'>;
  readonly outbox: Pick<Outbox, 'send'>;
}

/** A job that is in the stream, or has ended. */
type Found =
  { readonly mark: JobMark; readonly facts: QueueFacts } | { readonly end: QueueEnd; readonly line: Uint8Array };

/** Numbers of messages. Anything else must not become part of a subject. */
const ID = /^[1-9]\d{0,15}$/;

/** Takes jobs into the stream that NatsSource reads, and tells what became of those. Every server of the queue can answer for each of them. */
export class NatsBoard implements QueueBoard {
  readonly #options: NatsBoardOptions;
  readonly #connection: Connection;
  readonly #records: Records;

  private constructor(options: NatsBoardOptions, connection: Connection) {
    this.#options = options;
    this.#connection = connection;
    this.#records = new Records(connection, options.queue);
  }

  /** Connects, and makes what is absent. Rejects if the server cannot be reached or will not have us, or the queue will not do. */
  static async open(options: NatsBoardOptions): Promise<NatsBoard> {
    const connection = await Connection.open(options.address, options.log);
    try {
      await prepareQueue(connection.manager, options, options.log).catch(refusedBy(serverAt(options.address)));
      return new NatsBoard(options, connection);
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  add(job: NewJob): Promise<JobFacts> {
    return asked(async () => {
      const facts = factsOf(job);
      const named = job.key === null ? undefined : digestOf(Buffer.from(job.key));
      const known = named === undefined ? undefined : await this.#named(named, facts);
      if (known !== undefined) return known;
      const { limitBytes } = this.#connection;
      if (job.bytes.byteLength + textOfFacts(facts).length + HEADER_BYTES > limitBytes) throw tooLargeJob(limitBytes);
      const { state } = await this.#connection.manager.streams.info(this.#options.queue);
      if (state.messages >= this.#options.limit) throw queueFull();
      const { seq, duplicate } = await this.#publish(job.bytes, facts, named);
      const id = String(seq);
      if (named !== undefined) await this.#records.setName(named, id);
      // JetStream knows a name for a while; the message that had it first counts.
      return duplicate ? this.#same(id, facts) : openJob(id, facts, { status: 'waiting', attempts: 0 });
    });
  }

  find(jobId: string): Promise<JobFacts> {
    return asked(async () => this.#told(messageIdOf(jobId), await this.#find(jobId)));
  }

  resultOf(jobId: string): Promise<Uint8Array | undefined> {
    return asked(async () => {
      const found = await this.#find(jobId);
      return 'end' in found && found.line.byteLength > 0 ? found.line : undefined;
    });
  }

  list(): Promise<never> {
    return Promise.reject(noList());
  }

  cancel(jobId: string): Promise<JobFacts> {
    return asked(async () => {
      const id = messageIdOf(jobId);
      const found = await this.#find(jobId);
      if ('end' in found) {
        await this.#records.forget(id);
        return endedJob(id, found.end);
      }
      const { facts, mark } = found;
      const end: QueueEnd = { ...facts, status: 'cancelled', attempts: null, endedMs: Date.now() };
      // It counts from here on: a server that has the job stores nothing over it.
      if ((await this.#records.store(mark, new Uint8Array(0), 'cancelled', end)) !== 'cancelled')
        return this.find(jobId);
      const { queue, outbox } = this.#options;
      await this.#connection.manager.streams.deleteMessage(queue, mark.id).catch(() => undefined);
      this.#connection.nats.publish(`${placesOf(queue).cancel}.${id}`);
      const message = cancelMessage(id, facts);
      if (message !== undefined) outbox.send(message);
      return endedJob(id, end);
    });
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  /** The job that has the name. */
  async #named(named: string, facts: QueueFacts): Promise<JobFacts | undefined> {
    const id = await this.#records.nameOf(named);
    return id === undefined || (await this.#look(id)) === undefined ? undefined : this.#same(id, facts);
  }

  async #same(id: string, { digest }: QueueFacts): Promise<JobFacts> {
    const found = await this.#look(id);
    if (found === undefined) throw noJob(id);
    checkSame(('end' in found ? found.end : found.facts).digest, digest);
    return this.#told(id, found);
  }

  async #told(id: string, found: Found): Promise<JobFacts> {
    if ('end' in found) return endedJob(id, found.end);
    const { delivered } = await this.#connection.manager.consumers.info(this.#options.queue, CONSUMER);
    const isBegun = found.mark.id <= delivered.stream_seq;
    // JetStream does not say whether somebody has it, or it waits to be tried again.
    return openJob(id, found.facts, isBegun ? RUNNING : WAITING);
  }

  /** Rejects with NOT_FOUND, also where the id of the job is not the one that its sender was told. */
  async #find(jobId: string): Promise<Found> {
    const id = messageIdOf(jobId);
    const found = ID.test(id) ? await this.#look(id) : undefined;
    if (found === undefined) throw noJob(jobId);
    checkSecret(jobId, 'end' in found ? found.end : found.facts);
    return found;
  }

  async #look(id: string): Promise<Found | undefined> {
    this.#connection.checkUp();
    // In this order: a result is there before the message is gone.
    const message = await this.#message(Number(id));
    const result = await this.#records.resultOf(id);
    const mark = message && { id: message.seq, stamp: stampOf(message) };
    const end = result !== null && (mark === undefined || isOf(result, mark)) ? endIn(result) : undefined;
    if (end !== undefined && result !== null) return { end, line: result.data };
    const facts = message && factsIn(message.header);
    return facts === undefined || mark === undefined ? undefined : { mark, facts };
  }

  async #message(seq: number): Promise<StoredMsg | undefined> {
    const { manager } = this.#connection;
    try {
      return (await manager.streams.getMessage(this.#options.queue, { seq })) ?? undefined;
    } catch (error) {
      if (isCode(error, JetStreamApiCodes.NoMessageFound)) return undefined;
      throw error;
    }
  }

  #publish(bytes: Uint8Array, facts: QueueFacts, msgID: string | undefined) {
    this.#connection.checkUp();
    const all = headers();
    all.set(FACTS, textOfFacts(facts));
    return this.#connection.jetstream.publish(this.#options.queue, bytes, {
      headers: all,
      ...(msgID === undefined ? {} : { msgID }),
    });
  }
}

/** JetStream reads a stream forwards only, and has no change of two streams in one step, by which a job and its place in a list of its owner's would be there together. */
function noList(): ServerError {
  return new ServerError(
    'BAD_REQUEST',
    'The jobs of a NATS queue (JOB_SOURCE=nats) cannot be listed: ask for each by the id that it was accepted with. Those of JOB_SOURCE=redis can.',
  );
}

const WAITING = { status: 'waiting', attempts: 0 } as const;
const RUNNING = { status: 'running', attempts: null } as const;

/** The time of a message in ns, as deliveries tell it. */
function stampOf({ timestamp }: StoredMsg): string {
  const [whole = '', fraction = ''] = timestamp.replace(/Z$/, '').split('.');
  return `${Date.parse(`${whole}Z`) / 1000}${fraction.padEnd(9, '0')}`;
}

/** Limits of the stream or the server that are reached. */
const FULL = /maximum (messages|bytes)|insufficient resources|exceeded/i;

async function asked<Value>(question: () => Promise<Value>): Promise<Value> {
  try {
    return await question();
  } catch (error) {
    if (error instanceof JetStreamApiError && FULL.test(error.message)) throw queueFull();
    throw queueUnavailable(error);
  }
}
