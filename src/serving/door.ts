import type { Clock } from '../core/ticket.ts';
import { DEFAULT_PRIORITY, type Party } from '../core/ticket.ts';
import type { Depth } from '../core/core-options.ts';
import type { CpuPool } from '../cpu/pool.ts';
import type { PreparedItem } from '../cpu/protocol.ts';
import type {
  Answer,
  AnswerHead,
  AnswerStream,
  CallOperation,
  ItemsOperation,
  Operation,
  TensorsOperation,
} from '../dialects/shared/operation.ts';
import { ServerError, toServerError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { ModelAsleep } from '../repository/entry.ts';
import { inSlices } from '../slices.ts';
import type { ServerState } from '../state.ts';
import type { Item, Reply } from '../tasks/task.ts';
import type { Tensor } from '../tensors/tensor.ts';
import { ItemAnswerer } from './answer-items.ts';
import { TensorAnswerer } from './answer-tensors.ts';
import type { DoorCall, Entry } from './call.ts';
import { serveAwake, wake } from './awake.ts';
import type { ModelChooser } from './choose-model.ts';
import type { KnownModels, Models } from './known-models.ts';
import type { ReadItems } from './decode.ts';
import type { ReadyItems } from './decode-on-pool.ts';
import { refuseEmpty } from './refuse-empty.ts';
import type { Requester } from './requester.ts';
import { ItemRunner, type ItemListener, type Ran } from './run-items.ts';
import { runTensors } from './run-tensors.ts';
import { Side } from './side.ts';
import type { ServedModel } from './served-model.ts';
import type { Permits, Ride, TensorCore } from './tickets.ts';
import { asStage } from './stages.ts';
import { emptyTiming, type RequestTiming } from './timing.ts';
import { unreadyError } from './unready.ts';

/** Replaces what items name by URL by its content. */
export interface InputSource {
  /** Whether the model's items may name anything by URL. */
  takesUrls(model: ServedModel): boolean;
  items(
    requester: Requester,
    items: readonly (Item | PreparedItem)[],
    model: ServedModel,
  ): Promise<readonly (Item | PreparedItem)[]>;
}

export interface DoorParts {
  readonly core: TensorCore;
  readonly cpu: CpuPool;
  readonly models: Models;
  readonly state: Pick<ServerState, 'phase' | 'why'>;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Pick<Log, 'error'>;
  readonly inputs: InputSource;
  /** ITEM_LIMIT, DEFAULT_MODEL ('' for none). */
  readonly itemLimit: number;
  readonly defaultModel: string;
  /** Whether unknown names in bodies stand for the only model of a task. */
  readonly takesAnyName?: boolean;
}

/**
 * The one way in to inference, for HTTP and jobs alike: choose the model, take permits, decode, prepare, run, finish, encode. It knows nothing of
 * sockets. A request is refused whole (QUEUE_FULL, WAIT_TOO_LONG, ...) or let in whole; after that each item stands for itself.
 */
export class Door {
  readonly #parts: DoorParts;
  readonly #sides: Readonly<Record<Party, Side>>;
  readonly #runner: ItemRunner;
  readonly #itemAnswerer: ItemAnswerer;
  readonly #tensorAnswerer: TensorAnswerer;

  constructor(parts: DoorParts) {
    this.#parts = parts;
    this.#sides = { clients: new Side('clients', parts), jobs: new Side('jobs', parts) };
    this.#runner = new ItemRunner(parts);
    this.#itemAnswerer = new ItemAnswerer(parts);
    this.#tensorAnswerer = new TensorAnswerer(parts);
  }

  /** The models that can be asked for. */
  get known(): KnownModels {
    return this.models.known;
  }

  /** Chooses models for requests of clients. */
  get models(): ModelChooser {
    return this.#sides.clients.models;
  }

  /**
   * Refuses what can be refused before a body is read: the server is not ready, the model is not there, the queue is full. `name` and
   * `version` are the path's. Throws STARTING, DRAINING, FAILED, MODEL_NOT_FOUND, MODEL_UNAVAILABLE, QUEUE_FULL or the operation's own refusal.
   */
  enter(operation: Operation, requester: Requester, name?: string, version?: string): Entry {
    const entry = this.#entryOf(this.#sideOf(requester), { operation, name, version });
    if (entry instanceof ServerError) throw entry;
    if (entry.model !== undefined) requester.serveWith(entry.model);
    return entry;
  }

  /**
   * The same where there is no requester yet, because most may be refused: the one that comes, of a client, is to be told the model (`serveWith`). What many are
   * refused with at once is returned: throwing took a seventh of what a refusal costs.
   */
  entryOf(operation: Operation, name?: string, version?: string): Entry | ServerError {
    return this.#entryOf(this.#sides.clients, { operation, name, version });
  }

  #entryOf(
    { models }: Side,
    { operation, name, version }: { operation: Operation; name: string | undefined; version: string | undefined },
  ): Entry | ServerError {
    const unready = this.unready();
    if (unready !== undefined) return unready;
    const served = models.resolve(operation);
    const named = name === undefined ? undefined : { name, version };
    try {
      const model = name === undefined ? models.beforeBody(served) : models.given(served, name, version);
      return model instanceof ServerError ? model : { operation: served, model, named };
    } catch (error) {
      if (!(error instanceof ModelAsleep)) throw error;
      return { operation: served, model: undefined, named, asleep: error.model };
    }
  }

  /** Waits for a model that sleeps to be loaded. Throws MODEL_UNAVAILABLE, QUEUE_FULL, DEADLINE_EXCEEDED, CANCELLED. */
  wake(name: string, requester: Requester): Promise<void> {
    return wake(name, requester, this.#parts.models);
  }

  /** Throws STARTING, DRAINING or FAILED unless the server is ready. */
  checkPhase(): void {
    const unready = this.unready();
    if (unready !== undefined) throw unready;
  }

  /** STARTING, DRAINING or FAILED; undefined if the server is ready. */
  unready(): ServerError | undefined {
    return unreadyError(this.#parts.state);
  }

  /**
   * Serves a request that was let in, from decode to encode; a model that sleeps is loaded first. Throws a ServerError, to be told in the requester's
   * dialect.
   */
  walk(entry: Entry, call: DoorCall): Promise<Answer> {
    if (entry.asleep === undefined && this.#parts.models.asleep().length === 0) return this.#serve(entry, call);
    const side = this.#sideOf(call.requester);
    return serveAwake(entry, call, {
      models: this.#parts.models,
      enter: ({ operation, named }) => {
        const again = this.#entryOf(side, { operation, name: named?.name, version: named?.version });
        if (again instanceof ServerError) throw again;
        return again;
      },
      givesAway: (one, given) => side.decoder.givesAway(one, given),
      serve: (one, given) => this.#serve(one, given),
    });
  }

  #serve(entry: Entry, call: DoorCall): Promise<Answer> {
    // Not copied for the sake of its type: objects made so are slow to read.
    switch (entry.operation.kind) {
      case 'items':
        return this.#items(entry as Entry<ItemsOperation>, call);
      case 'tensors':
        return this.#tensors(entry as Entry<TensorsOperation>, call);
      case 'call':
        return this.#sideOf(call.requester).decoder.call(entry as Entry<CallOperation>, call);
    }
  }

  /** Whether no further item of a client would be admitted. */
  isFull(queue: string): boolean {
    return this.#sides.clients.isFull(queue);
  }

  #sideOf({ party = 'clients' }: Requester): Side {
    return this.#sides[party];
  }

  /** Items waiting and running, permits taken, and permits in all. */
  queueOf(model: ServedModel): Depth {
    return this.#parts.core.depth(model.key);
  }

  async #items(entry: Entry<ItemsOperation>, call: DoorCall): Promise<Answer> {
    const side = this.#sideOf(call.requester);
    const read = await asStage(call.requester, 'decode', side.decoder.items(entry, call));
    const { operation, model, count } = read;
    const request = this.#parts.inputs.takesUrls(model) ? await this.#withInputs(side, read, call) : read;
    const ride = this.#ride(model.key, count, call);
    const head = headOf(model, call, ride.timing);
    try {
      const readying = side.decoder.ready(request, call);
      const { items, options, luggage, prepareMs = 0 } = readying instanceof Promise ? await readying : readying;
      ride.timing.prepareMs = prepareMs;
      const stream = operation.stream?.(options, head);
      if (stream !== undefined) return await this.#stream(stream, { model, items, ride }, call);
      const ran = await this.#runAll(model, items, ride);
      const answer = await this.#itemAnswerer.answer({ operation, model, head, ran, options, luggage }, ride);
      call.requester.timing = ride.timing;
      return answer;
    } finally {
      ride.permits.close();
    }
  }

  /**
   * The request with what its items name by URL. Fetches come before permits, because slow URLs would hold permits that others need. Nothing is fetched
   * for a request that will be refused.
   */
  async #withInputs(side: Side, read: ReadItems, { requester }: DoorCall): Promise<ReadItems> {
    if (read.count > side.room(read.model.key)) return read;
    const fetch = (items: ReadyItems['items']) => this.#parts.inputs.items(requester, items, read.model);
    return side.decoder.withItems(read, (items) => asStage(requester, 'fetch', fetch(items)));
  }

  /** Sends the answer piece by piece; the answer that is returned is empty. */
  async #stream(
    stream: AnswerStream,
    { model, items, ride }: { model: ServedModel; items: readonly (Item | PreparedItem)[]; ride: Ride },
    call: DoorCall,
  ): Promise<Answer> {
    const lines = call.openStream(stream);
    const listener = {
      onEvent: (index: number, event: unknown) => lines.send(stream.piece(index, event)),
      onReply: (index: number, reply: Reply) => lines.send(stream.done(index, reply)),
    };
    const ran = await this.#runAll(model, items, { ...ride, listener });
    lines.send(stream.end(await this.#itemAnswerer.results(model, ran)));
    call.requester.timing = ride.timing;
    return { contentType: 'text/event-stream', chunks: [] };
  }

  /** Thousands of items are begun in slices, because each costs the main thread some time. */
  async #runAll(
    model: ServedModel,
    items: readonly (Item | PreparedItem)[],
    ride: Ride & { readonly listener?: ItemListener },
  ): Promise<Ran[]> {
    const [only] = items;
    if (only !== undefined && items.length === 1) return [await this.#runner.run(model, only, ride)];
    const started: Promise<Ran>[] = [];
    await inSlices(items, (item, index) => void started.push(this.#runner.run(model, item, ride, index)));
    return Promise.all(started);
  }

  async #tensors(entry: Entry<TensorsOperation>, call: DoorCall): Promise<Answer> {
    const { model, operation } = entry;
    const { requester } = call;
    if (model === undefined) throw operation.models.refusal();
    const { graph } = model;
    if (graph === undefined) throw new ServerError('BAD_REQUEST', 'The tensors of this model are not served.');
    const decoding = this.#sideOf(requester).decoder.tensors(entry, model, call);
    const request = decoding instanceof Promise ? await asStage(requester, 'decode', decoding) : decoding;
    const { rows, priority, timeoutMs } = request;
    const { itemLimit, core, metrics } = this.#parts;
    if (rows > itemLimit) throw new ServerError('TOO_LARGE', `A request may have at most ${itemLimit} rows.`);
    requester.items = rows;
    if (timeoutMs !== undefined) requester.deadline.shorten(timeoutMs);
    refuseEmpty(graph.signature, request.inputs);
    const ride = this.#ride(graph.key, rows, priority === undefined ? call : { ...call, priority });
    let outputs: readonly Tensor[];
    try {
      outputs = await runTensors(model, graph, request, { ride, mostCost: core.costOfRun(graph.key) });
      metrics.items.inc({ model: model.name, outcome: 'ok' }, rows);
    } catch (error) {
      metrics.items.inc({ model: model.name, outcome: toServerError(error).code }, rows);
      throw error;
    } finally {
      ride.permits.close();
    }
    requester.timing = ride.timing;
    return this.#tensorAnswerer.answer({ operation, model, request, outputs }, ride);
  }

  /** Takes permits. Throws QUEUE_FULL, WAIT_TOO_LONG and whatever else the core refuses a request with. */
  #ride(modelKey: string, items: number, { requester, priority = DEFAULT_PRIORITY, loadMs }: DoorCall): Ride {
    const { id, deadline, cancellation, party, stages } = requester;
    const request = { modelKey, items, priority, party, deadlineMs: deadline.atMs, owner: id };
    const permits: Permits = this.#parts.core.admit(request);
    return { permits, deadline, cancellation, timing: emptyTiming(loadMs), stages };
  }
}

function headOf({ name, version }: ServedModel, { requester, accept }: DoorCall, timing: RequestTiming): AnswerHead {
  const isJob = requester.party === 'jobs';
  return { id: requester.id, model: name, version, created: Math.floor(Date.now() / 1000), accept, isJob, timing };
}
