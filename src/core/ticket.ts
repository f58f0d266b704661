import type { ServerError } from '../errors.ts';

/**
 * The terms of the core. It sees items only as opaque payloads with a cost and a shape key: it knows nothing of tensors, HTTP or threads, and takes
 * time from a `Clock`, so that tests can drive it.
 */

/** Monotonic time in milliseconds, and timers on it. */
export interface Clock {
  now(): number;
  /** Calls `callback` once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, callback: () => void): () => void;
}

/** Highest priority is 1; requests that name none get this. */
export const DEFAULT_PRIORITY = 2;
export const LOWEST_PRIORITY = 3;

/** Who asks: clients that wait for their answer, or jobs. Where there is too little lane time for both, they share it by weight. */
export type Party = 'clients' | 'jobs';
export const PARTIES: readonly Party[] = ['clients', 'jobs'];

/**
 * waiting -> running -> settled, or waiting -> settled (cancelled, expired, refused at drain).
 * A ticket whose client left or whose deadline passed while running is settled at once; its late result is dropped, and its
 * permits come back when the run ends, because the lane is busy with it until then.
 */
export type TicketState = 'waiting' | 'running' | 'settled';

/** What is asked of the core for one item (or one block of rows that came together). */
export interface TicketRequest<Payload> {
  readonly payload: Payload;
  /** Rows in the payload, >= 1: what `maxItems` counts. */
  readonly items: number;
  /** In the task's unit; what `maxCost` and the run-time fit count. */
  readonly cost: number;
  /** Only tickets with equal keys may share a run. */
  readonly shapeKey: string;
  /** 1 (highest) to LOWEST_PRIORITY. */
  readonly priority: number;
  readonly party: Party;
  /** On the core's clock. */
  readonly deadlineMs: number;
  /** Called with the progress that a run reports of a ticket that goes on in the next one. Be quick, do not throw. */
  readonly onProgress?: ((progress: unknown) => void) | undefined;
}

/** One prepared item, or a block of rows that came together. Priority, party and deadline are the admission's. */
export type AdmittedItem<Payload> = Omit<TicketRequest<Payload>, 'priority' | 'party' | 'deadlineMs'>;

/** An admitted item, waiting or running. */
export interface Ticket<Payload = unknown> extends TicketRequest<Payload> {
  /** Rises by one per ticket: order of arrival. */
  readonly sequence: number;
  readonly enqueuedMs: number;
  state: TicketState;
}

/** Limits of one model's batches. */
export interface BatchLimits {
  readonly maxItems: number;
  readonly maxCost: number;
  readonly maxDelayMs: number;
}

/** Why a batch was cut: items full, cost full, a longer run would take too much time, nothing more waits that fits, or the delay has passed. */
export type CutReason = 'items' | 'cost' | 'time' | 'empty' | 'delay';

/** The result of a run for one ticket. */
export type Outcome<Result> =
  | { readonly ok: true; readonly result: Result }
  /** Its lane goes on with it in the next run. */
  | { readonly ok: true; readonly more: true; readonly progress?: unknown }
  | { readonly ok: false; readonly error: ServerError };

/** A ticket as its lane gets it. */
export interface TicketOfRun<Payload> {
  /** The same in every run of the ticket. */
  readonly id: number;
  /** Undefined when the lane has it from an earlier run. */
  readonly payload: Payload | undefined;
}

/** One run as the lane reports it: an outcome per ticket in batch order, and the time computing took. */
export interface RunReport<Result> {
  readonly outcomes: readonly Outcome<Result>[];
  /** The run alone: without stacking, splitting or the way to the lane and back. */
  readonly runMs: number;
  /** Copying rows into batch tensors. */
  readonly stackMs: number;
  /** Cutting outputs into rows. */
  readonly splitMs: number;
  /** Items of the largest batch that fits in memory, known after an out-of-memory; absent if there was none. */
  readonly maxItems?: number;
}

/** A free lane takes a batch; the promise never rejects with anything but a ServerError (a lost lane: LANE_LOST). */
export interface Lane<Payload, Result> {
  readonly id: number;
  /** It may be given a second batch while it runs one, and runs them in this order. Default: it is given one at a time. */
  readonly takesAhead?: boolean;
  /** Tickets of earlier runs that are no longer named have left. */
  run(modelKey: string, tickets: readonly TicketOfRun<Payload>[]): Promise<RunReport<Result>>;
}
