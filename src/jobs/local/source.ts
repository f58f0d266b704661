import type { Clock } from '../../core/ticket.ts';
import { messageOf } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { Cancellation } from '../../serving/cancellation.ts';
import type { JobResult } from '../result.ts';
import type { ClaimedJob, JobSource } from '../source.ts';
import type { BegunJob } from './store-parts.ts';
import type { JobStore } from './store.ts';

/** A job of the store that is being served. */
export interface LocalJob extends ClaimedJob {
  readonly id: string;
  readonly cancellation: Cancellation;
}

const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 30_000;

/** The jobs of the store, for the loop that serves them. */
export class LocalSource implements JobSource<LocalJob> {
  readonly name = 'local';
  readonly #store: JobStore;
  readonly #clock: Clock;
  readonly #log: Pick<Log, 'error'>;
  readonly #running = new Map<string, Cancellation>();

  constructor(store: JobStore, clock: Clock, log: Pick<Log, 'error'>) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    store.onCancel = (id) => this.#running.get(id)?.cancel();
  }

  async claim(most: number, signal: AbortSignal): Promise<readonly LocalJob[]> {
    return (await this.#store.begin(most, signal)).map((begun) => this.#claimed(begun));
  }

  /** Tries until the disk takes it: the job is nobody else's, and the server has others to answer. */
  async done(job: LocalJob, result: JobResult): Promise<void> {
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS))
      try {
        await this.#store.finish(job.id, result);
        this.#running.delete(job.id);
        return;
      } catch (error) {
        this.#log.error(
          { jobId: job.id, reason: messageOf((error as Error).cause ?? error) },
          'the result of a job could not be stored yet',
        );
        await new Promise<void>((resolve) => void this.#clock.after(waitMs, resolve));
      }
  }

  async giveBack({ id }: LocalJob, delayMs: number): Promise<void> {
    this.#running.delete(id);
    await this.#store.giveBack(id, delayMs);
  }

  /** The store is closed by whoever opened it: it is read to the end. */
  async close(): Promise<void> {}

  #claimed({ record, bytes }: BegunJob): LocalJob {
    const { id, createdMs: sentAtMs } = record;
    const cancellation = new Cancellation();
    this.#running.set(id, cancellation);
    return {
      ...{ id, cancellation, defaultId: id, sentAtMs, place: `job ${id}`, bytes: bytes ?? new Uint8Array(0) },
      ...(bytes === undefined ? { problem: 'its body is lost' } : {}),
    };
  }
}
