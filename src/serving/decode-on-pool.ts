import { unpackChunks } from '../cpu/parcel.ts';
import type { CpuPool } from '../cpu/pool.ts';
import type { CpuModels, Decoded, DecodedItems, DecodedRequest, DecodeJob, PreparedItem } from '../cpu/protocol.ts';
import { operationNamed, sharingPathsOf } from '../dialects/operations.ts';
import type { CallOperation, ItemsOperation, TensorModel, TensorsOperation } from '../dialects/shared/operation.ts';
import { errorOf, ServerError } from '../errors.ts';
import type { Item } from '../tasks/task.ts';
import { givenFor, type Reading } from './call.ts';
import type { ModelChooser } from './choose-model.ts';
import { ownOutputs } from './outputs.ts';
import type { ServedModel } from './served-model.ts';
import { limitsOf } from './tickets.ts';

/** Bodies that may wait for a CPU thread, for each thread. They hold no permits yet, because only decoding shows their model. */
const WAITING_BODIES = 256;
const RETRY_AFTER_MS = 1000;

/** A body as a thread has decoded it, and the models among which it could choose, by key. */
export interface DecodedBody {
  readonly decoded: Decoded;
  readonly served: ReadonlyMap<string, ServedModel>;
}

/** Items ready to be run, or to be prepared one by one. */
export interface ReadyItems {
  readonly items: readonly (Item | PreparedItem)[];
  readonly options: unknown;
  readonly luggage?: Uint8Array | undefined;
  /** Time that preparing all of them took; absent if they are not prepared. */
  readonly prepareMs?: number;
}

/** Has bodies decoded on the CPU pool, and their items prepared in the same job by the task of their model. */
export class PoolDecoder {
  readonly #cpu: CpuPool;
  readonly #models: ModelChooser;
  #waiting = 0;

  constructor(cpu: CpuPool, models: ModelChooser) {
    this.#cpu = cpu;
    this.#models = models;
  }

  /**
   * Decodes a body that has no permits yet. The room of each model is looked up when a thread takes the job, because it changes while the body
   * waits. Throws QUEUE_FULL if too many wait, and what decoding throws, in the dialect of the operation that the body turned out to be for.
   */
  async decode({ entry, call, context }: Reading<ItemsOperation | CallOperation>): Promise<DecodedBody> {
    const { operation } = entry;
    const served = new Map<string, ServedModel>();
    const operations = [operation, ...sharingPathsOf(operation)];
    const make = (): DecodeJob => {
      const models: Record<string, CpuModels> = {};
      for (const one of operations) {
        const { list, ...candidates } = this.#models.candidates(one, givenFor(entry, one));
        models[one.name] = candidates;
        for (const model of list) served.set(model.taskSource.key, model);
      }
      return { kind: 'decode', operation: operation.name, body: call.body, context, models };
    };
    const key = entry.model?.taskSource.key ?? this.#models.onlyLoaded(operation)?.taskSource.key ?? '';
    return { decoded: await this.#inTurn(key, make, call), served };
  }

  /** Decodes a body again and prepares its items, which have their permits: handing over the body costs less than handing over decoded items. */
  async prepare({ entry, call, context }: Reading<ItemsOperation>, model: ServedModel, count: number) {
    const { name, version, taskSource: source } = model;
    const all = [{ name, version, aliases: [], isCurrent: true, source, room: count }];
    const models = { [entry.operation.name]: { all, unnamed: source.key, isGiven: true, takesAnyName: false } };
    const job: DecodeJob = { kind: 'decode', operation: entry.operation.name, body: call.body, context, models };
    const decoded = await this.#cpu.run<'decode'>(job, limitsOf(call.requester));
    if (decoded.kind === 'refused') throw errorOf(decoded.error);
    const { request } = ofItems(decoded);
    if (request === undefined) throw new Error('a thread has found other items than the main thread');
    return unpacked(request);
  }

  /** Decodes a body on tensors. */
  async tensors({ entry, call, context }: Reading<TensorsOperation>, model: ServedModel) {
    const { name } = entry.operation;
    const tensorModel = tensorModelOf(model);
    const job: DecodeJob = { kind: 'decode', operation: name, body: call.body, context, models: {}, tensorModel };
    const decoded = await this.#inTurn(model.taskSource.key, () => job, call);
    if (decoded.kind !== 'tensors') throw new Error(`a thread answered tensors with ${decoded.kind}`);
    return decoded.request;
  }

  async #inTurn(key: string, make: () => DecodeJob, { requester }: Reading['call']): Promise<Decoded> {
    if (this.#waiting >= this.#cpu.threads * (1 + WAITING_BODIES))
      throw new ServerError('QUEUE_FULL', 'Too many large bodies are waiting to be read.', {
        retryAfterMs: RETRY_AFTER_MS,
      });
    this.#waiting += 1;
    try {
      const decoded = await this.#cpu.runLate<'decode'>(key, make, limitsOf(requester));
      if (decoded.kind !== 'refused') return decoded;
      requester.dialect = operationNamed(decoded.operation).dialect;
      throw errorOf(decoded.error);
    } finally {
      this.#waiting -= 1;
    }
  }
}

export function ofItems(decoded: Decoded): DecodedItems {
  if (decoded.kind !== 'items') throw new Error(`a thread answered items with ${decoded.kind}`);
  return decoded;
}

/** Items with tensors of their own: they come in one buffer, and each ticket gives its tensors away. */
export async function unpacked({ items, options, luggage, prepareMs }: DecodedRequest): Promise<ReadyItems> {
  if ('values' in items) return { items: items.values, options, luggage, prepareMs };
  const all: (Item | PreparedItem)[] = [];
  await unpackChunks(items.chunks, (item) => void all.push(owned(item as Item | PreparedItem)));
  return { items: all, options, luggage, prepareMs };
}

function owned(item: Item | PreparedItem): Item | PreparedItem {
  if (item.kind !== 'prepared') return item;
  return { ...item, prepared: { ...item.prepared, inputs: ownOutputs(item.prepared.inputs) } };
}

/** What codecs of tensors may know of a model. */
export function tensorModelOf({ description }: ServedModel): TensorModel {
  const { name, version, signature, labels, maxItems } = description;
  return { name, version, signature, maxItems, ...(labels === undefined ? {} : { labels }) };
}
