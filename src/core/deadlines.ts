import { Alarm } from './clock.ts';
import type { Clock } from './ticket.ts';

/** What `Deadlines` needs of a ticket; `heapIndex` is its own, -1 while it does not watch the ticket. */
export interface Timed {
  readonly deadlineMs: number;
  heapIndex: number;
}

/**
 * Tickets by deadline: a binary heap whose entries know their place, so that a ticket that settles is removed at once.
 * (Leaving it in until its deadline would keep a minute and a half of finished requests in memory.)
 */
export class Deadlines<T extends Timed> {
  readonly #heap: T[] = [];
  readonly #alarm: Alarm;
  readonly #clock: Clock;
  readonly #expired: (ticket: T) => void;

  /** `expired` is called with each ticket whose time has passed; the ticket is no longer watched then. */
  constructor(clock: Clock, expired: (ticket: T) => void) {
    this.#clock = clock;
    this.#expired = expired;
    this.#alarm = new Alarm(clock, () => this.expire());
  }

  /** An infinite deadline is not watched. */
  watch(ticket: T): void {
    if (ticket.deadlineMs === Infinity) return;
    ticket.heapIndex = this.#heap.length;
    this.#heap.push(ticket);
    this.#rise(ticket);
    this.#alarm.setBy(ticket.deadlineMs);
  }

  /** Does nothing for a ticket that is not watched. */
  forget(ticket: T): void {
    const index = ticket.heapIndex;
    if (index < 0) return;
    ticket.heapIndex = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === ticket) return;
    this.#put(last, index);
    this.#rise(last);
    this.#sink(last);
  }

  /** Reports every ticket whose time has passed. */
  expire(): void {
    const nowMs = this.#clock.now();
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined) return;
      if (first.deadlineMs > nowMs) {
        this.#alarm.setBy(first.deadlineMs);
        return;
      }
      this.forget(first);
      this.#expired(first);
    }
  }

  #put(ticket: T, index: number): void {
    this.#heap[index] = ticket;
    ticket.heapIndex = index;
  }

  #rise(ticket: T): void {
    let index = ticket.heapIndex;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = this.#heap[above];
      if (parent === undefined || parent.deadlineMs <= ticket.deadlineMs) break;
      this.#put(parent, index);
      index = above;
    }
    this.#put(ticket, index);
  }

  #sink(ticket: T): void {
    let index = ticket.heapIndex;
    for (;;) {
      const left = this.#heap[2 * index + 1];
      const right = this.#heap[2 * index + 2];
      const least = left !== undefined && right !== undefined && right.deadlineMs < left.deadlineMs ? right : left;
      if (least === undefined || ticket.deadlineMs <= least.deadlineMs) break;
      const below = least.heapIndex;
      this.#put(least, index);
      index = below;
    }
    this.#put(ticket, index);
  }
}
