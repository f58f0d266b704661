import type { Msg, Subscription } from '@nats-io/transport-node';
import { systemClock } from '../../core/clock.ts';
import { waitOrStop } from '../../core/wait.ts';
import type { Log } from '../../log.ts';
import { Cancellation } from '../../serving/cancellation.ts';
import { retryDelayMs } from '../backoff.ts';
import { endOf, jobIdOf } from '../queue-board.ts';
import type { JobResult } from '../result.ts';
import { LeaseLostError, type ClaimedJob, type JobSource } from '../source.ts';
import { refusedBy } from '../unreachable.ts';
import { Connection, REQUEST_LIMIT_MS, serverAt, type NatsAddress } from './connection.ts';
import { jobOf, type Delivery } from './delivery.ts';
import { pull } from './pull.ts';
import { placesOf, prepareQueue, QueueGoneError, type QueueOptions } from './queue.ts';
import { Records } from './records.ts';

/** A message of the stream that is this server's. */
export interface NatsJob extends ClaimedJob, Delivery {
  /** How often it has been claimed, this time included, but not the times that it was given back unserved. */
  readonly deliveries: number;
  readonly cancellation: Cancellation;
  readonly claim: {
    /** By the clock of this process. */
    endsAtMs: number;
    /** Somebody has cancelled it. */
    isUnwanted: boolean;
  };
}

export interface NatsOptions extends QueueOptions {
  readonly address: NatsAddress;
  /** A failed job is tried so often; then it is a dead letter. */
  readonly attempts: number;
  readonly log: Pick<Log, 'warn'>;
}

/** Longest wait for a new message. */
const WAIT_MS = 5000;
/** A claim ends here somewhat earlier than there: it began there when the message was sent, and here when it was read. */
const HELD_SHARE = 0.9;
/** An empty answer that comes sooner than this is not asked for again at once. */
const PAUSE_MS = 200;

/**
 * Jobs in a JetStream work queue, each a message. Many servers share one pull consumer; what a dead one held is delivered again when its lease has
 * ended. JetStream does not say whose a message is: a lease ends by the clock of its holder, and of two results the first counts.
 * https://docs.nats.io/nats-concepts/jetstream/consumers
 */
export class NatsSource implements JobSource<NatsJob> {
  readonly name = 'nats';
  readonly leaseMs: number;
  readonly #options: NatsOptions;
  readonly #connection: Connection;
  readonly #records: Records;
  readonly #cancels: Subscription;
  readonly #held = new Map<number, NatsJob>();
  #mended: Promise<void> | undefined;

  private constructor(options: NatsOptions, connection: Connection) {
    this.#options = options;
    this.leaseMs = options.leaseMs;
    this.#connection = connection;
    this.#records = new Records(connection, options.queue);
    const { cancel } = placesOf(options.queue);
    this.#cancels = connection.nats.subscribe(`${cancel}.*`, {
      callback: (error, message) => {
        if (error === null) this.#cancel(Number(message.subject.slice(cancel.length + 1)));
      },
    });
  }

  /** Connects, and makes what is absent. Rejects if the server cannot be reached or will not have us, or the queue will not do. */
  static async open(options: NatsOptions): Promise<NatsSource> {
    const connection = await Connection.open(options.address, options.log);
    try {
      await prepareQueue(connection.manager, options, options.log).catch(refusedBy(serverAt(options.address)));
      return new NatsSource(options, connection);
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  async claim(most: number, signal: AbortSignal): Promise<readonly NatsJob[]> {
    const { queue } = this.#options;
    const waitMs = Math.min(WAIT_MS, Math.ceil(this.leaseMs / 2));
    const askedAtMs = performance.now();
    return this.#mending(async () => {
      const messages = await pull(this.#connection, { queue, most, waitMs, signal });
      if (messages.length === 0 && performance.now() - askedAtMs < PAUSE_MS)
        await waitOrStop(systemClock, PAUSE_MS, signal);
      return Promise.all(messages.map((message) => this.#claimed(message)));
    });
  }

  async extend(job: NatsJob): Promise<boolean> {
    const { claim } = job;
    const askedAtMs = performance.now();
    if (askedAtMs >= claim.endsAtMs) return false;
    await this.#tell(job, '+WPI');
    claim.endsAtMs = askedAtMs + this.leaseMs * HELD_SHARE;
    return true;
  }

  done(job: NatsJob, { kind, line }: JobResult): Promise<void> {
    return this.#mending(async () => {
      if (kind === 'failed' && job.deliveries < this.#options.attempts) {
        await this.#release(job, retryDelayMs(job.deliveries));
        return;
      }
      const wanted = kind === 'failed' || kind === 'unreadable' ? 'dead' : 'result';
      const { facts, deliveries } = job;
      const end = facts && endOf(facts, { kind }, deliveries);
      const outcome = await this.#records.store(job, line, wanted, end);
      if (outcome === 'cancelled') throw new LeaseLostError();
      if (outcome === 'dead') await this.#records.bury(job, line);
      await this.#tell(job, outcome === 'dead' ? '+TERM it is a dead letter' : '+ACK');
    });
  }

  giveBack(job: NatsJob, delayMs: number): Promise<void> {
    return this.#mending(async () => {
      if (job.claim.isUnwanted) {
        await this.#tell(job, '+TERM it was cancelled');
        return;
      }
      checkHeld(job);
      const before = job.count === 1 ? 0 : await this.#records.timesGivenBack(job);
      await this.#records.noteGivenBack(job, before + 1);
      await this.#release(job, delayMs);
    });
  }

  forget(job: NatsJob): void {
    if (this.#held.get(job.id) === job) this.#held.delete(job.id);
  }

  async close(): Promise<void> {
    this.#cancels.unsubscribe();
    await this.#connection.close();
  }

  async #claimed(message: Msg): Promise<NatsJob> {
    const endsAtMs = performance.now() + this.leaseMs * HELD_SHARE;
    const { attempts } = this.#options;
    const delivery = jobOf(message);
    // Only the last attempts depend on it. Where it cannot be known, the job has one more.
    const deliveries =
      delivery.count < Math.max(2, attempts)
        ? delivery.count
        : await this.#records.timesGivenBack(delivery).then(
            (times) => delivery.count - times,
            () => Math.min(delivery.count, attempts),
          );
    const jobId = jobIdOf(String(delivery.id), delivery.facts);
    const job: NatsJob = {
      ...delivery,
      place: `message ${delivery.id}`,
      sentAtMs: Number(delivery.stamp) / 1e6,
      deliveries,
      jobId,
      defaultId: jobId,
      isLast: deliveries >= attempts,
      // A job that ends the process that runs it would otherwise end one server after another, for ever.
      ...(deliveries <= attempts
        ? {}
        : { problem: `no server that had it in ${deliveries - 1} attempts has lived to say how it ended` }),
      cancellation: new Cancellation(),
      claim: { endsAtMs, isUnwanted: false },
    };
    this.#held.set(job.id, job);
    return job;
  }

  #cancel(id: number): void {
    const job = this.#held.get(id);
    if (job === undefined) return;
    job.claim.isUnwanted = true;
    job.cancellation.cancel();
  }

  async #release(job: NatsJob, delayMs: number): Promise<void> {
    checkHeld(job);
    await this.#tell(job, delayMs > 0 ? `-NAK {"delay":${Math.round(delayMs * 1e6)}}` : '-NAK');
  }

  /** Makes streams again that were deleted, or that the server has lost with its memory; then what failed can be done again. */
  async #mending<Value>(action: () => Promise<Value>): Promise<Value> {
    try {
      return await action();
    } catch (error) {
      if (error instanceof QueueGoneError) await this.#mend();
      throw error;
    }
  }

  #mend(): Promise<void> {
    const { manager } = this.#connection;
    this.#mended ??= prepareQueue(manager, this.#options, this.#options.log).finally(() => (this.#mended = undefined));
    return this.#mended;
  }

  /** Resolves when JetStream has taken note. */
  async #tell({ reply }: NatsJob, answer: string): Promise<void> {
    this.#connection.checkUp();
    await this.#connection.nats.request(reply, answer, { timeout: REQUEST_LIMIT_MS });
  }
}

/** Somebody else may have a job whose claim has ended: it is not taken away from them. */
function checkHeld({ claim }: NatsJob): void {
  if (performance.now() >= claim.endsAtMs) throw new LeaseLostError();
}
