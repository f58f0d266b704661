import { LinkedList, type Link } from './linked-list.ts';
import { effectiveLevel } from './scheduler.ts';
import { LOWEST_PRIORITY, PARTIES, type Party, type Ticket } from './ticket.ts';

/** Where a ticket stands: among all of its priority, and among those it could share a run with. */
export interface Place<T> {
  readonly byAge: Link<T>;
  readonly byShape: Link<T>;
}

/** What the queue needs of a ticket; `place` is its own. */
export interface Queueable<T> extends Omit<Ticket, 'payload' | 'state'> {
  place: Place<T> | undefined;
}

/** Sums over tickets. */
export interface Sums {
  readonly tickets: number;
  readonly items: number;
  readonly cost: number;
}

/** Sums over the tickets of one priority, and of each party among them. */
export interface LevelDepth extends Sums {
  readonly priority: number;
  readonly lines: Readonly<Record<Party, Sums>>;
}

/** Tickets of one priority and party, in order of arrival. */
class Line<T> implements Sums {
  tickets = 0;
  items = 0;
  cost = 0;
  readonly byAge = new LinkedList<T>();
  readonly byShape = new Map<string, LinkedList<T>>();
}

class Level<T> implements LevelDepth {
  readonly priority: number;
  tickets = 0;
  items = 0;
  cost = 0;
  /** When the first ticket of one of its lines was last taken to run. */
  takenMs = -Infinity;
  readonly lines: Readonly<Record<Party, Line<T>>> = { clients: new Line(), jobs: new Line() };

  constructor(priority: number) {
    this.priority = priority;
  }
}

export const OTHER: Readonly<Record<Party, Party>> = { clients: 'jobs', jobs: 'clients' };

/** The ticket to serve next, and the effective level it competes at. */
export interface Head<T> {
  readonly ticket: T;
  readonly level: number;
}

/**
 * The waiting tickets of one model: a level per priority, with a line for each party in order of arrival. A level of which no first ticket is served
 * rises (`effectiveLevel`), and falls back when one is: lower priorities get an occasional run, not an equal
 * share. Which of two parties comes first is not for the queue to say. Every operation is O(1) in the number of tickets, and company of one shape is found without walking over the others.
 */
export class WaitingQueue<T extends Queueable<T>> {
  readonly #levels: readonly Level<T>[] = Array.from(
    { length: LOWEST_PRIORITY },
    (_, index) => new Level<T>(index + 1),
  );
  readonly #agingMs: number;
  #tickets = 0;
  #items = 0;

  /** A level rises one priority per `agingMs` without being served. */
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

  /** Of the tickets of one priority and party. */
  costOf({ priority, party }: Pick<T, 'priority' | 'party'>): number {
    return this.#levels[priority - 1]?.lines[party].cost ?? 0;
  }

  /** Sums by priority, priority 1 first. */
  get levels(): readonly LevelDepth[] {
    return this.#levels;
  }

  add(ticket: T): void {
    const level = this.#levelOf(ticket);
    const { byAge, byShape } = level.lines[ticket.party];
    let alike = byShape.get(ticket.shapeKey);
    if (alike === undefined) byShape.set(ticket.shapeKey, (alike = new LinkedList()));
    ticket.place = { byAge: byAge.push(ticket), byShape: alike.push(ticket) };
    this.#count(level, ticket, 1);
  }

  /** Does nothing for a ticket that is not in the queue. */
  remove(ticket: T): void {
    const { place } = ticket;
    if (place === undefined) return;
    ticket.place = undefined;
    const level = this.#levelOf(ticket);
    const { byAge, byShape } = level.lines[ticket.party];
    byAge.remove(place.byAge);
    const alike = byShape.get(ticket.shapeKey);
    alike?.remove(place.byShape);
    if (alike?.first === undefined) byShape.delete(ticket.shapeKey);
    this.#count(level, ticket, -1);
  }

  /** `remove` for a ticket that is going to run. */
  take(ticket: T, nowMs: number): void {
    const level = this.#levelOf(ticket);
    // Tickets that run before the first of their line do not count as service of it.
    if (level.lines[ticket.party].byAge.first?.value === ticket) level.takenMs = nowMs;
    this.remove(ticket);
  }

  /** Best effective level first, then the party whose turn it is, then order of arrival. */
  head(nowMs: number, turn: Party = 'clients'): Head<T> | undefined {
    let best: Head<T> | undefined;
    for (const { lines, takenMs } of this.#levels)
      for (const party of PARTIES) {
        const ticket = lines[party].byAge.first?.value;
        if (ticket === undefined) continue;
        const unservedMs = nowMs - Math.max(takenMs, ticket.enqueuedMs);
        const level = effectiveLevel(ticket.priority, unservedMs, this.#agingMs);
        if (best === undefined || level < best.level || (level === best.level && isBefore(ticket, best.ticket, turn)))
          best = { ticket, level };
      }
    return best;
  }

  /** A head, then the tickets of its shape by priority, its own party first, and arrival. Do not change the queue while walking. */
  *alike(head: T): Generator<T, void> {
    yield head;
    for (const { lines } of this.#levels)
      for (const { byShape } of [lines[head.party], lines[OTHER[head.party]]])
        for (let link = byShape.get(head.shapeKey)?.first; link !== undefined; link = link.next) {
          if (link.value !== head) yield link.value;
        }
  }

  /** The tickets of a head's shape, priority and party, the last to come first. Do not change the queue while walking. */
  *newest({ shapeKey, priority, party }: T): Generator<T, void> {
    let link = this.#levels[priority - 1]?.lines[party].byShape.get(shapeKey)?.last;
    for (; link !== undefined; link = link.previous) yield link.value;
  }

  /** How many different shapes wait, counted in each priority; tickets of two parties share runs. */
  get shapes(): number {
    let shapes = 0;
    for (const { lines } of this.#levels) shapes += Math.max(...PARTIES.map((party) => lines[party].byShape.size));
    return shapes;
  }

  /** All waiting tickets, by priority, party and arrival. */
  all(): T[] {
    const tickets: T[] = [];
    for (const { lines } of this.#levels)
      for (const party of PARTIES)
        for (let link = lines[party].byAge.first; link !== undefined; link = link.next) tickets.push(link.value);
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
    for (const sums of [level, level.lines[ticket.party]]) {
      sums.tickets += sign;
      sums.items += sign * ticket.items;
      // Sums of fractions drift; what is empty has no cost.
      sums.cost = sums.tickets === 0 ? 0 : sums.cost + sign * ticket.cost;
    }
  }
}

type Ordered = Pick<Ticket, 'party' | 'sequence'>;

function isBefore(one: Ordered, other: Ordered, turn: Party): boolean {
  return one.party === other.party ? one.sequence < other.sequence : one.party === turn;
}
