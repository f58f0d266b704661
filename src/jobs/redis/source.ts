import { randomUUID } from 'node:crypto';
import os from 'node:os';
import { messageOf } from '../../errors.ts';
import { retryDelayMs } from '../backoff.ts';
import { endOf, jobIdOf, readFacts, type QueueFacts } from '../queue-board.ts';
import type { JobResult } from '../result.ts';
import { LeaseLostError, type ClaimedJob, type JobSource } from '../source.ts';
import { refusedBy } from '../unreachable.ts';
import {
  COMMAND_LIMIT_MS,
  connect,
  createConnection,
  serverAt,
  within,
  type Client,
  type RedisAddress,
} from './client.ts';
import { FACTS_FIELD, GROUP, JOB_FIELD, keysOf } from './keys.ts';
import { ENDING, EXTEND, FORGET_DEAD, LEAVE, LISTED_ENDING, RELEASE, TAKE_OVER } from './scripts.ts';

/** A message of the stream that is this server's. */
export interface RedisJob extends ClaimedJob {
  /** Of the message in the stream. */
  readonly id: string;
  /** How often it has been claimed, this time included, but not the times that it was given back unserved. */
  readonly deliveries: number;
  /** Of a job of `POST /v1/jobs`. */
  readonly facts: QueueFacts | undefined;
}

export interface RedisOptions extends RedisAddress {
  /** Key of the stream. Results lie at `<queue>:result:<id>`, dead letters in the stream `<queue>:dead`. */
  readonly queue: string;
  readonly leaseMs: number;
  /** A failed job is tried so often; then it is a dead letter. */
  readonly attempts: number;
  readonly resultTtlMs: number;
  /** After so long a consumer without jobs is forgotten; default: a day. */
  readonly silentMs?: number;
}

/** Longest wait for a new message; then those of dead servers are looked for. */
const BLOCK_MS = 5000;
/** A consumer without jobs that has been silent for so long is a server that has died. */
const SILENT_MS = 86_400_000;

/** What XREADGROUP returns: streams with their messages, each an id and its fields. */
type Found = readonly [string, readonly [string, readonly string[]][]][];

/**
 * Jobs in a Redis stream (6.2 or later), each a message with the field `job`. Many servers share it; what a dead one held is taken over when its lease
 * has ended. https://redis.io/docs/latest/develop/data-types/streams/
 */
export class RedisSource implements JobSource<RedisJob> {
  readonly name = 'redis';
  readonly leaseMs: number;
  readonly #options: RedisOptions;
  readonly #consumer = `${os.hostname()}-${randomUUID()}`;
  readonly #client: Client;
  /** Waits for messages, and can do nothing else meanwhile. */
  readonly #reader: Client;

  private constructor(options: RedisOptions, client: Client, reader: Client) {
    this.#options = options;
    this.leaseMs = options.leaseMs;
    this.#client = client;
    this.#reader = reader;
  }

  /** Connects. Rejects if the server cannot be reached or will not have us. */
  static async open(options: RedisOptions): Promise<RedisSource> {
    const client = createConnection(options);
    const reader = createConnection(options);
    try {
      await connect(client, options);
      await connect(reader, options);
      const source = new RedisSource(options, client, reader);
      await source.#prepare().catch(refusedBy(serverAt(options.url)));
      return source;
    } catch (error) {
      client.destroy();
      reader.destroy();
      throw error;
    }
  }

  async claim(most: number, signal: AbortSignal): Promise<readonly RedisJob[]> {
    try {
      const left = await this.#takeOver(most);
      return left.length > 0 ? left : await this.#read(most, signal);
    } catch (error) {
      if (!messageOf(error).startsWith('NOGROUP')) throw error;
      // The stream was deleted, or the server has lost its memory.
      await this.#createGroup();
      return [];
    }
  }

  async extend({ id }: RedisJob): Promise<boolean> {
    return this.#run(EXTEND, [this.#options.queue], [id]);
  }

  async done(job: RedisJob, { kind, line }: JobResult): Promise<void> {
    const { queue, attempts, resultTtlMs } = this.#options;
    const { id, deliveries, bytes, facts } = job;
    const { dead, result, end, list } = keysOf(queue);
    const text = Buffer.from(line).toString();
    if (kind === 'failed' && deliveries < attempts) {
      await this.#release(id, deliveries, retryDelayMs(deliveries));
      return;
    }
    const ended = facts && endOf(facts, { kind }, deliveries);
    const kept = [text, ended === undefined ? '' : JSON.stringify(ended), String(resultTtlMs)];
    const owner = ended?.owner ?? null;
    const scripts = owner === null ? ENDING : LISTED_ENDING;
    const listed = ended === undefined || owner === null ? [] : [list(owner), ended.status, String(ended.endedMs)];
    const isOurs =
      kind === 'failed' || kind === 'unreadable'
        ? await this.#run(
            scripts.bury,
            [queue, result(id), end(id), dead],
            [id, ...kept, Buffer.from(bytes).toString(), String(deliveries), ...listed],
          )
        : await this.#run(scripts.finish, [queue, result(id), end(id)], [id, ...kept, ...listed]);
    if (!isOurs) throw new LeaseLostError();
  }

  async giveBack({ id, deliveries }: RedisJob, delayMs: number): Promise<void> {
    await this.#release(id, deliveries - 1, delayMs);
  }

  async #release(id: string, deliveries: number, delayMs: number): Promise<void> {
    const idleMs = Math.max(0, Math.round(this.leaseMs - delayMs));
    await this.#run(RELEASE, [this.#options.queue], [id, String(idleMs), String(deliveries)]);
  }

  async close(): Promise<void> {
    if (this.#reader.isOpen) this.#reader.destroy();
    // If that fails it is forgotten when another server starts.
    await this.#send(['EVAL', LEAVE, '1', this.#options.queue, GROUP, this.#consumer]).catch(() => undefined);
    await this.#client.close();
  }

  async #prepare(): Promise<void> {
    const { queue, silentMs = SILENT_MS } = this.#options;
    await this.#createGroup();
    await this.#send(['EVAL', FORGET_DEAD, '1', queue, GROUP, String(silentMs)]);
  }

  async #createGroup(): Promise<void> {
    try {
      await this.#send(['XGROUP', 'CREATE', this.#options.queue, GROUP, '0', 'MKSTREAM']);
    } catch (error) {
      if (!messageOf(error).startsWith('BUSYGROUP')) throw error;
    }
  }

  async #takeOver(most: number): Promise<readonly RedisJob[]> {
    const args = [
      'EVAL',
      TAKE_OVER,
      '1',
      this.#options.queue,
      GROUP,
      this.#consumer,
      String(this.leaseMs),
      String(most),
    ];
    const taken = (await this.#send(args)) as [string, number, string[]][];
    return taken.map(([id, deliveries, fields]) =>
      fatalAfter(this.#options.attempts, jobOf(id, fields, { deliveries, attempts: this.#options.attempts })),
    );
  }

  async #read(most: number, signal: AbortSignal): Promise<readonly RedisJob[]> {
    const blockMs = Math.min(BLOCK_MS, Math.ceil(this.leaseMs / 2));
    const args = ['XREADGROUP', 'GROUP', GROUP, this.#consumer, 'COUNT', String(most), 'BLOCK', String(blockMs)];
    const id = this.#reader.sendCommand(['CLIENT', 'ID']);
    const found = this.#reader.sendCommand([...args, 'STREAMS', this.#options.queue, '>']);
    // Closing the connection instead would leave jobs that are on their way to us with nobody until their lease has ended.
    const unblock = (): void =>
      void id.then((reader) => this.#send(['CLIENT', 'UNBLOCK', String(Number(reader))])).catch(() => undefined);
    if (signal.aborted) unblock();
    signal.addEventListener('abort', unblock, { once: true });
    try {
      const [, streams] = await within(Promise.all([id, found]), blockMs + COMMAND_LIMIT_MS);
      return ((streams as unknown as Found | null)?.[0]?.[1] ?? []).map(([one, fields]) =>
        jobOf(one, fields, { deliveries: 1, attempts: this.#options.attempts }),
      );
    } finally {
      signal.removeEventListener('abort', unblock);
    }
  }

  /** Whether the job was still ours, so that the script has done its work. */
  async #run(script: string, keys: readonly string[], [id = '', ...args]: readonly string[]): Promise<boolean> {
    const done = await this.#send(['EVAL', script, String(keys.length), ...keys, GROUP, this.#consumer, id, ...args]);
    return done === 1;
  }

  #send(args: readonly string[]): Promise<unknown> {
    return within(this.#client.sendCommand(args), COMMAND_LIMIT_MS);
  }
}

function jobOf(
  id: string,
  fields: readonly string[],
  { deliveries, attempts }: { readonly deliveries: number; readonly attempts: number },
): RedisJob {
  const text = fieldOf(fields, JOB_FIELD);
  const bytes = Buffer.from(text ?? JSON.stringify(fields));
  const sentAtMs = Number.parseInt(id, 10);
  const place = `message ${id}`;
  const isLast = deliveries >= attempts;
  const facts = readFacts(fieldOf(fields, FACTS_FIELD));
  const jobId = jobIdOf(id, facts);
  return {
    id,
    jobId,
    defaultId: jobId,
    facts,
    deliveries,
    isLast,
    bytes,
    place,
    sentAtMs,
    ...(text === undefined ? { problem: NO_JOB } : {}),
  };
}

function fieldOf(fields: readonly string[], name: string): string | undefined {
  const at = fields.findIndex((field, index) => index % 2 === 0 && field === name);
  return at < 0 ? undefined : fields[at + 1];
}

/** A job that ends the process that runs it would otherwise end one server after another, for ever. */
function fatalAfter(attempts: number, job: RedisJob): RedisJob {
  if (job.deliveries <= attempts) return job;
  return { ...job, problem: `no server that had it in ${job.deliveries - 1} attempts has lived to say how it ended` };
}

const NO_JOB = 'it has no field `job`';
