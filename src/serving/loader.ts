import { messageOf, ServerError } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import type { CpuPool } from '../cpu/pool.ts';
import type { Lanes } from '../lanes/lanes.ts';
import { fillLane } from '../lanes/placements.ts';
import { graphKey } from '../lanes/protocol.ts';
import type { ModelLoader } from '../repository/changes.ts';
import type { ModelSource } from '../repository/source.ts';
import { planLoad, type PlannerParts } from './load-plan.ts';
import { queuesOf, type ServedModel } from './served-model.ts';
import type { TensorCore } from './tickets.ts';
import { TrialMemory } from './trial-memory.ts';

export interface LoaderParts extends PlannerParts {
  readonly lanes: Lanes;
  readonly core: TensorCore;
  readonly cpu: Pick<CpuPool, 'run' | 'forget'>;
  readonly metrics: Metrics;
}

/** Tries of a load: a lane may die of other work, but one that dies of the model dies again. */
const LOAD_TRIES = 3;

/**
 * Brings a model version from its folder to the lanes: the first lane finds out what the others need, the others load it too, then the core takes
 * requests for it. If anything fails, nothing of the model stays behind.
 */
export class Loader implements ModelLoader<ServedModel> {
  readonly #parts: LoaderParts;
  /** By key, and by that of their graph. */
  readonly #models = new Map<string, ServedModel>();
  #loads = 0;

  constructor(parts: LoaderParts) {
    this.#parts = { memory: new TrialMemory(), ...parts };
  }

  /** A model that is loaded, by its key or that of its graph. */
  find(key: string): ServedModel | undefined {
    return this.#models.get(key);
  }

  /** Throws LANE_LOST if lanes died at every try, else a plain Error that says what is wrong with the model. */
  async load(source: ModelSource): Promise<ServedModel> {
    for (let tries = 1; ; tries += 1) {
      // A lane that is being replaced takes no model.
      await this.#parts.lanes.replaced();
      try {
        return await this.#load(source);
      } catch (error) {
        if (!(error instanceof ServerError && error.code === 'LANE_LOST')) throw error;
        const why = messageOf(error.cause ?? error);
        if (tries === LOAD_TRIES)
          throw new ServerError('LANE_LOST', `a lane died each of the ${LOAD_TRIES} times that it was tried: ${why}`, {
            cause: error,
          });
        this.#parts.log.warn({ model: source.name, why }, 'a lane died during the load; trying again');
      }
    }
  }

  isBusy(model: ServedModel): boolean {
    return queuesOf(model).some((queue) => this.#parts.core.depth(queue).permits > 0);
  }

  async unload({ key, name: model, version }: ServedModel): Promise<void> {
    const { core, lanes, cpu, metrics } = this.#parts;
    await Promise.all([core.removeModel(key), core.removeModel(graphKey(key))]);
    this.#forget(key);
    await lanes.unload(key);
    cpu.forget(key);
    metrics.modelLoadSeconds.remove({ model, version });
    metrics.modelFileBytes.remove({ model, version });
  }

  async #load(source: ModelSource): Promise<ServedModel> {
    const { lanes, cpu, metrics } = this.#parts;
    const { devices, lanes: most } = source.manifest;
    const startMs = performance.now();
    this.#loads += 1;
    const key = `${source.name}/${source.version}#${this.#loads}`;
    await lanes.startFor(devices);
    const laneIds = lanes.choose(devices, most);
    try {
      const model = await this.#place(key, source, laneIds);
      const labels = { model: model.name, version: model.version };
      metrics.modelLoadSeconds.set(labels, (performance.now() - startMs) / 1000);
      metrics.modelFileBytes.set(labels, model.fileBytes);
      return model;
    } catch (error) {
      this.#forget(key);
      await lanes.unload(key, laneIds);
      cpu.forget(key);
      throw error;
    }
  }

  async #place(key: string, source: ModelSource, laneIds: readonly number[]): Promise<ServedModel> {
    const { lanes, core } = this.#parts;
    const threads = laneIds.map((id) => lanes.thread(id));
    const [thread, ...others] = threads;
    if (thread === undefined) throw new Error('there is no lane');
    const order = { key, source, laneIds, lanes: laneIds.map((id) => lanes.planOf(id)), thread };
    const { placement, model, queues } = await planLoad(order, this.#parts);
    for (const other of others) await fillLane(other, placement);
    // Nothing is awaited from here on, so a lane that is replaced later gets the model, and the core knows it.
    lanes.place(placement, threads);
    for (const [queue, options] of queues) {
      this.#models.set(queue, model);
      core.addModel(queue, options);
    }
    return model;
  }

  #forget(key: string): void {
    for (const queue of [key, graphKey(key)]) this.#models.delete(queue);
  }
}
