import { messageOf } from '../errors.ts';
import type { ModelSpec } from '../model-spec.ts';
import type { Signature } from '../tensors/tensor.ts';
import type { Thread } from './lane.ts';
import { graphKey, type LaneRequest } from './protocol.ts';

/** A model as its lanes hold it: enough to fill another thread with it. */
export interface Placement {
  readonly spec: ModelSpec;
  /** Of the graph, as the trial found it; absent where a program reads its own. */
  readonly signature?: Signature | undefined;
  readonly laneIds: readonly number[];
  readonly runLimitMs: number;
  /** What is run before it takes requests; absent where model.json switches that off. */
  readonly warm?: WarmRequest | undefined;
  /** Rejects if the model's files are no longer those that were loaded: the lanes of a model must not hold two versions of it. */
  readonly checkFiles?: (() => Promise<void>) | undefined;
}

export type WarmRequest = Omit<Extract<LaneRequest, { kind: 'warm' }>, 'kind' | 'key'>;

/** The models that the lanes hold. */
export class Placements {
  readonly #placements = new Map<string, Placement>();
  /** The same by the key of a program's graph. */
  readonly #byGraph = new Map<string, Placement>();
  readonly #onLost: (placement: Placement, reason: string) => void;

  /** `onLost` is called with a model that could not be loaded on a thread that took another's place; it is forgotten then. */
  constructor(onLost: (placement: Placement, reason: string) => void) {
    this.#onLost = onLost;
  }

  add(placement: Placement): void {
    this.#placements.set(placement.spec.key, placement);
    this.#byGraph.set(graphKey(placement.spec.key), placement);
  }

  remove(key: string): void {
    this.#placements.delete(key);
    this.#byGraph.delete(graphKey(key));
  }

  /** The model of a key: its own, or that of its program's graph. */
  find(key: string): Placement | undefined {
    return this.#placements.get(key) ?? this.#byGraph.get(key);
  }

  /**
   * Loads all models of a lane on the thread that takes a dead one's place. A model that does not load (its file was broken in the meantime, say)
   * is lost, and the others go on. Throws LANE_LOST when the thread dies of it.
   */
  async fill(laneId: number, thread: Thread): Promise<void> {
    for (const placement of this.#placements.values()) {
      if (!placement.laneIds.includes(laneId)) continue;
      try {
        await placement.checkFiles?.();
        // It may have been unloaded in the meantime.
        if (this.#has(placement)) await fillLane(thread, { ...placement, spec: withoutDeath(placement.spec) });
      } catch (error) {
        if (thread.lost) throw error;
        if (!this.#has(placement)) continue;
        this.remove(placement.spec.key);
        this.#onLost(placement, messageOf(error));
      }
    }
  }

  #has(placement: Placement): boolean {
    return this.#placements.get(placement.spec.key) === placement;
  }
}

/** Loads and warms a model that the first lane has already loaded and examined. Throws a plain Error. */
export async function fillLane(
  thread: Thread,
  { spec, signature, warm }: Pick<Placement, 'spec' | 'signature' | 'warm'>,
): Promise<void> {
  await thread.command({ kind: 'load', model: spec, signature });
  if (warm !== undefined) await thread.command({ kind: 'warm', key: spec.key, ...warm });
}

/** A simulated death happens once, not to every thread that follows. */
function withoutDeath({ simulate, ...spec }: ModelSpec): ModelSpec {
  return simulate?.runMs === undefined ? spec : { ...spec, simulate: { runMs: simulate.runMs } };
}
