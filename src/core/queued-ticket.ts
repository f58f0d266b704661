import type { ServerError } from '../errors.ts';
import type { Rider } from './events.ts';
import type { ModelState } from './model-state.ts';
import type { Place } from './queue.ts';
import type { AdmittedItem, Party, RunReport, Ticket, TicketState } from './ticket.ts';

/** How a ticket's time was spent; over all its runs, where it took several. */
export interface TicketTiming {
  /** From enqueueing to the start of the (first) run call. */
  readonly queueMs: number;
  readonly stackMs: number;
  readonly runMs: number;
  readonly splitMs: number;
  /** Items of the whole batch; of the largest. */
  readonly batchItems: number;
  /** Id of the lane that ran it. */
  readonly lane: number;
  /** Number of its first run. */
  readonly run: number;
  /** Start of its first run, on the core's clock. */
  readonly startedMs: number;
}

export interface TicketReply<Result> {
  readonly result: Result;
  readonly timing: TicketTiming;
}

/** A ticket as seen by whoever enqueued it. */
export interface TicketHandle<Result> {
  /** Rejects with nothing but a ServerError; a rejection that is not awaited is not reported as unhandled. */
  readonly done: Promise<TicketReply<Result>>;
  /** Settles the ticket with CANCELLED; while it waits, it is not run at all. Does nothing once it has settled. */
  cancel(): void;
}

/** A model with its tickets. */
export type QueuedModel<Payload, Result> = ModelState<QueuedTicket<Payload, Result>>;

/** What was granted: the same for every ticket of the request. */
export interface Grant<Payload, Result> {
  readonly model: QueuedModel<Payload, Result>;
  readonly priority: number;
  readonly party: Party;
  readonly deadlineMs: number;
  /** Id of the request. */
  readonly owner: string;
  /** Those taken for the request and not given back, whoever holds them. */
  permits: number;
}

/** What the core adds to an item. */
export interface TicketOrigin<Payload, Result> {
  readonly sequence: number;
  readonly enqueuedMs: number;
  readonly grant: Grant<Payload, Result>;
  /** Permits that it gives back when it settles: 0 if its request keeps them. */
  readonly permits: number;
  readonly onCancel: (ticket: QueuedTicket<Payload, Result>) => void;
}

const ignore = (): void => undefined;

/** A ticket inside the core. Its payload is released when it starts to run (the lane has it then) or settles. */
export class QueuedTicket<Payload, Result> implements Ticket<Payload | undefined>, TicketHandle<Result>, Rider {
  payload: Payload | undefined;
  readonly items: number;
  readonly cost: number;
  readonly shapeKey: string;
  readonly priority: number;
  readonly party: Party;
  readonly deadlineMs: number;
  readonly sequence: number;
  readonly enqueuedMs: number;
  readonly grant: Grant<Payload, Result>;
  readonly model: QueuedModel<Payload, Result>;
  readonly permits: number;
  readonly done: Promise<TicketReply<Result>>;
  readonly onProgress: ((progress: unknown) => void) | undefined;
  state: TicketState = 'waiting';
  /** Start of its first run. */
  startedMs = 0;
  #run = 0;
  #stackMs = 0;
  #runMs = 0;
  #splitMs = 0;
  #batchItems = 0;
  /** Its place in the queue while it waits. */
  place: Place<QueuedTicket<Payload, Result>> | undefined;
  heapIndex = -1;
  readonly #onCancel: (ticket: QueuedTicket<Payload, Result>) => void;
  readonly #resolve: (reply: TicketReply<Result>) => void;
  readonly #reject: (error: ServerError) => void;

  constructor(request: AdmittedItem<Payload>, origin: TicketOrigin<Payload, Result>) {
    this.payload = request.payload;
    this.items = request.items;
    this.cost = request.cost;
    this.shapeKey = request.shapeKey;
    this.priority = origin.grant.priority;
    this.party = origin.grant.party;
    this.deadlineMs = origin.grant.deadlineMs;
    this.onProgress = request.onProgress;
    this.sequence = origin.sequence;
    this.enqueuedMs = origin.enqueuedMs;
    this.grant = origin.grant;
    this.model = origin.grant.model;
    this.permits = origin.permits;
    this.#onCancel = origin.onCancel;
    let resolve: (reply: TicketReply<Result>) => void = ignore;
    let reject: (error: ServerError) => void = ignore;
    this.done = new Promise((onResult, onError) => {
      resolve = onResult;
      reject = onError;
    });
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Id of its request. */
  get owner(): string {
    return this.grant.owner;
  }

  cancel(): void {
    if (this.state !== 'settled') this.#onCancel(this);
  }

  /** waiting -> running, in the run of this number; gives the payload to the lane. */
  start(nowMs: number, run: number): Payload | undefined {
    const { payload } = this;
    this.payload = undefined;
    this.startedMs = nowMs;
    this.#run = run;
    this.state = 'running';
    return payload;
  }

  /** Progress that a run reports, if any. */
  hear(progress: unknown): void {
    if (progress !== undefined && this.state !== 'settled') this.onProgress?.(progress);
  }

  /** Adds a run of its batch to the time spent. */
  spend({ stackMs, runMs, splitMs }: RunReport<unknown>, batchItems: number): void {
    this.#stackMs += stackMs;
    this.#runMs += runMs;
    this.#splitMs += splitMs;
    this.#batchItems = Math.max(this.#batchItems, batchItems);
  }

  succeed(result: Result, lane: number): void {
    this.state = 'settled';
    const timing = {
      queueMs: this.startedMs - this.enqueuedMs,
      stackMs: this.#stackMs,
      runMs: this.#runMs,
      splitMs: this.#splitMs,
      batchItems: this.#batchItems,
      lane,
      run: this.#run,
      startedMs: this.startedMs,
    };
    this.#resolve({ result, timing });
  }

  fail(error: ServerError): void {
    this.state = 'settled';
    this.payload = undefined;
    // Before the rejection, which is otherwise reported as unhandled if the client has left.
    this.done.catch(ignore);
    this.#reject(error);
  }
}
