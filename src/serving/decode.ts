import { unpackChunks } from '../cpu/parcel.ts';
import type { CpuPool } from '../cpu/pool.ts';
import type { CpuModels, Decoded, DecodedRequest, DecodeJob, PreparedItem } from '../cpu/protocol.ts';
import { operationNamed, operationOf, sharingPathsOf } from '../dialects/operations.ts';
import type {
  Answer,
  CallOperation,
  DecodeContext,
  ItemsOperation,
  TensorModel,
  TensorsOperation,
  TensorsRequest,
} from '../dialects/shared/operation.ts';
import { errorOf, ServerError } from '../errors.ts';
import type { Item } from '../tasks/task.ts';
import { ownOutputs } from './outputs.ts';
import type { ModelChooser, Queues } from './choose-model.ts';
import type { Requester } from './requester.ts';
import type { ServedModel } from './served-model.ts';
import { limitsOf } from './tickets.ts';

/** JSON of this size takes about a millisecond to parse: a larger body leaves the main thread. */
const LIGHT_JSON_BYTES = 128 * 1024;
/** Bodies that wait for a CPU thread, for each thread there is. They hold no permits yet, as only decoding tells what of. */
const WAITING_BODIES = 256;
const RETRY_AFTER_MS = 1000;

/** A request as the door gets it. */
export interface DoorCall {
  readonly requester: Requester;
  /** Given away. */
  readonly body: Uint8Array;
  /** Headers as sent. */
  readonly contentType?: string | undefined;
  readonly jsonLength?: string | undefined;
  readonly accept?: string | undefined;
  /** 1 (highest) to 3; absent: the default. */
  readonly priority?: number | undefined;
  /** Begins an answer that comes piece by piece. */
  readonly openStream: () => Lines;
}

/** Takes the events of a stream, each one line of data. */
export interface Lines {
  send(lines: readonly string[]): void;
}

/** A request for items whose model is known, and how many permits it needs. */
export interface ReadItems {
  /** The one that its body turned out to be for. */
  readonly operation: ItemsOperation;
  readonly model: ServedModel;
  readonly count: number;
  readonly decoded: DecodedHere | DecodedOnPool;
}

interface DecodedHere {
  readonly where: 'here';
  readonly items: readonly (Item | PreparedItem)[];
  readonly options: unknown;
}

interface DecodedOnPool {
  readonly where: 'pool';
  /** Prepared, too; undefined where the model had no room for the items. */
  readonly request: DecodedRequest | undefined;
}

/** Items ready to be run, or to be prepared one by one. */
export interface ReadyItems {
  readonly items: readonly (Item | PreparedItem)[];
  readonly options: unknown;
  readonly luggage?: Uint8Array | undefined;
  /** Time that preparing them all took, where that is done. */
  readonly prepareMs?: number;
}

/** Turns bodies into requests: here where that is light, else in one job of the CPU pool, which prepares the items, too. */
export class Decoder {
  readonly #cpu: CpuPool;
  readonly #models: ModelChooser;
  readonly #queues: Queues;
  readonly #itemLimit: number;
  #onPool = 0;

  constructor(parts: { cpu: CpuPool; models: ModelChooser; queues: Queues; itemLimit: number }) {
    this.#cpu = parts.cpu;
    this.#models = parts.models;
    this.#queues = parts.queues;
    this.#itemLimit = parts.itemLimit;
  }

  /** Decodes a request for items and chooses its model, unless it is given; the requester is told of both. */
  async items(operation: ItemsOperation, given: ServedModel | undefined, call: DoorCall): Promise<ReadItems> {
    const context = this.#context(call);
    return this.#isLight(operation, call, context)
      ? this.#itemsHere(operation, given, { call, context })
      : this.#itemsOnPool(operation, given, { call, context });
  }

  /** The items of a request that has its permits; many that together are not light are prepared by one job. */
  async ready({ operation, model, count, decoded }: ReadItems, call: DoorCall): Promise<ReadyItems> {
    if (decoded.where === 'pool') {
      // There is room by now, but there was none when it was decoded.
      if (decoded.request === undefined) throw this.#queues.refusal(model);
      return unpacked(decoded.request);
    }
    const isLight = count === 1 || call.body.byteLength <= (operation.lightItemsBytes ?? Infinity);
    if (isLight || model.task.serve !== undefined) return decoded;
    return this.#preparedOnPool(operation, model, { call, count });
  }

  /** Decodes a request on tensors for the model. */
  async tensors(operation: TensorsOperation, model: ServedModel, call: DoorCall): Promise<TensorsRequest> {
    const context = this.#context(call);
    if (this.#isLight(operation, call, context)) return operation.decode(call.body, context, model.description);
    const tensorModel = tensorModelOf(model);
    const job: DecodeJob = {
      kind: 'decode',
      operation: operation.name,
      body: call.body,
      context,
      models: {},
      tensorModel,
    };
    const decoded = await this.#onPoolInTurn(model.taskSource.key, () => job, call);
    if (decoded.kind !== 'tensors') throw wrong(decoded);
    return decoded.request;
  }

  /** A request that calls a task's function goes to the CPU pool, whatever its size, and comes back as its answer. */
  async call(operation: CallOperation, call: DoorCall): Promise<Answer> {
    const { decoded, served } = await this.#decode(operation, undefined, { call, context: this.#context(call) });
    if (decoded.kind !== 'call') throw wrong(decoded);
    const model = served.get(decoded.key ?? '') ?? this.#models.choose(operation, decoded.asked);
    call.requester.serveWith(model);
    // It was loaded meanwhile.
    if (decoded.answer === undefined) throw new ServerError('MODEL_UNAVAILABLE');
    return decoded.answer;
  }

  async #itemsHere(
    asked: ItemsOperation,
    given: ServedModel | undefined,
    { call, context }: Reading,
  ): Promise<ReadItems> {
    const { requester, body } = call;
    const operation = operationOf(asked, body, context);
    requester.dialect = operation.dialect;
    const { model: name, items, options, ignored = [] } = await operation.decode(body, context);
    const model = this.#choose(operation, { asked, given, name });
    tell(requester, { model, count: items.length, ignored });
    return { operation, model, count: items.length, decoded: { where: 'here', items, options } };
  }

  async #itemsOnPool(asked: ItemsOperation, given: ServedModel | undefined, reading: Reading): Promise<ReadItems> {
    const { requester } = reading.call;
    const { decoded, served } = await this.#decode(asked, given, reading);
    if (decoded.kind !== 'items') throw wrong(decoded);
    const operation = operationNamed(decoded.operation) as ItemsOperation;
    requester.dialect = operation.dialect;
    const { count, ignored, request } = decoded;
    const chosen = served.get(decoded.key ?? '');
    const model = chosen ?? this.#choose(operation, { asked, given, name: decoded.asked });
    tell(requester, { model, count, ignored });
    return { operation, model, count, decoded: { where: 'pool', request } };
  }

  /** The body goes to the pool again, and not its items: they are dear to hand over. */
  async #preparedOnPool(
    operation: ItemsOperation,
    model: ServedModel,
    { call, count }: { call: DoorCall; count: number },
  ): Promise<ReadyItems> {
    const { name, version, taskSource: source } = model;
    const all = [{ name, version, isCurrent: true, source, room: count }];
    const job: DecodeJob = {
      kind: 'decode',
      operation: operation.name,
      body: call.body,
      context: this.#context(call),
      models: { [operation.name]: { all, unnamed: source.key, isGiven: true } },
    };
    const decoded = await this.#cpu.run<'decode'>(job, limitsOf(call.requester));
    if (decoded.kind !== 'items' || decoded.request === undefined) throw wrong(decoded);
    return unpacked(decoded.request);
  }

  /** Decodes a body on the pool, and prepares its items by the task of the model it is for. */
  async #decode(
    operation: ItemsOperation | CallOperation,
    given: ServedModel | undefined,
    { call, context }: Reading,
  ): Promise<{ decoded: Decoded; served: ReadonlyMap<string, ServedModel> }> {
    const served = new Map<string, ServedModel>();
    const operations = [operation, ...sharingPathsOf(operation)];
    const make = (): DecodeJob => {
      const models: Record<string, CpuModels> = {};
      for (const one of operations) {
        const { list, ...candidates } = this.#models.candidates(one, given);
        models[one.name] = candidates;
        for (const model of list) served.set(model.taskSource.key, model);
      }
      return { kind: 'decode', operation: operation.name, body: call.body, context, models };
    };
    return { decoded: await this.#onPoolInTurn(given?.taskSource.key ?? '', make, call), served };
  }

  /** What there is room for is looked up when a thread takes the job, so that what waits for one does not go by what was. */
  async #onPoolInTurn(key: string, make: () => DecodeJob, { requester }: DoorCall): Promise<Decoded> {
    if (this.#onPool >= this.#cpu.threads * (1 + WAITING_BODIES))
      throw new ServerError('QUEUE_FULL', 'The server has more large bodies to read than it can.', {
        retryAfterMs: RETRY_AFTER_MS,
      });
    this.#onPool += 1;
    try {
      const decoded = await this.#cpu.runLate<'decode'>(key, make, limitsOf(requester));
      if (decoded.kind !== 'refused') return decoded;
      const { dialect } = operationNamed(decoded.operation);
      requester.dialect = dialect;
      throw errorOf(decoded.error);
    } finally {
      this.#onPool -= 1;
    }
  }

  #choose(
    operation: ItemsOperation,
    { asked, given, name }: { asked: ItemsOperation; given: ServedModel | undefined; name: string | undefined },
  ): ServedModel {
    if (given === undefined) return this.#models.choose(operation, name);
    return operation === asked ? given : this.#models.check(operation, given);
  }

  #isLight(operation: ItemsOperation | TensorsOperation, { body }: DoorCall, context: DecodeContext): boolean {
    return (operation.jsonBytes?.(body, context) ?? body.byteLength) <= LIGHT_JSON_BYTES;
  }

  #context({ contentType, jsonLength }: DoorCall): DecodeContext {
    return { contentType, jsonLength, itemLimit: this.#itemLimit };
  }
}

interface Reading {
  readonly call: DoorCall;
  readonly context: DecodeContext;
}

function tell(
  requester: Requester,
  { model, count, ignored }: { model: ServedModel; count: number; ignored: readonly string[] },
): void {
  requester.serveWith(model);
  requester.items = count;
  if (ignored.length > 0) requester.tellIgnored(ignored);
}

/** Tensors of items that came together lie in one buffer; each ticket gives its own away. */
async function unpacked({ items, options, luggage, prepareMs }: DecodedRequest): Promise<ReadyItems> {
  if ('values' in items) return { items: items.values, options, luggage, prepareMs };
  const all: (Item | PreparedItem)[] = [];
  await unpackChunks(items.chunks, (item) => void all.push(owned(item as Item | PreparedItem)));
  return { items: all, options, luggage, prepareMs };
}

function owned(item: Item | PreparedItem): Item | PreparedItem {
  if (item.kind !== 'prepared') return item;
  return { ...item, prepared: { ...item.prepared, inputs: ownOutputs(item.prepared.inputs) } };
}

export function tensorModelOf({ description }: ServedModel): TensorModel {
  const { name, version, signature, labels, maxItems } = description;
  return { name, version, signature, maxItems, ...(labels === undefined ? {} : { labels }) };
}

function wrong({ kind }: Decoded): Error {
  return new Error(`a thread answered with ${kind}`);
}
