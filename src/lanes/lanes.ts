import { setTimeout as sleep } from 'node:timers/promises';
import { missingProvider } from './cuda.ts';
import { messageOf, ServerError } from '../errors.ts';
import type { Lane, RunReport, TicketOfRun } from '../core/ticket.ts';
import type { Signature, Tensor } from '../tensors/tensor.ts';
import { deviceName, LaneThread } from './lane.ts';
import { graphKey, type LaneRequest, type LaneWork, type RunAnswer } from './protocol.ts';
import type { Device } from '../device.ts';
import type { ModelSpec } from '../model-spec.ts';
import type { LanePlan } from './plan.ts';
import { watchLane, type Watch } from './watchdog.ts';

/** A model as the lanes hold it, so that a lane that died can be filled again. */
export interface Placement {
  readonly spec: ModelSpec;
  /** Of the graph, as the trial found it; absent where a program reads its own. */
  readonly signature?: Signature | undefined;
  readonly laneIds: readonly number[];
  readonly devices: readonly string[];
  readonly runLimitMs: number;
  /** What is run before it takes requests; absent where model.json switches that off. */
  readonly warm?: WarmRequest | undefined;
}

export type WarmRequest = Omit<Extract<LaneRequest, { kind: 'warm' }>, 'kind' | 'key'>;

export type TensorLane = Lane<LaneWork, readonly Tensor[]>;

export interface LanesEvents {
  /** The lane can take batches. */
  readonly onUp: (lane: TensorLane, device: string) => void;
  readonly onDown: (laneId: number, reason: string) => void;
  /** A model could not be loaded again on the lane that took a dead one's place (its files have changed, say); no lane serves it now. */
  readonly onModelLost: (key: string, reason: string) => void;
  /** A run has passed its limit: whoever waits for it is to be told, and it may end yet. */
  readonly onLate: (laneId: number, begunForMs: number) => void;
  /** Nothing but a new process helps: several runs are stuck, the device is lost, a lane could not be replaced. */
  readonly onFailed: (reason: string) => void;
}

/** A lane that dies this often within the window is not worth another try. */
const REPLACEMENTS = 3;
const REPLACEMENT_WINDOW_MS = 60_000;
const LOOK_EVERY_MS = 20;
/** Threads that compute for nobody until their run ends, each with its cores and its copy of the models: one can be borne. */
const STUCK_THREADS = 1;

/** All lanes: starts them, fills them with models, watches them, and replaces one that dies. */
export class Lanes {
  readonly #events: LanesEvents;
  readonly #threads = new Map<number, LaneThread>();
  readonly #watches = new Map<number, Watch>();
  readonly #placements = new Map<string, Placement>();
  readonly #laneOptions = new Map<number, { device: Device; intraOpThreads: number }>();
  /** Ids of the lanes that take batches. */
  readonly #running = new Set<number>();
  readonly #deathsMs: number[] = [];
  /** Threads that were given up; they may end yet. */
  #givenUp: LaneThread[] = [];
  /** Lanes that are being replaced. */
  readonly #replacements = new Set<Promise<void>>();
  #closing = false;

  constructor(events: LanesEvents) {
    this.#events = events;
  }

  /**
   * Starts the lanes of a plan and tries their devices. Throws a plain Error when a device does not work, and is then as if it had
   * not been called.
   */
  async start(plan: LanePlan): Promise<void> {
    try {
      for (const [id, options] of plan.lanes.entries()) {
        this.#laneOptions.set(id, options);
        await this.#startThread(id);
      }
    } catch (error) {
      await this.#forgetAll();
      throw error;
    }
    for (const id of this.#threads.keys()) this.#up(id);
  }

  /** Ids of the lanes a model may use; a model that asks for the CPU where all lanes are GPUs gets a lane of its own kind. */
  async choose(devices: readonly string[] | undefined, most: number | undefined): Promise<number[]> {
    if (
      devices?.includes('cpu') === true &&
      ![...this.#laneOptions.values()].some(({ device }) => device.kind === 'cpu')
    ) {
      const id = Math.max(...this.#laneOptions.keys()) + 1;
      this.#laneOptions.set(id, { device: { kind: 'cpu' }, intraOpThreads: 1 });
      await this.#startThread(id);
      this.#up(id);
    }
    const fitting = [...this.#laneOptions]
      .filter(
        ([, { device }]) =>
          devices === undefined || devices.some((name) => name === device.kind || name === deviceName(device)),
      )
      .map(([id]) => id);
    if (fitting.length === 0) throw new Error(`no lane runs on ${(devices ?? []).join(', ')}`);
    return fitting.slice(0, most ?? fitting.length);
  }

  /** The thread of a lane, for loading. Throws LANE_LOST while it is being replaced. */
  thread(id: number): LaneThread {
    const thread = this.#threads.get(id);
    if (thread === undefined || thread.lost) throw new ServerError('LANE_LOST');
    return thread;
  }

  /**
   * Remembers a model that its lanes hold now, in these threads (in the order of `laneIds`): whatever takes a thread's place gets the model too.
   * Throws LANE_LOST when one has been replaced while the model was loaded, and so lacks it.
   */
  place(placement: Placement, threads: readonly LaneThread[]): void {
    for (const [index, id] of placement.laneIds.entries())
      if (this.thread(id) !== threads[index]) throw new ServerError('LANE_LOST');
    this.#placements.set(placement.spec.key, placement);
  }

  /** Resolves when each lane that died has a thread again, or is given up. */
  async replaced(): Promise<void> {
    await Promise.all(this.#replacements);
  }

  /** Releases a model's sessions; call it when the model has no work left. */
  async unload(key: string): Promise<void> {
    const placement = this.#placements.get(key);
    this.#placements.delete(key);
    await this.clear(key, placement?.laneIds ?? []);
  }

  /** Releases what threads hold of a model; one that dies meanwhile holds nothing. */
  async clear(key: string, laneIds: readonly number[]): Promise<void> {
    for (const id of laneIds) {
      const thread = this.#threads.get(id);
      if (thread !== undefined && !thread.lost) await thread.ask({ kind: 'unload', key }).catch(() => undefined);
    }
  }

  deviceOf(id: number): string {
    const options = this.#laneOptions.get(id);
    return options === undefined ? '' : deviceName(options.device);
  }

  /** What lanes compute or load just now, in words: while there is anything, the process cannot end in order. */
  get busy(): readonly string[] {
    const lanes = [...this.#threads.values()].filter(({ isBusy }) => isBusy).map(({ id }) => `lane ${id}`);
    const stuck = this.#givenUp.filter(({ isBusy }) => isBusy).map(({ id }) => `a stuck thread of lane ${id}`);
    return [...lanes, ...stuck];
  }

  /** Resolves when no lane computes or loads. */
  async idle(): Promise<void> {
    while (this.busy.length > 0) await sleep(LOOK_EVERY_MS);
  }

  /** Ends the threads. Call it only when the core is idle: a busy thread cannot be ended without ending the process. */
  async close(): Promise<void> {
    this.#closing = true;
    for (const watch of this.#watches.values()) watch.stop();
    await Promise.all([...this.#threads.values()].filter(({ lost }) => !lost).map((thread) => thread.close()));
  }

  async #forgetAll(): Promise<void> {
    const threads = [...this.#threads.values()];
    for (const watch of this.#watches.values()) watch.stop();
    for (const map of [this.#threads, this.#watches, this.#laneOptions]) map.clear();
    await Promise.all(threads.filter(({ lost }) => !lost).map((thread) => thread.close()));
  }

  async #startThread(id: number): Promise<void> {
    const options = this.#laneOptions.get(id);
    if (options === undefined) throw new Error(`there is no lane ${id}`);
    const thread = new LaneThread({ id, ...options, onLost: (reason) => this.#lost(id, reason) });
    this.#threads.set(id, thread);
    await thread.command({ kind: 'probe' }).catch((error: unknown) => {
      throw new Error(`${deviceName(options.device)} does not work: ${explain(error)}`, { cause: error });
    });
    this.#watches.set(
      id,
      watchLane(thread, {
        onLate: (begunForMs) => this.#events.onLate(id, begunForMs),
        onStuck: (begunForMs) => this.#stuck(thread, begunForMs),
      }),
    );
  }

  #up(id: number): void {
    const thread = this.thread(id);
    this.#running.add(id);
    this.#events.onUp({ id, run: (key, tickets) => this.#run(thread, key, tickets) }, this.deviceOf(id));
  }

  async #run(
    thread: LaneThread,
    key: string,
    tickets: readonly TicketOfRun<LaneWork>[],
  ): Promise<RunReport<readonly Tensor[]>> {
    const placement = this.#placementOf(key);
    // It was lost or unloaded while its tickets waited.
    if (placement === undefined) throw new ServerError('MODEL_UNAVAILABLE');
    const done = this.#watches.get(thread.id)?.expect(placement.runLimitMs);
    try {
      const answer = await thread.ask({
        kind: 'run',
        key,
        tickets: tickets.map(({ id, payload }) => ({ id, ...payload })),
      });
      if (!answer.ok) throw new ServerError(answer.code, undefined, { cause: new Error(answer.message) });
      if (answer.fatal !== undefined) this.#events.onFailed(`the device of lane ${thread.id} is lost: ${answer.fatal}`);
      return toReport(answer);
    } finally {
      done?.();
    }
  }

  /** A run holds its thread for good, as far as one can tell: another thread takes the lane, unless that was tried before. */
  #stuck(thread: LaneThread, begunForMs: number): void {
    const what = `a run on lane ${thread.id} is stuck for ${Math.round(begunForMs)} ms`;
    this.#givenUp = this.#givenUp.filter(({ isBusy }) => isBusy);
    // A GPU that is held by a run serves no other thread either.
    if (thread.device.kind === 'cuda' || this.#givenUp.length >= STUCK_THREADS) this.#events.onFailed(what);
    else {
      this.#givenUp.push(thread);
      thread.giveUp(what);
    }
  }

  #placementOf(key: string): Placement | undefined {
    const placement = this.#placements.get(key);
    if (placement !== undefined) return placement;
    for (const other of this.#placements.values()) if (graphKey(other.spec.key) === key) return other;
    return undefined;
  }

  #lost(id: number, reason: string): void {
    this.#watches.get(id)?.stop();
    this.#watches.delete(id);
    // Whoever starts or refills a lane hears of its death by the request that fails.
    if (this.#closing || !this.#running.delete(id)) return;
    this.#events.onDown(id, reason);
    const nowMs = performance.now();
    this.#deathsMs.push(nowMs);
    while (nowMs - (this.#deathsMs[0] ?? nowMs) > REPLACEMENT_WINDOW_MS) this.#deathsMs.shift();
    if (this.#deathsMs.length > REPLACEMENTS)
      this.#events.onFailed(`lanes died ${this.#deathsMs.length} times within a minute: ${reason}`);
    else {
      const replacement = this.#replace(id).catch((error: unknown) =>
        this.#events.onFailed(`lane ${id} could not be replaced: ${messageOf(error)}`),
      );
      this.#replacements.add(replacement);
      void replacement.then(() => this.#replacements.delete(replacement));
    }
  }

  async #replace(id: number): Promise<void> {
    await this.#startThread(id);
    const thread = this.thread(id);
    for (const placement of this.#placements.values()) {
      if (!placement.laneIds.includes(id)) continue;
      try {
        await fillLane(thread, { ...placement, spec: withoutDeath(placement.spec) });
      } catch (error) {
        if (thread.lost) throw error;
        // One model's broken file must not take the others down.
        const { key } = placement.spec;
        this.#placements.delete(key);
        this.#events.onModelLost(key, messageOf(error));
      }
    }
    this.#up(id);
  }
}

/** ONNX Runtime says that a library is missing, not what to do about it. */
function explain(error: unknown): string {
  const text = messageOf(error);
  return /load shared library|load library|libcu|providers_cuda/i.test(text)
    ? (missingProvider() ??
        `the libraries of CUDA 12 and cuDNN 9 are not installed here, or not all of them, or not where the loader looks (LD_LIBRARY_PATH): ${text}`)
    : text;
}

/** Loads a model, of which another lane has found out all there is to know, and warms it. Throws a plain Error. */
export async function fillLane(
  thread: LaneThread,
  { spec, signature, warm }: Pick<Placement, 'spec' | 'signature' | 'warm'>,
): Promise<void> {
  await thread.command({ kind: 'load', model: spec, signature });
  if (warm !== undefined) await thread.command({ kind: 'warm', key: spec.key, ...warm });
}

/** A death that is simulated happens once, not to every thread that follows. */
function withoutDeath({ simulate, ...spec }: ModelSpec): ModelSpec {
  return simulate?.runMs === undefined ? spec : { ...spec, simulate: { runMs: simulate.runMs } };
}

function toReport({ outcomes, runMs, stackMs, splitMs, maxItems }: RunAnswer): RunReport<readonly Tensor[]> {
  return {
    outcomes: outcomes.map((outcome) => {
      if (!outcome.ok) return { ok: false, error: new ServerError(outcome.code, outcome.message) };
      return 'outputs' in outcome ? { ok: true, result: outcome.outputs } : outcome;
    }),
    runMs,
    stackMs,
    splitMs,
    ...(maxItems === undefined ? {} : { maxItems }),
  };
}
