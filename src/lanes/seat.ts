import { messageOf, ServerError } from '../errors.ts';
import { missingProvider } from './cuda.ts';
import { deviceName, type LaneOptions, type Thread } from './lane.ts';
import type { PlannedLane } from './plan.ts';
import { watchLane, type Watch } from './watchdog.ts';

export interface SeatEvents {
  /** Its thread is gone. */
  readonly onLost: (seat: Seat, reason: string) => void;
  readonly onLate: (seat: Seat, begunForMs: number) => void;
  readonly onStuck: (seat: Seat, thread: Thread, begunForMs: number) => void;
}

/** A thread that works, and its watch. */
export interface Seated {
  readonly thread: Thread;
  readonly watch: Watch;
}

/** A lane's place: its device, and the thread that computes there. One that dies leaves the place to another. */
export class Seat {
  readonly id: number;
  readonly lane: PlannedLane;
  /** It takes batches, and models. */
  isUp = false;
  /** Why its last thread was lost. */
  whyLost = '';
  readonly #open: (options: LaneOptions) => Thread;
  readonly #events: SeatEvents;
  #thread: Thread | undefined;
  #watch: Watch | undefined;

  constructor(id: number, lane: PlannedLane, open: (options: LaneOptions) => Thread, events: SeatEvents) {
    this.id = id;
    this.lane = lane;
    this.#open = open;
    this.#events = events;
  }

  /** Starts a thread and tries its device. Throws a plain Error if that does not work. */
  async open(): Promise<Thread> {
    const { device, intraOpThreads } = this.lane;
    const thread = this.#open({ id: this.id, device, intraOpThreads, onLost: (reason) => this.#lost(reason) });
    this.#thread = thread;
    await thread.command({ kind: 'probe' }).catch((error: unknown) => {
      const why = thread.lost ? this.whyLost : messageOf(error);
      throw new Error(`${deviceName(device)} does not work: ${explain(why)}`, { cause: error });
    });
    this.#watch = watchLane(thread, {
      onLate: (begunForMs) => this.#events.onLate(this, begunForMs),
      onStuck: (begunForMs) => this.#events.onStuck(this, thread, begunForMs),
    });
    return thread;
  }

  /** The thread that was opened last. Throws LANE_LOST when it is gone. */
  get current(): Seated {
    if (this.#thread === undefined || this.#thread.lost || this.#watch === undefined)
      throw new ServerError('LANE_LOST');
    return { thread: this.#thread, watch: this.#watch };
  }

  get isLost(): boolean {
    return this.#thread?.lost === true;
  }

  get isBusy(): boolean {
    return this.#thread?.isBusy === true;
  }

  /** Releases what the thread holds of a model; a thread that dies meanwhile holds nothing. */
  async clear(key: string): Promise<void> {
    if (this.#thread?.lost === false) await this.#thread.ask({ kind: 'unload', key }).catch(() => undefined);
  }

  /** Ends the thread. Call it only when it is idle. */
  async close(): Promise<void> {
    this.#watch?.stop();
    if (this.#thread?.lost === false) await this.#thread.close();
  }

  #lost(reason: string): void {
    this.#watch?.stop();
    this.#watch = undefined;
    this.whyLost = reason;
    this.#events.onLost(this, reason);
  }
}

/** ONNX Runtime says that a library is missing, not what to do about it. */
function explain(text: string): string {
  return /load shared library|load library|libcu|providers_cuda/i.test(text)
    ? (missingProvider() ??
        `the libraries of CUDA 12 and cuDNN 9 are not installed here, or not all of them, or not where the loader looks (LD_LIBRARY_PATH): ${text}`)
    : text;
}
