import type { RedisArgument } from '@redis/client';
import { messageOf, ServerError } from '../../errors.ts';
import { digestOf } from '../digest.ts';
import { noJob, type JobFacts, type JobList, type JobPage, type NewJob } from '../job-board.ts';
import {
  cancelMessage,
  checkSame,
  checkSecret,
  endedJob,
  factsOf,
  messageIdIn,
  messageIdOf,
  noListWithoutKey,
  openJob,
  queueFull,
  queueUnavailable,
  readEnd,
  readFacts,
  type QueueBoard,
  type QueueEnd,
  type QueueFacts,
} from '../queue-board.ts';
import type { Outbox } from '../webhooks/outbox.ts';
import { ADD, CANCEL, FIND } from './board-scripts.ts';
import { COMMAND_LIMIT_MS, connect, createConnection, within, type Client, type RedisAddress } from './client.ts';
import { GROUP, keysOf, NOBODY } from './keys.ts';
import { FORGET, LIST } from './list-scripts.ts';
import { pageOfList, type Listed } from './list.ts';

export interface RedisBoardOptions extends RedisAddress {
  /** Key of the stream. */
  readonly queue: string;
  readonly leaseMs: number;
  readonly resultTtlMs: number;
  /** Most jobs in the stream when one is added. */
  readonly limit: number;
  readonly outbox: Pick<Outbox, 'send'>;
}

/** A job that is in the stream, or has ended. */
type Found = { readonly open: JobFacts; readonly facts: QueueFacts } | { readonly end: QueueEnd };

const CLOSE_LIMIT_MS = 2000;

/** Ids of messages: two integers of 64 bits. Anything else must not become part of a key. */
const ID = /^\d{1,20}-\d{1,20}$/;
const MOST_PART = 2n ** 64n - 1n;

/** Takes jobs into the stream that RedisSource reads, and tells what became of those. Every server of the queue can answer for each of them. */
export class RedisBoard implements QueueBoard {
  readonly #options: RedisBoardOptions;
  readonly #client: Client;

  private constructor(options: RedisBoardOptions, client: Client) {
    this.#options = options;
    this.#client = client;
  }

  /** Connects. Rejects if the server cannot be reached or will not have us. */
  static async open(options: RedisBoardOptions): Promise<RedisBoard> {
    const client = createConnection(options);
    try {
      await connect(client, options);
      return new RedisBoard(options, client);
    } catch (error) {
      client.destroy();
      throw error;
    }
  }

  async add(job: NewJob): Promise<JobFacts> {
    const { queue, limit, resultTtlMs } = this.#options;
    const { key, bytes } = job;
    const facts = factsOf(job);
    const named = key === null ? '' : digestOf(Buffer.from(key));
    const keys = [queue, keysOf(queue).name(named)];
    const args = [
      named,
      bytesOf(bytes),
      JSON.stringify(facts),
      facts.digest,
      limit,
      resultTtlMs,
      keysOf(queue).end(''),
      this.#listOf(facts),
    ];
    const [id, digest] = (await this.#run(ADD, keys, args)) as readonly [string?, string?];
    if (id === undefined || digest === undefined) throw queueFull();
    checkSame(digest, facts.digest);
    return told(id, await this.#look(id));
  }

  async find(jobId: string): Promise<JobFacts> {
    const id = messageIdOf(jobId);
    return told(id, await this.#find(id, jobId));
  }

  async resultOf(jobId: string): Promise<Uint8Array | undefined> {
    const id = messageIdOf(jobId);
    await this.#find(id, jobId);
    const text = (await this.#send(['GET', keysOf(this.#options.queue).result(id)])) as string | null;
    return text === null ? undefined : Buffer.from(text);
  }

  async list({ asker, most, after, status }: JobList): Promise<JobPage> {
    if (asker === undefined) throw noListWithoutKey();
    const { queue, leaseMs } = this.#options;
    const from = after === undefined ? '' : placeAfter(after);
    const { list, end } = keysOf(queue);
    const args = [GROUP, list(asker), from, most, status ?? '', leaseMs, end('')];
    return pageOfList((await this.#run(LIST, [queue], args)) as Listed);
  }

  async cancel(jobId: string): Promise<JobFacts> {
    const { queue, resultTtlMs, outbox } = this.#options;
    const id = messageIdOf(jobId);
    const found = await this.#find(id, jobId);
    if ('end' in found) {
      await this.#forget(id, found.end);
      return endedJob(id, found.end);
    }
    const { facts, open } = found;
    const cancelled: QueueEnd = { ...facts, status: 'cancelled', attempts: open.attempts, endedMs: Date.now() };
    const args = [GROUP, id, JSON.stringify(cancelled), resultTtlMs, this.#listOf(facts), cancelled.endedMs];
    const isDone = await this.#run(CANCEL, [queue, keysOf(queue).end(id)], args);
    // It has ended in the meantime.
    if (isDone !== 1) return this.find(jobId);
    const message = cancelMessage(id, facts);
    if (message !== undefined) outbox.send(message);
    return endedJob(id, cancelled);
  }

  /** Waits for what has been asked, for a while. */
  async close(): Promise<void> {
    if (this.#client.isOpen) await within(this.#client.close(), CLOSE_LIMIT_MS).catch(() => this.#client.destroy());
  }

  async #forget(id: string, { owner }: QueueEnd): Promise<void> {
    const { end, result, list } = keysOf(this.#options.queue);
    if (owner === null) await this.#send(['DEL', end(id), result(id)]);
    else await this.#run(FORGET, [end(id), result(id)], [list(owner), id]);
  }

  /** The list in which a job stands; '': it has no owner, and stands in none. */
  #listOf({ owner }: QueueFacts): string {
    return owner === null ? '' : keysOf(this.#options.queue).list(owner);
  }

  /** Rejects with NOT_FOUND, also where the id of the job is not the one that its sender was told. */
  async #find(id: string, jobId: string): Promise<Found> {
    if (!isMessageId(id)) throw noJob(jobId);
    const found = await this.#look(id);
    checkSecret(jobId, 'end' in found ? found.end : found.facts);
    return found;
  }

  async #look(id: string): Promise<Found> {
    const { queue, leaseMs } = this.#options;
    const found = (await this.#run(FIND, [queue, keysOf(queue).end(id)], [GROUP, id])) as readonly unknown[];
    const [endText, factsText, consumer, idleMs, deliveries] = found as [string?, string?, string?, number?, number?];
    const end = readEnd(endText);
    if (end !== undefined) return { end };
    const facts = readFacts(factsText);
    if (facts === undefined) throw noJob(id);
    const isHeld = consumer !== undefined && consumer !== NOBODY && (idleMs ?? 0) < leaseMs;
    const now = { status: isHeld ? 'running' : 'waiting', attempts: deliveries ?? 0 } as const;
    return { open: openJob(id, facts, now), facts };
  }

  #run(script: string, keys: readonly string[], args: readonly (RedisArgument | number)[]): Promise<unknown> {
    const rest = args.map((value) => (typeof value === 'number' ? String(value) : value));
    return this.#send(['EVAL', script, String(keys.length), ...keys, ...rest]);
  }

  async #send(args: readonly RedisArgument[]): Promise<unknown> {
    try {
      return await within(this.#client.sendCommand([...args]), COMMAND_LIMIT_MS);
    } catch (error) {
      // https://redis.io/docs/latest/develop/reference/eviction/
      if (/\bOOM\b/.test(messageOf(error))) throw queueFull();
      throw queueUnavailable(error);
    }
  }
}

/** The id of the message after which a page begins. Throws BAD_REQUEST. */
function placeAfter(after: string): string {
  const id = messageIdIn(after) ?? '';
  if (!isMessageId(id)) throw new ServerError('BAD_REQUEST', 'after: it is the last_id of the page before');
  return id;
}

/** Redis refuses larger ones with an error, as if it could not be used. */
function isMessageId(id: string): boolean {
  return ID.test(id) && id.split('-').every((part) => BigInt(part) <= MOST_PART);
}

function told(id: string, found: Found): JobFacts {
  return 'end' in found ? endedJob(id, found.end) : found.open;
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
