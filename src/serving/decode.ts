import { isLong } from '../cpu/parcel.ts';
import type { CpuPool } from '../cpu/pool.ts';
import type { DecodedRequest } from '../cpu/protocol.ts';
import { operationNamed, operationOf } from '../dialects/operations.ts';
import type {
  Answer,
  CallOperation,
  DecodeContext,
  ItemsOperation,
  TensorsOperation,
  TensorsRequest,
} from '../dialects/shared/operation.ts';
import { ServerError } from '../errors.ts';
import { givenFor, type DoorCall, type Entry, type Reading } from './call.ts';
import type { ModelChooser, Queues } from './choose-model.ts';
import { ofItems, PoolDecoder, unpacked, type ReadyItems } from './decode-on-pool.ts';
import type { Requester } from './requester.ts';
import type { ServedModel } from './served-model.ts';
import { asStage } from './stages.ts';

/** JSON of this size takes about a millisecond to parse: a larger body leaves the main thread. */
const LIGHT_JSON_BYTES = 128 * 1024;

/** A request for items whose model is known, and how many permits it needs. */
export interface ReadItems {
  /** The operation that the body turned out to be for. */
  readonly operation: ItemsOperation;
  readonly model: ServedModel;
  readonly count: number;
  readonly decoded: DecodedHere | DecodedOnPool | Unpacked;
}

type Items = ReadyItems['items'];

interface DecodedHere {
  readonly where: 'here';
  readonly items: Items;
  readonly options: unknown;
}

interface DecodedOnPool {
  readonly where: 'pool';
  /** Its items are prepared, but for those that name a URL; undefined if the model had no room for them. */
  readonly request: DecodedRequest | undefined;
}

/** The same, with its items at hand. */
interface Unpacked {
  readonly where: 'unpacked';
  readonly request: ReadyItems;
}

/** Turns bodies into requests: on this thread if that is light, else in one job of the CPU pool, which also prepares the items. */
export class Decoder {
  readonly #pool: PoolDecoder;
  readonly #models: ModelChooser;
  readonly #queues: Queues;
  readonly #itemLimit: number;

  constructor(parts: { cpu: CpuPool; models: ModelChooser; queues: Queues; itemLimit: number }) {
    this.#pool = new PoolDecoder(parts.cpu, parts.models);
    this.#models = parts.models;
    this.#queues = parts.queues;
    this.#itemLimit = parts.itemLimit;
  }

  /** Decodes a request for items and chooses its model, unless it is given; the requester is told of both. */
  items(entry: Entry<ItemsOperation>, call: DoorCall): Promise<ReadItems> {
    const reading = { entry, call, context: this.#context(call, entry.model) };
    return isLight(reading) ? this.#itemsHere(reading) : this.#itemsOnPool(reading);
  }

  /** Whether the body would be given away to be decoded. */
  givesAway({ operation, model }: Entry, call: DoorCall): boolean {
    return operation.kind === 'call' || !isLight({ entry: { operation }, call, context: this.#context(call, model) });
  }

  /** The items of a request that has its permits; one job prepares many that are not light together. */
  ready({ operation, model, count, decoded }: ReadItems, call: DoorCall): ReadyItems | Promise<ReadyItems> {
    if (decoded.where === 'unpacked') return decoded.request;
    if (decoded.where === 'pool') {
      // There is room now, but there was none when the body was decoded.
      if (decoded.request === undefined) throw this.#queues.refusal(model.key);
      return unpacked(decoded.request);
    }
    const isSmall = count === 1 || call.body.byteLength <= (operation.lightItemsBytes ?? Infinity);
    const { serve, serves } = model.task;
    if ((serve !== undefined && serves === undefined) || (isSmall && !areManyHeavy(model, decoded.items)))
      return decoded;
    const entry = { operation, model, named: model };
    const reading = { entry, call, context: this.#context(call, model) };
    return asStage(call.requester, 'prepare', this.#pool.prepare(reading, model, count));
  }

  /** The request with other items in place of its own, one for each. */
  async withItems(read: ReadItems, replace: (items: Items) => Promise<Items>): Promise<ReadItems> {
    const { decoded } = read;
    if (decoded.where === 'here') return { ...read, decoded: { ...decoded, items: await replace(decoded.items) } };
    if (decoded.request === undefined) return read;
    const request = decoded.where === 'pool' ? await unpacked(decoded.request) : decoded.request;
    return { ...read, decoded: { where: 'unpacked', request: { ...request, items: await replace(request.items) } } };
  }

  /** Decodes a request on tensors for the model, at once if that is light. */
  tensors(
    entry: Entry<TensorsOperation>,
    model: ServedModel,
    call: DoorCall,
  ): TensorsRequest | Promise<TensorsRequest> {
    const reading = { entry, call, context: this.#context(call) };
    if (isLight(reading)) return entry.operation.decode(call.body, reading.context, model.description);
    return this.#pool.tensors(reading, model);
  }

  /** The answer to a request that calls a task's function; it goes to the CPU pool whatever its size. */
  async call(entry: Entry<CallOperation>, call: DoorCall): Promise<Answer> {
    const { decoded, served } = await this.#pool.decode({ entry, call, context: this.#context(call) });
    if (decoded.kind !== 'call') throw new Error(`a thread answered a call with ${decoded.kind}`);
    const model = served.get(decoded.key ?? '') ?? this.#models.choose(entry.operation, decoded.asked);
    call.requester.serveWith(model);
    // The model was loaded only after the job was sent.
    if (decoded.answer === undefined) throw new ServerError('MODEL_UNAVAILABLE');
    return decoded.answer;
  }

  async #itemsHere({ entry, call, context }: Reading<ItemsOperation>): Promise<ReadItems> {
    const { requester, body } = call;
    const asked = operationOf(entry.operation, body, context);
    requester.dialect = asked.dialect;
    const request = await asked.decode(body, context);
    const operation = this.#models.suited(asked, request.model);
    const {
      model: name,
      items,
      options,
      ignored = [],
    } = operation === asked ? request : await operation.decode(body, context);
    const model = this.#choose(entry, operation, name);
    tell(requester, { model, count: items.length, ignored });
    return { operation, model, count: items.length, decoded: { where: 'here', items, options } };
  }

  async #itemsOnPool(reading: Reading<ItemsOperation>): Promise<ReadItems> {
    const { requester } = reading.call;
    const { decoded, served } = await this.#pool.decode(reading);
    const { operation: name, key, asked, count, ignored, request } = ofItems(decoded);
    const operation = operationNamed(name) as ItemsOperation;
    requester.dialect = operation.dialect;
    const model = served.get(key ?? '') ?? this.#choose(reading.entry, operation, asked);
    tell(requester, { model, count, ignored });
    return { operation, model, count, decoded: { where: 'pool', request } };
  }

  #choose(entry: Entry<ItemsOperation>, operation: ItemsOperation, name: string | undefined): ServedModel {
    const given = givenFor(entry, operation);
    if (given === undefined) return this.#models.choose(operation, name);
    return operation === entry.operation ? given : this.#models.check(operation, given);
  }

  #context({ contentType, jsonLength }: DoorCall, model?: ServedModel): DecodeContext {
    return {
      contentType,
      jsonLength,
      itemLimit: this.#itemLimit,
      floatRow: model?.task.floatRow,
      task: model?.description.task,
    };
  }
}

function isLight({
  entry: { operation },
  call: { body },
  context,
}: {
  readonly entry: Pick<Entry<ItemsOperation | TensorsOperation>, 'operation'>;
} & Pick<Reading, 'call' | 'context'>): boolean {
  return (operation.jsonBytes?.(body, context) ?? body.byteLength) <= LIGHT_JSON_BYTES;
}

/** Whether so many items of a body are to be prepared elsewhere that one job for all costs this thread less than a job for each. */
function areManyHeavy({ task }: ServedModel, items: DecodedHere['items']): boolean {
  if (!isLong(items.length)) return false;
  let heavy = 0;
  for (const item of items) {
    // What was fetched from a URL is not in the body.
    if (item.kind !== 'json') return false;
    if (!task.isLight(item)) heavy += 1;
  }
  return isLong(heavy);
}

function tell(
  requester: Requester,
  { model, count, ignored }: { model: ServedModel; count: number; ignored: readonly string[] },
): void {
  requester.serveWith(model);
  requester.items = count;
  if (ignored.length > 0) requester.tellIgnored(ignored);
}
