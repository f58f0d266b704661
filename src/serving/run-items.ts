import type { AdmittedItem, Clock } from '../core/ticket.ts';
import type { CpuPool } from '../cpu/pool.ts';
import type { PreparedItem } from '../cpu/protocol.ts';
import { errorOf, ServerError, toServerError } from '../errors.ts';
import type { LaneWork } from '../lanes/protocol.ts';
import type { Metrics } from '../metrics.ts';
import type { Item, Outputs, Prepared, Reply, ServeContext, Task } from '../tasks/task.ts';
import { isServed } from '../tasks/served.ts';
import { outputsByName } from './outputs.ts';
import { LaneServeContext } from './serve-context.ts';
import type { Deadline } from './deadline.ts';
import type { ServedModel } from './served-model.ts';
import type { RequestTiming } from './timing.ts';
import { limitsOf, runTicket, type Ride } from './tickets.ts';
import { ticketOf } from './work-ticket.ts';

/** An item that has run; its outputs are not finished yet. */
export interface RanOutputs {
  readonly outputs: Outputs;
  /** Of the outputs; a text counts as 16. */
  readonly bytes: number;
  readonly memo: unknown;
}

/** The result of an item's run: outputs to be finished, the reply of a task with `serve`, or an error. */
export type Ran = RanOutputs | { readonly reply: Reply } | { readonly error: ServerError };

/** Hears of items before all of them are done, with the index of the item. */
export interface ItemListener {
  readonly onEvent: (index: number, event: unknown) => void;
  readonly onReply: (index: number, reply: Reply) => void;
}

/** An item that its task's `reading` has read. */
type ReadItem = Extract<PreparedItem, { kind: 'read' }>;
type RunItem = Item | Exclude<PreparedItem, ReadItem>;

interface ItemRide extends Ride {
  readonly listener?: ItemListener | undefined;
}

/** Of several items, the slowest counts. */
function tellTimes(
  timing: RequestTiming,
  { firstRunMs = 0, firstProgressMs, lastRunMs = 0 }: LaneServeContext,
  deadline: Deadline,
): void {
  timing.totalMs = deadline.elapsedMs;
  // A text of one token ends without progress.
  const toldMs = firstProgressMs ?? lastRunMs;
  timing.promptMs = Math.max(timing.promptMs ?? 0, toldMs - firstRunMs);
  timing.writeMs = Math.max(timing.writeMs ?? 0, lastRunMs - toldMs);
}

/** Takes items through prepare and run. Each fails by itself. */
export class ItemRunner {
  readonly #cpu: CpuPool;
  readonly #metrics: Metrics;
  readonly #clock: Clock;

  constructor({ cpu, metrics, clock }: { cpu: CpuPool; metrics: Metrics; clock: Clock }) {
    this.#cpu = cpu;
    this.#metrics = metrics;
    this.#clock = clock;
  }

  /** Prepares an item, unless it is prepared, and runs its ticket; takes one permit. `index`: in the request. Never rejects. */
  async run(model: ServedModel, item: Item | PreparedItem, ride: ItemRide, index = 0): Promise<Ran> {
    try {
      if (item.kind === 'read') return await this.#serve(model, item, ride, index);
      if ((item.kind === 'json' || item.kind === 'raw') && isServed(model.task, item))
        return await this.#serve(model, item, ride, index);
      return await this.#runOne(model, item, ride);
    } catch (error) {
      return { error: toServerError(error) };
    }
  }

  /** An item of a task with `serve`: its permit stays with it until it is done. */
  async #serve(model: ServedModel, item: Item | ReadItem, ride: ItemRide, index: number): Promise<Ran> {
    const { permits, timing, listener } = ride;
    const context = new LaneServeContext({
      model,
      permits,
      cpu: this.#cpu,
      clock: this.#clock,
      limits: () => limitsOf(ride),
      run: (work, ticketRun) => runTicket(ticketOf(model, work, ticketRun.onProgress), ride, ticketRun),
      onEvent: listener === undefined ? undefined : (event) => listener.onEvent(index, event),
      onCount: (unit, amount) => {
        this.#metrics.work.inc({ model: model.name, unit }, amount);
        if (unit === 'audio_seconds') ride.timing.audioSeconds = (ride.timing.audioSeconds ?? 0) + amount;
      },
    });
    const startMs = this.#begin(ride);
    try {
      const reply = await served(model.task, item, context);
      tellTimes(timing, context, ride.deadline);
      listener?.onReply(index, reply);
      return { reply };
    } finally {
      permits.release(1);
      const endMs = this.#clock.now();
      const { firstRunMs = endMs, lastRunMs = endMs } = context;
      const readMs = item.kind === 'read' ? item.prepareMs : 0;
      this.#tellPrepared(model, readMs + firstRunMs - startMs, ride);
      const finishMs = endMs - lastRunMs;
      timing.finishMs = Math.max(timing.finishMs, finishMs);
      ride.stages?.add('prepare', startMs, firstRunMs);
      ride.stages?.add('finish', lastRunMs, endMs);
      this.#metrics.finishSeconds.observe({ model: model.name }, finishMs / 1000);
    }
  }

  async #runOne(model: ServedModel, item: RunItem, ride: Ride): Promise<Ran> {
    const startMs = this.#begin(ride);
    let prepared: Prepared;
    let ticket: AdmittedItem<LaneWork>;
    try {
      const preparing = this.#prepare(model, item, ride);
      prepared = preparing instanceof Promise ? await preparing : preparing;
      ticket = ticketOf(model, prepared);
    } catch (error) {
      ride.permits.release(1);
      throw error;
    }
    const isPrepared = item.kind === 'prepared';
    const endMs = this.#clock.now();
    this.#tellPrepared(model, isPrepared ? item.prepareMs : endMs - startMs, ride);
    if (!isPrepared) ride.stages?.add('prepare', startMs, endMs);
    const tensors = await runTicket(ticket, ride);
    const { promptTokens } = prepared;
    if (promptTokens !== undefined) ride.timing.promptTokens = (ride.timing.promptTokens ?? 0) + promptTokens;
    const { outputs, bytes } = outputsByName(model.signature, tensors);
    return { outputs, bytes, memo: prepared.memo };
  }

  /** The time now. Items are begun in slices, so the request may be over before a later slice is prepared. Throws CANCELLED, DEADLINE_EXCEEDED. */
  #begin({ cancellation, deadline }: Ride): number {
    if (cancellation.cancelled) throw new ServerError('CANCELLED');
    const nowMs = this.#clock.now();
    if (nowMs >= deadline.atMs) throw new ServerError('DEADLINE_EXCEEDED');
    return nowMs;
  }

  #prepare({ task, taskSource }: ServedModel, item: RunItem, ride: Ride): Prepared | Promise<Prepared> {
    if (item.kind === 'prepared') return item.prepared;
    if (item.kind === 'refused') throw errorOf(item);
    if (task.isLight(item)) return task.prepare(item);
    const job = { kind: 'call' as const, source: taskSource, name: 'prepare', argument: item };
    return this.#cpu.run(job, limitsOf(ride)) as Promise<Prepared>;
  }

  #tellPrepared({ name }: ServedModel, prepareMs: number, { timing }: Ride): void {
    timing.prepareMs = Math.max(timing.prepareMs, prepareMs);
    this.#metrics.prepareSeconds.observe({ model: name }, prepareMs / 1000);
  }
}

function served({ serve, reading }: Task, item: Item | ReadItem, context: ServeContext): Promise<Reply> {
  if (item.kind === 'read') {
    if (reading !== undefined) return reading.serve(item.read as never, context);
  } else if (serve !== undefined) return serve(item, context);
  throw new ServerError('INTERNAL', undefined, { cause: new Error('the task does not serve such items') });
}
