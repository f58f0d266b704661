import { setMaxListeners } from 'node:events';
import type { Clock } from '../core/ticket.ts';
import { ServerError } from '../errors.ts';
import type { CpuLimits, CpuPool } from '../cpu/pool.ts';
import type { Outputs, ServeContext, Work } from '../tasks/task.ts';
import type { Tensor } from '../tensors/tensor.ts';
import { outputsByName } from './outputs.ts';
import type { ServedModel } from './served-model.ts';
import type { Permits, TicketRun } from './tickets.ts';

/** How a ticket of an item is run. */
export interface ServeRun extends TicketRun {
  readonly onProgress?: ((progress: unknown) => void) | undefined;
}

export interface ServeContextParts {
  readonly model: ServedModel;
  /** Holds one permit for this item; further permits are taken and given back here. */
  readonly permits: Permits;
  readonly cpu: CpuPool;
  readonly clock: Clock;
  readonly limits: () => CpuLimits;
  readonly run: (work: Work, options: ServeRun) => Promise<readonly Tensor[]>;
  readonly onEvent: ((event: unknown) => void) | undefined;
  readonly onCount: (unit: string, amount: number) => void;
}

/** What one item's `serve` may use. Records when its tickets ran. */
export class LaneServeContext implements ServeContext {
  readonly streaming: boolean;
  /** On the clock: when its first ticket was made, and when its last one ended. */
  firstRunMs: number | undefined;
  lastRunMs: number | undefined;
  /** When a run first told progress. */
  firstProgressMs: number | undefined;
  readonly #parts: ServeContextParts;

  constructor(parts: ServeContextParts) {
    this.#parts = parts;
    this.streaming = parts.onEvent !== undefined;
  }

  async run(work: Work, onProgress?: (progress: unknown) => void, signal?: AbortSignal): Promise<Outputs> {
    this.firstRunMs ??= this.#parts.clock.now();
    const hear = (progress: unknown): void => {
      this.firstProgressMs ??= this.#parts.clock.now();
      onProgress?.(progress);
    };
    try {
      const tensors = await this.#parts.run(work, { lent: true, onProgress: hear, signal });
      return outputsByName(this.#parts.model.signature, tensors).outputs;
    } finally {
      this.lastRunMs = this.#parts.clock.now();
    }
  }

  async runEach<Result>(
    count: number,
    part: (index: number, run: (work: Work) => Promise<Outputs>) => Promise<Result>,
  ): Promise<readonly Result[]> {
    const { permits, model } = this.#parts;
    const results: Result[] = [];
    const failures: unknown[] = [];
    const abort = new AbortController();
    // One for each ticket that runs.
    setMaxListeners(0, abort.signal);
    const run = (work: Work): Promise<Outputs> => this.run(work, undefined, abort.signal);
    let next = 0;
    const follow = async (): Promise<void> => {
      while (next < count && !abort.signal.aborted) {
        const index = next;
        next += 1;
        try {
          results[index] = await part(index, run);
        } catch (error) {
          failures.push(error);
          abort.abort();
        }
      }
    };
    const most = Math.min(count, model.description.maxItems * model.description.devices.length);
    const followers = [follow()];
    while (followers.length < most && permits.tryTake()) followers.push(follow().finally(() => permits.release(1)));
    await Promise.all(followers);
    // The first failure is the reason; the others follow from it.
    if (failures.length > 0) throw failures[0];
    return results;
  }

  async call(
    name: string,
    argument: unknown,
    { light = false, give }: { light?: boolean; give?: readonly ArrayBuffer[] } = {},
  ): Promise<unknown> {
    const { model, cpu, limits } = this.#parts;
    const call = model.task.calls?.[name];
    if (call === undefined)
      throw new ServerError('INTERNAL', undefined, { cause: new Error(`the task has no call ${name}`) });
    if (light) return call(argument as never);
    const request = { kind: 'call' as const, source: model.taskSource, name, argument };
    return cpu.run(give === undefined ? request : { ...request, give }, limits());
  }

  count(unit: string, amount: number): void {
    this.#parts.onCount(unit, amount);
  }

  leftMs(): number {
    return this.#parts.limits().limitMs;
  }

  onLeave(callback: () => void): () => void {
    const { cancellation } = this.#parts.limits();
    const work = { cancel: callback };
    cancellation?.add(work);
    return () => cancellation?.remove(work);
  }

  emit(event: unknown): void {
    this.#parts.onEvent?.(event);
  }
}
