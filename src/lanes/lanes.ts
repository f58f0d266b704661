import { setTimeout as sleep } from 'node:timers/promises';
import type { Lane, TicketOfRun } from '../core/ticket.ts';
import { messageOf, ServerError } from '../errors.ts';
import type { Tensor } from '../tensors/tensor.ts';
import { deviceName, LaneThread, type LaneOptions, type Thread } from './lane.ts';
import { Placements, type Placement } from './placements.ts';
import type { LanePlan, PlannedLane } from './plan.ts';
import type { LaneWork } from './protocol.ts';
import { runTickets } from './run.ts';
import { Seat, type Seated } from './seat.ts';

export type TensorLane = Lane<LaneWork, readonly Tensor[]>;

export interface LanesEvents {
  /** The lane can take batches. */
  readonly onUp: (lane: TensorLane, device: string) => void;
  readonly onDown: (laneId: number, reason: string) => void;
  /** A model could not be loaded again on the thread that took a dead one's place (its files have changed, say); no lane serves it now. */
  readonly onModelLost: (key: string, reason: string) => void;
  /** A run has passed its limit, and may still end. Those who wait for it must be told. */
  readonly onLate: (laneId: number, begunForMs: number) => void;
  /** Only a new process helps: several runs are stuck, the device is lost, or a lane could not be replaced. */
  readonly onFailed: (reason: string) => void;
}

/** A lane that dies this often within the window is not replaced again. */
const REPLACEMENTS = 3;
const REPLACEMENT_WINDOW_MS = 60_000;
const LOOK_EVERY_MS = 20;
/** Threads that were given up and still compute, each with its cores and its copy of the models. The server can afford one. */
const STUCK_THREADS = 1;

/** All lanes: starts them, fills them with models, watches them, and replaces one that dies. */
export class Lanes {
  readonly #events: LanesEvents;
  readonly #openThread: (options: LaneOptions) => Thread;
  readonly #seats = new Map<number, Seat>();
  readonly #placements: Placements;
  readonly #deathsMs: number[] = [];
  /** Threads that were given up; they may still end. */
  #givenUp: Thread[] = [];
  /** Lanes that are being replaced. */
  readonly #replacements = new Set<Promise<void>>();
  #cpuLane: Promise<void> | undefined;
  #closing = false;

  /** `openThread` is for tests. */
  constructor(
    events: LanesEvents,
    openThread: (options: LaneOptions) => Thread = (options) => new LaneThread(options),
  ) {
    this.#events = events;
    this.#openThread = openThread;
    this.#placements = new Placements(({ spec, laneIds }, reason) => {
      events.onModelLost(spec.key, reason);
      // The copies on the other lanes are of no use now.
      void this.unload(spec.key, laneIds);
    });
  }

  /**
   * Starts the lanes of a plan and tries their devices. Throws a plain Error when a device does not work; no lane is left then.
   */
  async start(plan: LanePlan): Promise<void> {
    await this.#startAll(plan.lanes.map((lane, id) => this.#seat(id, lane)));
  }

  /** Starts a lane on the CPU for a model that asks for one where all lanes are GPUs. Throws as `start`. */
  async startFor(devices: readonly string[] | undefined): Promise<void> {
    if (devices?.includes('cpu') !== true || [...this.#seats.values()].some(({ lane }) => lane.device.kind === 'cpu'))
      return;
    const id = Math.max(...this.#seats.keys()) + 1;
    this.#cpuLane ??= this.#startAll([this.#seat(id, { device: { kind: 'cpu' }, intraOpThreads: 1 })]).finally(() => {
      this.#cpuLane = undefined;
    });
    await this.#cpuLane;
  }

  /** Ids of the lanes that a model may use: at most `most` of those whose device is one of `devices`. Throws a plain Error when there is none. */
  choose(devices: readonly string[] | undefined, most: number | undefined): number[] {
    const fitting = [...this.#seats.values()]
      .filter(
        ({ lane: { device } }) =>
          devices === undefined || devices.some((name) => name === device.kind || name === deviceName(device)),
      )
      .map(({ id }) => id);
    if (fitting.length === 0) throw new Error(`no lane runs on ${(devices ?? []).join(', ')}`);
    return fitting.slice(0, most ?? fitting.length);
  }

  /** The thread of a lane, for loading a model. Throws LANE_LOST until a lane that died has been replaced. */
  thread(id: number): Thread {
    const seat = this.#seats.get(id);
    if (seat?.isUp !== true) throw new ServerError('LANE_LOST');
    return seat.current.thread;
  }

  /**
   * Remembers a model that its lanes hold now, in these threads (in the order of `laneIds`): a thread that replaces one of them gets the model too.
   * Throws LANE_LOST when one has been replaced while the model was loaded, and so lacks it.
   */
  place(placement: Placement, threads: readonly Thread[]): void {
    for (const [index, id] of placement.laneIds.entries())
      if (this.thread(id) !== threads[index]) throw new ServerError('LANE_LOST');
    this.#placements.add(placement);
  }

  /** Resolves when each lane that died has been replaced, or is given up. */
  async replaced(): Promise<void> {
    await Promise.all(this.#replacements);
  }

  /** Forgets a model and releases its sessions, on the lanes that it was placed on or on these; call it when the model has no work left. */
  async unload(key: string, laneIds: readonly number[] = this.#placements.find(key)?.laneIds ?? []): Promise<void> {
    this.#placements.remove(key);
    await Promise.all(laneIds.map(async (id) => this.#seats.get(id)?.clear(key)));
  }

  /** Where a lane computes. */
  planOf(id: number): PlannedLane {
    const seat = this.#seats.get(id);
    if (seat === undefined) throw new Error(`there is no lane ${id}`);
    return seat.lane;
  }

  /** What lanes compute or load just now, in words. While there is anything, the process cannot end in order. */
  get busy(): readonly string[] {
    const lanes = [...this.#seats.values()].filter(({ isBusy }) => isBusy).map(({ id }) => `lane ${id}`);
    const stuck = this.#givenUp.filter(({ isBusy }) => isBusy).map(({ id }) => `a stuck thread of lane ${id}`);
    return [...lanes, ...stuck];
  }

  /** Resolves when no lane computes, loads or is being replaced. */
  async idle(): Promise<void> {
    while (this.busy.length > 0 || this.#replacements.size > 0) await sleep(LOOK_EVERY_MS);
  }

  /** Ends the threads. Call it only when the core is idle: a busy thread cannot be ended without ending the process. */
  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all([...this.#seats.values()].map((seat) => seat.close()));
  }

  #seat(id: number, lane: PlannedLane): Seat {
    return new Seat(id, lane, this.#openThread, {
      onLost: (seat, reason) => this.#lost(seat, reason),
      onLate: (seat, begunForMs) => this.#events.onLate(seat.id, begunForMs),
      onStuck: (seat, thread, begunForMs) => this.#stuck(seat, thread, begunForMs),
    });
  }

  /** All of them, or none. */
  async #startAll(seats: readonly Seat[]): Promise<void> {
    try {
      for (const seat of seats) await seat.open();
      const seated = seats.map((seat) => ({ seat, ...seat.current }));
      for (const { seat, ...rest } of seated) {
        this.#seats.set(seat.id, seat);
        this.#up(seat, rest);
      }
    } catch (error) {
      await Promise.all(seats.map((seat) => seat.close()));
      throw error;
    }
  }

  #up(seat: Seat, { thread, watch }: Seated): void {
    seat.isUp = true;
    const run = async (key: string, tickets: readonly TicketOfRun<LaneWork>[]) => {
      const placement = this.#placements.find(key);
      // It was lost or unloaded while its tickets waited.
      if (placement === undefined) throw new ServerError('MODEL_UNAVAILABLE');
      const done = watch.expect(placement.runLimitMs);
      try {
        const { report, fatal } = await runTickets(thread, key, tickets);
        if (fatal !== undefined) this.#events.onFailed(`the device of lane ${seat.id} is lost: ${fatal}`);
        return report;
      } finally {
        done();
      }
    };
    this.#events.onUp({ id: seat.id, takesAhead: true, run }, deviceName(seat.lane.device));
  }

  /** A run is stuck and holds its thread: another thread takes the lane, unless that was done before. */
  #stuck({ id, lane }: Seat, thread: Thread, begunForMs: number): void {
    const what = `a run on lane ${id} is stuck for ${Math.round(begunForMs)} ms`;
    this.#givenUp = this.#givenUp.filter(({ isBusy }) => isBusy);
    // A GPU that is held by a run serves no other thread either.
    if (lane.device.kind === 'cuda' || this.#givenUp.length >= STUCK_THREADS) this.#events.onFailed(what);
    else {
      this.#givenUp.push(thread);
      thread.giveUp(what);
    }
  }

  #lost(seat: Seat, reason: string): void {
    // If a lane dies while it is started or refilled, that request fails.
    if (this.#closing || !seat.isUp) return;
    seat.isUp = false;
    this.#events.onDown(seat.id, reason);
    const replacement = this.#replace(seat).catch((error: unknown) => {
      if (!this.#closing) this.#events.onFailed(`lane ${seat.id} could not be replaced: ${messageOf(error)}`);
    });
    this.#replacements.add(replacement);
    void replacement.then(() => this.#replacements.delete(replacement));
  }

  /** Gives a lane that died another thread, and one more should that die as well. Throws a plain Error when the device does not work any more. */
  async #replace(seat: Seat): Promise<void> {
    while (this.#isWorthAnother(seat.whyLost)) {
      try {
        await this.#placements.fill(seat.id, await seat.open());
        if (!this.#closing) this.#up(seat, seat.current);
        return;
      } catch (error) {
        if (!seat.isLost) throw error;
      }
    }
  }

  /** Counts a death; says that all is lost when there were too many. */
  #isWorthAnother(whyLost: string): boolean {
    const nowMs = performance.now();
    this.#deathsMs.push(nowMs);
    while (nowMs - (this.#deathsMs[0] ?? nowMs) > REPLACEMENT_WINDOW_MS) this.#deathsMs.shift();
    if (this.#deathsMs.length <= REPLACEMENTS) return true;
    this.#events.onFailed(`lanes died ${this.#deathsMs.length} times within a minute: ${whyLost}`);
    return false;
  }
}
