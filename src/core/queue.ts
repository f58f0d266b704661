import { LinkedList, type Link } from './linked-list.ts';
import { effectiveLevel } from './scheduler.ts';
import { LOWEST_PRIORITY, type Ticket } from './ticket.ts';

/** Where a ticket stands: among all of its priority, and among those it could share a run with. */
export interface Place<T> {
  readonly byAge: Link<T>;
  readonly byShape: Link<T>;
}

/** What the queue needs of a ticket; `place` is its own. */
export interface Queueable<T> extends Omit<Ticket, 'payload' | 'state'> {
  place: Place<T> | undefined;
}

/** Sums over the tickets of one priority. */
export interface LevelDepth {
  readonly priority: number;
  tickets: number;
  items: number;
  cost: number;
}

class Level<T> implements LevelDepth {
  readonly priority: number;
  tickets = 0;
  items = 0;
  cost = 0;
  /** When its first ticket was last taken to run. */
  takenMs = -Infinity;
  readonly byAge = new LinkedList<T>();
  readonly byShape = new Map<string, LinkedList<T>>();

  constructor(priority: number) {
    this.priority = priority;
  }
}

/** The ticket to serve next, and the effective level it competes at. */
export interface Head<T> {
  readonly ticket: T;
  readonly level: number;
}

/**
 * The waiting tickets of one model: a line per priority, each in order of arrival. A line whose first ticket is not served
 * rises (`effectiveLevel`), and falls back when it is: lower priorities get an occasional run, not an equal
 * share. Every operation is O(1) in the number of tickets, and company of one shape is found without walking over the others.
 */
export class WaitingQueue<T extends Queueable<T>> {
  readonly #levels: readonly Level<T>[] = Array.from(
    { length: LOWEST_PRIORITY },
    (_, index) => new Level<T>(index + 1),
  );
  readonly #agingMs: number;
  #tickets = 0;
  #items = 0;

  /** A line rises one priority per `agingMs` without being served. */
  constructor(agingMs: number) {
    this.#agingMs = agingMs;
  }

  get tickets(): number {
    return this.#tickets;
  }

  get items(): number {
    return this.#items;
  }

  get cost(): number {
    let cost = 0;
    for (const level of this.#levels) cost += level.cost;
    return cost;
  }

  /** Of the tickets of one priority. */
  costOf(priority: number): number {
    return this.#levels[priority - 1]?.cost ?? 0;
  }

  /** Sums by priority, priority 1 first. */
  get levels(): readonly LevelDepth[] {
    return this.#levels;
  }

  add(ticket: T): void {
    const level = this.#levelOf(ticket);
    let alike = level.byShape.get(ticket.shapeKey);
    if (alike === undefined) level.byShape.set(ticket.shapeKey, (alike = new LinkedList()));
    ticket.place = { byAge: level.byAge.push(ticket), byShape: alike.push(ticket) };
    this.#count(level, ticket, 1);
  }

  /** Does nothing for a ticket that is not in the queue. */
  remove(ticket: T): void {
    const { place } = ticket;
    if (place === undefined) return;
    ticket.place = undefined;
    const level = this.#levelOf(ticket);
    level.byAge.remove(place.byAge);
    const alike = level.byShape.get(ticket.shapeKey);
    alike?.remove(place.byShape);
    if (alike?.first === undefined) level.byShape.delete(ticket.shapeKey);
    this.#count(level, ticket, -1);
  }

  /** `remove` for a ticket that is going to run. */
  take(ticket: T, nowMs: number): void {
    const level = this.#levelOf(ticket);
    // Tickets that run before the first of their line do not count as service of it.
    if (level.byAge.first?.value === ticket) level.takenMs = nowMs;
    this.remove(ticket);
  }

  /** Best effective level first, then order of arrival. */
  head(nowMs: number): Head<T> | undefined {
    let best: Head<T> | undefined;
    for (const { byAge, takenMs } of this.#levels) {
      const ticket = byAge.first?.value;
      if (ticket === undefined) continue;
      const unservedMs = nowMs - Math.max(takenMs, ticket.enqueuedMs);
      const level = effectiveLevel(ticket.priority, unservedMs, this.#agingMs);
      const isOlder = best !== undefined && level === best.level && ticket.sequence < best.ticket.sequence;
      if (best === undefined || level < best.level || isOlder) best = { ticket, level };
    }
    return best;
  }

  /** A head, then the tickets of its shape by priority and arrival. Do not change the queue while walking. */
  *alike(head: T): Generator<T, void> {
    yield head;
    for (const { byShape } of this.#levels) {
      for (let link = byShape.get(head.shapeKey)?.first; link !== undefined; link = link.next) {
        if (link.value !== head) yield link.value;
      }
    }
  }

  /** The tickets of a head's shape and priority, the last to come first. Do not change the queue while walking. */
  *newest({ shapeKey, priority }: T): Generator<T, void> {
    let link = this.#levels[priority - 1]?.byShape.get(shapeKey)?.last;
    for (; link !== undefined; link = link.previous) yield link.value;
  }

  /** How many different shapes wait, counted in each priority. */
  get shapes(): number {
    let shapes = 0;
    for (const level of this.#levels) shapes += level.byShape.size;
    return shapes;
  }

  /** All waiting tickets, by priority and arrival. */
  all(): T[] {
    const tickets: T[] = [];
    for (const level of this.#levels) {
      for (let link = level.byAge.first; link !== undefined; link = link.next) tickets.push(link.value);
    }
    return tickets;
  }

  #levelOf(ticket: T): Level<T> {
    const level = this.#levels[ticket.priority - 1];
    if (level === undefined) throw new RangeError(`priority ${ticket.priority} is not one of 1 to ${LOWEST_PRIORITY}`);
    return level;
  }

  #count(level: Level<T>, ticket: T, sign: 1 | -1): void {
    this.#tickets += sign;
    this.#items += sign * ticket.items;
    level.tickets += sign;
    level.items += sign * ticket.items;
    // Sums of fractions drift; an empty level has no cost.
    level.cost = level.tickets === 0 ? 0 : level.cost + sign * ticket.cost;
  }
}
