import type { Clock } from '../core/ticket.ts';
import { DEFAULT_PRIORITY } from '../core/ticket.ts';
import type { Admission } from '../core/admission.ts';
import type { Core, Depth } from '../core/core.ts';
import { ServerError, toServerError } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import type { CpuLimits, CpuPool, PreparedItem } from '../pool/cpu.ts';
import { ownTensor, shapeKey, split, stack } from '../rows.ts';
import { elementCount, type Tensor } from '../tensor.ts';
import type { Item, Prepared, Reply } from '../tasks/task.ts';
import type { Cancellation } from './cancellation.ts';
import type { ServedModel } from './served-model.ts';
import { addTicket, emptyTiming, type RequestTiming } from './timing.ts';

export type TensorCore = Core<readonly Tensor[], readonly Tensor[]>;

export interface SubmitOptions {
  readonly cancellation: Cancellation;
  /** 1 (highest) to 3. */
  readonly priority?: number;
  /** Shortens the model's own time limit, never lengthens it. */
  readonly timeoutMs?: number;
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
    const deadlineMs = this.#deadline(model, options);
    const admission = this.#admit(model, { items: items.length, deadlineMs, options });
    const timing = emptyTiming();
    try {
      const results = await Promise.all(
        items.map(async (item): Promise<ItemResult> => {
          try {
            return { ok: true, reply: await this.#item(model, item, { admission, deadlineMs, options, timing }) };
          } catch (error) {
            return { ok: false, error: toServerError(error) };
          }
        }),
      );
      for (const result of results)
        this.#metrics.items.inc({ model: model.name, outcome: result.ok ? 'ok' : result.error.code });
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
    const deadlineMs = this.#deadline(model, options);
    const admission = this.#admit(model, { items: request.rows, deadlineMs, options });
    const timing = emptyTiming();
    try {
      const blocks = cutRows(model, request);
      const outputs = await Promise.all(
        blocks.map(({ inputs, rows }) =>
          this.#run(model, { inputs, rows, cost: rows }, { admission, deadlineMs, options, timing }),
        ),
      );
      this.#metrics.items.inc({ model: model.name, outcome: 'ok' }, request.rows);
      return { outputs: joinRows(model, outputs), timing };
    } catch (error) {
      this.#metrics.items.inc({ model: model.name, outcome: toServerError(error).code }, request.rows);
      throw error;
    } finally {
      admission.close();
    }
  }

  #deadline(model: ServedModel, { timeoutMs }: SubmitOptions): number {
    return this.#clock.now() + Math.min(timeoutMs ?? Infinity, model.timeoutMs);
  }

  #admit(
    model: ServedModel,
    { items, deadlineMs, options }: { items: number; deadlineMs: number; options: SubmitOptions },
  ): Admission<readonly Tensor[], readonly Tensor[]> {
    return this.#core.admit({ modelKey: model.key, items, priority: options.priority ?? DEFAULT_PRIORITY, deadlineMs });
  }

  async #item(model: ServedModel, item: Item | PreparedItem, walk: Walk): Promise<Reply> {
    const startMs = this.#clock.now();
    let prepared: Prepared;
    try {
      prepared = await this.#prepare(model, item, walk);
    } catch (error) {
      walk.admission.release(1);
      throw error;
    }
    const preparedMs = this.#clock.now();
    walk.timing.prepareMs = Math.max(walk.timing.prepareMs, preparedMs - startMs);
    this.#metrics.prepareSeconds.observe({ model: model.name }, (preparedMs - startMs) / 1000);
    const outputs = await this.#run(model, { inputs: inOrder(model, prepared), rows: 1, cost: prepared.cost }, walk);
    const finishMs = this.#clock.now();
    const reply = await this.#finish(model, outputs, { memo: prepared.memo, walk });
    const spentMs = this.#clock.now() - finishMs;
    walk.timing.finishMs = Math.max(walk.timing.finishMs, spentMs);
    this.#metrics.finishSeconds.observe({ model: model.name }, spentMs / 1000);
    return reply;
  }

  async #prepare(model: ServedModel, item: Item | PreparedItem, walk: Walk): Promise<Prepared> {
    if (item.kind === 'prepared') return item.prepared;
    if (item.kind === 'refused') throw new ServerError(item.code, item.message);
    if (model.task.isLight(item)) return model.task.prepare(item);
    return this.#cpu.run({ kind: 'prepare', source: model.taskSource, item }, this.#limits(walk));
  }

  async #finish(
    model: ServedModel,
    tensors: readonly Tensor[],
    { memo, walk }: { memo: unknown; walk: Walk },
  ): Promise<Reply> {
    const outputs: Record<string, Tensor> = {};
    let bytes = 0;
    for (const [index, { name }] of model.signature.outputs.entries()) {
      const tensor = tensors[index];
      if (tensor === undefined) continue;
      outputs[name] = tensor;
      bytes += tensor.datatype === 'BYTES' ? tensor.data.length * 16 : tensor.data.byteLength;
    }
    if (model.task.isLightReply(bytes)) return model.task.finish(outputs, memo);
    return this.#cpu.run(
      { kind: 'finish', source: model.taskSource, outputs: owned(outputs), memo },
      this.#limits(walk),
    );
  }

  async #run(
    model: ServedModel,
    work: { inputs: readonly Tensor[]; rows: number; cost: number },
    { admission, options, timing }: Walk,
  ): Promise<readonly Tensor[]> {
    if (options.cancellation.cancelled) throw new ServerError('CANCELLED');
    // A dimension of 0 can end the whole process inside ONNX Runtime.
    if (work.inputs.some(({ shape }) => elementCount(shape) === 0))
      throw new ServerError('INVALID_INPUT', 'An input has no elements.');
    const ticket = admission.enqueue({
      payload: work.inputs,
      items: work.rows,
      cost: work.cost,
      shapeKey: shapeKey(model.signature, work.inputs),
    });
    options.cancellation.onCancel(() => ticket.cancel());
    const reply = await ticket.done;
    addTicket(timing, reply.timing);
    return reply.result;
  }

  #limits({ deadlineMs, options }: Walk): CpuLimits {
    return { limitMs: deadlineMs - this.#clock.now(), cancellation: options.cancellation };
  }
}

/** What one item carries along its way. */
interface Walk {
  readonly admission: Admission<readonly Tensor[], readonly Tensor[]>;
  readonly deadlineMs: number;
  readonly options: SubmitOptions;
  readonly timing: RequestTiming;
}

function inOrder(model: ServedModel, { inputs }: Prepared): Tensor[] {
  return model.signature.inputs.map(({ name }) => {
    const tensor = inputs[name];
    if (tensor === undefined)
      throw new ServerError('INTERNAL', undefined, { cause: new Error(`prepare gave no input ${name}`) });
    return tensor;
  });
}

/** Outputs of this ticket alone: they are handed to another thread. */
function owned(outputs: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, ownTensor(tensor)]));
}

function cutRows(
  model: ServedModel,
  { inputs, rows }: { inputs: readonly Tensor[]; rows: number },
): { inputs: readonly Tensor[]; rows: number }[] {
  const most = model.description.maxItems;
  if (rows <= most) return [{ inputs, rows }];
  const sizes = Array.from({ length: Math.ceil(rows / most) }, (_, block) => Math.min(most, rows - block * most));
  const cut = model.signature.inputs.map(({ batchAxis }, index) => {
    const tensor = inputs[index];
    if (tensor === undefined) throw new ServerError('INTERNAL');
    const parts = batchAxis === null ? sizes.map(() => tensor) : split(tensor, batchAxis, sizes);
    // Each ticket gives its buffers away, so none may share one.
    return parts.map((part) => (part.datatype === 'BYTES' ? part : { ...part, data: part.data.slice() }));
  });
  return sizes.map((size, block) => ({
    rows: size,
    inputs: cut.map((parts) => parts[block]).filter((part) => part !== undefined),
  }));
}

function joinRows(model: ServedModel, blocks: readonly (readonly Tensor[])[]): readonly Tensor[] {
  const [first] = blocks;
  if (blocks.length === 1 && first !== undefined) return first;
  return model.signature.outputs.map(({ batchAxis }, index) => {
    const parts = blocks.map((tensors) => tensors[index]).filter((tensor) => tensor !== undefined);
    return stack(batchAxis === null ? parts.slice(0, 1) : parts, batchAxis ?? 0);
  });
}
