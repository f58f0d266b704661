import { ServerError } from '../errors.ts';
import type { Grant, TicketHandle } from './queued-ticket.ts';
import { LOWEST_PRIORITY, type AdmittedItem, type Party } from './ticket.ts';

/** What a request asks for before its body is prepared. */
export interface AdmissionRequest {
  readonly modelKey: string;
  /** Permits to take: the items of the request. */
  readonly items: number;
  /** 1 (highest) to LOWEST_PRIORITY; default DEFAULT_PRIORITY. */
  readonly priority?: number;
  /** Default: clients. */
  readonly party?: Party | undefined;
  /** On the core's clock; Infinity: none. */
  readonly deadlineMs: number;
  /** Id of the request, for whoever watches runs. Default: ''. */
  readonly owner?: string;
}

/** What an admission needs of its core. */
export interface AdmissionPort<Payload, Result> {
  /** `permits` are those the ticket gives back when it settles. */
  enqueue(grant: Grant<Payload, Result>, item: AdmittedItem<Payload>, permits: number): TicketHandle<Result>;
  /** Takes a further permit where there is one. */
  take(grant: Grant<Payload, Result>): boolean;
  giveBack(grant: Grant<Payload, Result>, items: number): void;
}

/** Permits held for a request. Each is handed on to a ticket or given back: call `close` when all is enqueued or has failed. */
export class Admission<Payload, Result> {
  readonly #port: AdmissionPort<Payload, Result>;
  readonly #grant: Grant<Payload, Result>;
  #held: number;

  constructor(port: AdmissionPort<Payload, Result>, grant: Grant<Payload, Result>, items: number) {
    this.#port = port;
    this.#grant = grant;
    this.#held = items;
  }

  /**
   * Makes a ticket of the item, with as many of the permits held as it has items. Throws a ServerError (INTERNAL) when it has more items than
   * permits are held, or its items or cost are not valid numbers; all permits are still held then.
   */
  enqueue(item: AdmittedItem<Payload>): TicketHandle<Result> {
    this.#check(item);
    const handle = this.#port.enqueue(this.#grant, item, item.items);
    this.#held -= item.items;
    return handle;
  }

  /**
   * Makes a ticket that runs on permits which stay here: for a request of many tickets, some of them one after the other. Hold as
   * many permits as there are such tickets at a time. Throws as `enqueue`.
   */
  lend(item: AdmittedItem<Payload>): TicketHandle<Result> {
    this.#check(item);
    return this.#port.enqueue(this.#grant, item, 0);
  }

  /** Takes one more permit if there is one to spare. */
  tryTake(): boolean {
    const taken = this.#port.take(this.#grant);
    if (taken) this.#held += 1;
    return taken;
  }

  /** Gives back the permits of items that will not be enqueued; at most those held. */
  release(items: number): void {
    const given = Math.min(items, this.#held);
    if (given <= 0) return;
    this.#held -= given;
    this.#port.giveBack(this.#grant, given);
  }

  /** Gives back whatever was not enqueued. May be called again. */
  close(): void {
    this.release(this.#held);
  }

  #check(item: AdmittedItem<Payload>): void {
    if (!isCount(item.items) || item.items > this.#held)
      throw wrong(`${item.items} items with ${this.#held} permits held`);
    if (!(item.cost >= 0 && item.cost < Infinity)) throw wrong(`a cost of ${item.cost}`);
  }
}

/** Throws a ServerError (BAD_REQUEST, TOO_LARGE) for a request that no core with this many permits can take. */
export function checkRequest(items: number, priority: number, queueItems: number): void {
  if (!isCount(items)) throw new ServerError('BAD_REQUEST', 'A request must hold at least one item.');
  if (!isCount(priority) || priority > LOWEST_PRIORITY)
    throw new ServerError('BAD_REQUEST', `The priority must be a whole number from 1 to ${LOWEST_PRIORITY}.`);
  if (items > queueItems)
    throw new ServerError(
      'TOO_LARGE',
      `The request holds ${items} items; this model takes at most ${queueItems} at a time.`,
    );
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1;
}

/** The detail is the cause, which only the log shows. */
function wrong(what: string): ServerError {
  return new ServerError('INTERNAL', undefined, { cause: new RangeError(`cannot enqueue ${what}`) });
}
