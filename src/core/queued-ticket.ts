import type { ServerError } from '../errors.ts';
import type { ModelState } from './model-state.ts';
import type { Place } from './queue.ts';
import type { Ticket, TicketRequest, TicketState } from './ticket.ts';

/** How a ticket's time was spent. */
export interface TicketTiming {
  /** From enqueueing to the start of the run call. */
  readonly queueMs: number;
  readonly stackMs: number;
  readonly runMs: number;
  readonly splitMs: number;
  /** Items of the whole batch. */
  readonly batchItems: number;
  /** Id of the lane that ran it. */
  readonly lane: number;
}

export interface TicketReply<Result> {
  readonly result: Result;
  readonly timing: TicketTiming;
}

/** What the one who enqueued holds of a ticket. */
export interface TicketHandle<Result> {
  /** Rejects with nothing but a ServerError; a rejection that nobody awaits is not reported as unhandled. */
  readonly done: Promise<TicketReply<Result>>;
  /** Settles the ticket with CANCELLED; while it waits, it is not run at all. Does nothing once it has settled. */
  cancel(): void;
}

/** A model with its tickets. */
export type QueuedModel<Payload, Result> = ModelState<QueuedTicket<Payload, Result>>;

/** What the core adds to a request. */
export interface TicketOrigin<Payload, Result> {
  readonly sequence: number;
  readonly enqueuedMs: number;
  readonly model: QueuedModel<Payload, Result>;
  readonly onCancel: (ticket: QueuedTicket<Payload, Result>) => void;
}

const ignore = (): void => undefined;

/** A ticket inside the core. Its payload is let go of when it starts to run (the lane has it then) or settles. */
export class QueuedTicket<Payload, Result> implements Ticket<Payload | undefined>, TicketHandle<Result> {
  payload: Payload | undefined;
  readonly items: number;
  readonly cost: number;
  readonly shapeKey: string;
  readonly priority: number;
  readonly deadlineMs: number;
  readonly sequence: number;
  readonly enqueuedMs: number;
  readonly model: QueuedModel<Payload, Result>;
  readonly done: Promise<TicketReply<Result>>;
  state: TicketState = 'waiting';
  /** Its place in the queue while it waits. */
  place: Place<QueuedTicket<Payload, Result>> | undefined;
  heapIndex = -1;
  readonly #onCancel: (ticket: QueuedTicket<Payload, Result>) => void;
  readonly #resolve: (reply: TicketReply<Result>) => void;
  readonly #reject: (error: ServerError) => void;

  constructor(request: TicketRequest<Payload>, origin: TicketOrigin<Payload, Result>) {
    this.payload = request.payload;
    this.items = request.items;
    this.cost = request.cost;
    this.shapeKey = request.shapeKey;
    this.priority = request.priority;
    this.deadlineMs = request.deadlineMs;
    this.sequence = origin.sequence;
    this.enqueuedMs = origin.enqueuedMs;
    this.model = origin.model;
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

  cancel(): void {
    if (this.state !== 'settled') this.#onCancel(this);
  }

  /** waiting -> running; gives the payload to the lane. */
  start(): Payload | undefined {
    const { payload } = this;
    this.payload = undefined;
    this.state = 'running';
    return payload;
  }

  succeed(reply: TicketReply<Result>): void {
    this.state = 'settled';
    this.#resolve(reply);
  }

  fail(error: ServerError): void {
    this.state = 'settled';
    this.payload = undefined;
    // Before the rejection, so that a ticket whose client has left is no unhandled rejection.
    this.done.catch(ignore);
    this.#reject(error);
  }
}
