import type { Clock } from '../core/ticket.ts';
import { DEFAULT_PRIORITY } from '../core/ticket.ts';
import type { Admission, AdmittedItem } from '../core/admission.ts';
import type { Core, Depth } from '../core/core.ts';
import { ServerError, toServerError } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import type { CpuLimits, CpuPool, PreparedItem } from '../cpu/pool.ts';
import type { LaneWork } from '../lanes/protocol.ts';
import { shapeKey } from '../tensors/rows.ts';
import type { Tensor } from '../tensors/tensor.ts';
import type { Item, Prepared, Reply } from '../tasks/task.ts';
import { inSlices } from '../slices.ts';
import { cutRows, joinRows, type Block } from './blocks.ts';
import { Cancellation } from './cancellation.ts';
import type { Deadline } from './deadline.ts';
import { LaneServeContext, type TicketRun } from './serve-context.ts';
import { costOf, rowsTogether } from './run-size.ts';
import { refuseEmpty } from './refuse-empty.ts';
import type { ServedGraph, ServedModel } from './served-model.ts';
import { outputsByName, ownOutputs } from './outputs.ts';
import { addTicket, emptyTiming, type RequestTiming } from './timing.ts';
import { ticketOf } from './work-ticket.ts';

export type TensorCore = Core<LaneWork, readonly Tensor[]>;

export interface SubmitOptions {
  readonly cancellation: Cancellation;
  /** 1 (highest) to 3. */
  readonly priority?: number;
  /** The request's; the model's own limit shortens it. */
  readonly deadline: Deadline;
  /** How long the request's items took to prepare before it is submitted. */
  readonly prepareMs?: number;
  /** Hears what a task tells of its items before they are done; the number is the item's. */
  readonly onEvent?: (index: number, event: unknown) => void;
  /** Hears of each item when it is done, before the others are. */
  readonly onResult?: (index: number, result: ItemResult) => void;
}

export type ItemResult =
  { readonly ok: true; readonly reply: Reply } | { readonly ok: false; readonly error: ServerError };

/**
 * The one door to inference, for HTTP and jobs alike: takes permits for all of a request at once, prepares, queues, finishes. A
 * request is refused whole (QUEUE_FULL, WAIT_TOO_LONG, ...) or let in whole; after that each item stands for itself.
 */
export class Submitter {
  readonly #core: TensorCore;
  readonly #cpu: CpuPool;
  readonly #metrics: Metrics;
  readonly #clock: Clock;

  constructor(parts: { core: TensorCore; cpu: CpuPool; metrics: Metrics; clock: Clock }) {
    this.#core = parts.core;
    this.#cpu = parts.cpu;
    this.#metrics = parts.metrics;
    this.#clock = parts.clock;
  }

  /** Whether a further item of this model would be refused now; cheap, so that it can be asked before a body is read. */
  isFull(model: ServedModel): boolean {
    return this.#core.isFull(model.key);
  }

  /** The refusal such an item would get. */
  refusal(model: ServedModel): ServerError {
    this.#metrics.rejects.inc({ model: model.name, reason: 'QUEUE_FULL' });
    return new ServerError('QUEUE_FULL', undefined, {
      retryAfterMs: Math.max(1, this.#core.predictedWaitMs(model.key)),
    });
  }

  /** Items waiting and running, permits taken, permits there are. */
  queueOf(model: ServedModel): Depth {
    return this.#core.depth(model.key);
  }

  /** Serves items of the model's task, prepared already or not; results in the order of the items. Throws a ServerError when the request as a whole is refused. */
  async items(
    model: ServedModel,
    items: readonly (Item | PreparedItem)[],
    options: SubmitOptions,
  ): Promise<{ results: ItemResult[]; timing: RequestTiming }> {
    options.deadline.shorten(model.timeoutMs);
    const admission = this.#admit(model.key, items.length, options);
    const timing = emptyTiming();
    timing.prepareMs = options.prepareMs ?? 0;
    try {
      const started: Promise<ItemResult>[] = [];
      // Thousands of items are not begun in one go: each costs the main thread some time.
      await inSlices(items, (item, index) => {
        started.push(this.#itemResult(model, item, { admission, options, timing, index }));
      });
      const results = await Promise.all(started);
      this.#countItems(model, results);
      return { results, timing };
    } finally {
      admission.close();
    }
  }

  /**
   * Runs a model's graph on tensors (signature order) of `rows` rows each along the batch axes; more rows than a batch holds are cut
   * into several tickets and joined again. Outputs in signature order.
   */
  async tensors(
    model: ServedModel,
    request: { inputs: readonly Tensor[]; rows: number },
    options: SubmitOptions,
  ): Promise<{ outputs: readonly Tensor[]; timing: RequestTiming }> {
    const { graph, description } = model;
    if (graph === undefined) throw new ServerError('BAD_REQUEST', 'The tensors of this model are not served.');
    options.deadline.shorten(model.timeoutMs);
    refuseEmpty(graph.signature, request.inputs);
    const admission = this.#admit(graph.key, request.rows, options);
    const timing = emptyTiming();
    try {
      model.task.checkTensors?.(request.inputs);
      const limits = { maxItems: description.maxItems, maxCost: this.#core.costOfRun(graph.key) };
      const blocks = cutRows(graph.signature, request, rowsTogether(graph, request, limits));
      const outputs = await this.#runBlocks(graph, blocks, { admission, options, timing });
      this.#metrics.items.inc({ model: model.name, outcome: 'ok' }, request.rows);
      return { outputs: joinRows(graph.signature, outputs), timing };
    } catch (error) {
      this.#metrics.items.inc({ model: model.name, outcome: toServerError(error).code }, request.rows);
      throw error;
    } finally {
      admission.close();
    }
  }

  /** Outputs of each block; where one fails, the others are of no use to anybody. */
  async #runBlocks(graph: ServedGraph, blocks: readonly Block[], walk: Walk): Promise<(readonly Tensor[])[]> {
    const tickets = blocks.map(({ inputs, rows }) => {
      const cost = costOf(graph, inputs);
      return { payload: { inputs }, items: rows, cost, shapeKey: shapeKey(graph.signature, inputs) };
    });
    const [only] = tickets;
    if (only !== undefined && tickets.length === 1) return [await this.#run(only, walk)];
    const cancellation = new Cancellation();
    walk.options.cancellation.add(cancellation);
    const options = { ...walk.options, cancellation };
    try {
      return await Promise.all(tickets.map((ticket) => this.#run(ticket, { ...walk, options })));
    } catch (error) {
      cancellation.cancel();
      throw error;
    } finally {
      walk.options.cancellation.remove(cancellation);
    }
  }

  /**
   * Calls one of the functions of a model's task by name, on the CPU pool or, where `light`, here. Throws a ServerError: BAD_REQUEST
   * where the task has no such function, and what the function throws.
   */
  async call(
    model: ServedModel,
    { name, argument, light = false }: { name: string; argument: unknown; light?: boolean },
    options: SubmitOptions,
  ): Promise<unknown> {
    const call = model.task.calls?.[name];
    if (call === undefined)
      throw new ServerError('BAD_REQUEST', `The task ${model.description.task} does not offer "${name}".`);
    if (light) return call(argument as never);
    options.deadline.shorten(model.timeoutMs);
    const request = { kind: 'call' as const, source: model.taskSource, name, argument };
    return this.#cpu.run(request, limitsOf(options));
  }

  async #itemResult(
    model: ServedModel,
    item: Item | PreparedItem,
    walk: Walk & { readonly index: number },
  ): Promise<ItemResult> {
    let result: ItemResult;
    try {
      const reply =
        model.task.serve !== undefined && (item.kind === 'json' || item.kind === 'raw')
          ? await this.#serve(model, item, walk)
          : await this.#item(model, item, walk);
      result = { ok: true, reply };
    } catch (error) {
      result = { ok: false, error: toServerError(error) };
    }
    walk.options.onResult?.(walk.index, result);
    return result;
  }

  #countItems({ name }: ServedModel, results: readonly ItemResult[]): void {
    const outcomes = new Map<string, number>();
    for (const result of results) {
      const outcome = result.ok ? 'ok' : result.error.code;
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    for (const [outcome, count] of outcomes) this.#metrics.items.inc({ model: name, outcome }, count);
  }

  #admit(
    modelKey: string,
    items: number,
    { priority = DEFAULT_PRIORITY, deadline }: SubmitOptions,
  ): Admission<LaneWork, readonly Tensor[]> {
    return this.#core.admit({ modelKey, items, priority, deadlineMs: deadline.atMs });
  }

  /** An item of a task that serves by itself: its permit stays with it until it is done. */
  async #serve(model: ServedModel, item: Item, walk: Walk & { readonly index: number }): Promise<Reply> {
    const { serve } = model.task;
    if (serve === undefined) throw new ServerError('INTERNAL');
    const { admission, timing, options, index } = walk;
    const { onEvent } = options;
    const context = new LaneServeContext({
      model,
      admission,
      cpu: this.#cpu,
      clock: this.#clock,
      limits: () => limitsOf(options),
      run: (work, ticketRun) => this.#run(ticketOf(model, work, ticketRun.onProgress), walk, ticketRun),
      onEvent: onEvent === undefined ? undefined : (event) => onEvent(index, event),
      onCount: (unit, amount) => this.#metrics.work.inc({ model: model.name, unit }, amount),
    });
    const startMs = this.#begin(options);
    try {
      return await serve(item, context);
    } finally {
      admission.release(1);
      const endMs = this.#clock.now();
      const { firstRunMs = endMs, lastRunMs = endMs } = context;
      this.#tellPrepared(model, firstRunMs - startMs, timing);
      this.#tellFinished(model, endMs - lastRunMs, timing);
    }
  }

  async #item(model: ServedModel, item: Item | PreparedItem, walk: Walk): Promise<Reply> {
    const startMs = this.#begin(walk.options);
    let prepared: Prepared;
    let ticket: AdmittedItem<LaneWork>;
    try {
      prepared = await this.#prepare(model, item, walk);
      ticket = ticketOf(model, prepared);
    } catch (error) {
      walk.admission.release(1);
      throw error;
    }
    const prepareMs = item.kind === 'prepared' ? item.prepareMs : this.#clock.now() - startMs;
    this.#tellPrepared(model, prepareMs, walk.timing);
    const outputs = await this.#run(ticket, walk);
    const ranMs = this.#clock.now();
    const reply = await this.#finish(model, outputs, { memo: prepared.memo, walk });
    this.#tellFinished(model, this.#clock.now() - ranMs, walk.timing);
    return reply;
  }

  /** The time. Thousands of items are begun in slices: what comes late is not prepared for nobody. Throws CANCELLED, DEADLINE_EXCEEDED. */
  #begin({ cancellation, deadline }: SubmitOptions): number {
    if (cancellation.cancelled) throw new ServerError('CANCELLED');
    const nowMs = this.#clock.now();
    if (nowMs >= deadline.atMs) throw new ServerError('DEADLINE_EXCEEDED');
    return nowMs;
  }

  #tellPrepared({ name }: ServedModel, prepareMs: number, timing: RequestTiming): void {
    timing.prepareMs = Math.max(timing.prepareMs, prepareMs);
    this.#metrics.prepareSeconds.observe({ model: name }, prepareMs / 1000);
  }

  #tellFinished({ name }: ServedModel, finishMs: number, timing: RequestTiming): void {
    timing.finishMs = Math.max(timing.finishMs, finishMs);
    this.#metrics.finishSeconds.observe({ model: name }, finishMs / 1000);
  }

  async #prepare(model: ServedModel, item: Item | PreparedItem, walk: Walk): Promise<Prepared> {
    if (item.kind === 'prepared') return item.prepared;
    if (item.kind === 'refused') throw new ServerError(item.code, item.message);
    if (model.task.isLight(item)) return model.task.prepare(item);
    return this.#cpu.run({ kind: 'prepare', source: model.taskSource, item }, limitsOf(walk.options));
  }

  async #finish(
    model: ServedModel,
    tensors: readonly Tensor[],
    { memo, walk }: { memo: unknown; walk: Walk },
  ): Promise<Reply> {
    const { outputs, bytes } = outputsByName(model.signature, tensors);
    if (model.task.isLightReply(bytes)) return model.task.finish(outputs, memo);
    return this.#cpu.run(
      { kind: 'finish', source: model.taskSource, outputs: ownOutputs(outputs), memo },
      limitsOf(walk.options),
    );
  }

  async #run(
    item: AdmittedItem<LaneWork>,
    { admission, options, timing }: Walk,
    { lent = false, signal }: TicketRun = {},
  ): Promise<readonly Tensor[]> {
    if (options.cancellation.cancelled || signal?.aborted === true) throw new ServerError('CANCELLED');
    const ticket = lent ? admission.lend(item) : admission.enqueue(item);
    options.cancellation.add(ticket);
    const stop = (): void => ticket.cancel();
    signal?.addEventListener('abort', stop, { once: true });
    try {
      const reply = await ticket.done;
      addTicket(timing, reply.timing);
      return reply.result;
    } finally {
      options.cancellation.remove(ticket);
      signal?.removeEventListener('abort', stop);
    }
  }
}

/** For a call that begins now. */
function limitsOf({ deadline, cancellation }: SubmitOptions): CpuLimits {
  return { limitMs: deadline.leftMs(), cancellation };
}

/** What one item carries along its way. */
interface Walk {
  readonly admission: Admission<LaneWork, readonly Tensor[]>;
  readonly options: SubmitOptions;
  readonly timing: RequestTiming;
}
