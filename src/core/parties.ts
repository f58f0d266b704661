import type { Batch } from './batcher.ts';
import { OTHER } from './queue.ts';
import { charge, correct, MAX_LEAD_MS, rejoin, type Rival, type Share } from './scheduler.ts';
import { PARTIES, type Party, type Ticket } from './ticket.ts';

/** What a party has waiting and running, over all models, and the lane time that it has had. */
class PartyState implements Rival {
  readonly share: Share;
  waitingTickets = 0;
  runningItems = 0;

  constructor(weight: number) {
    this.share = { servedMs: 0, startMs: 0, weight };
  }

  get isHere(): boolean {
    return this.waitingTickets > 0 || this.runningItems > 0;
  }
}

/** The lane time of each party: the one that has had less, over its weight, has the next turn. A run of tickets of both counts for each by its cost. */
export class Parties {
  readonly #states: Readonly<Record<Party, PartyState>>;

  constructor(weights: Readonly<Record<Party, number>> = { clients: 1, jobs: 1 }) {
    this.#states = { clients: new PartyState(weights.clients), jobs: new PartyState(weights.jobs) };
  }

  /** Whose turn it is. */
  get turn(): Party {
    const { clients, jobs } = this.#states;
    return jobs.share.servedMs < clients.share.servedMs ? 'jobs' : 'clients';
  }

  shareOf(party: Party): Share {
    return this.#states[party].share;
  }

  /** The lane time that the other party gets for each of a party's own, where there is too little for both. */
  otherShare(party: Party): number {
    return this.#states[OTHER[party]].share.weight / this.#states[party].share.weight;
  }

  /** A ticket joins its queue. */
  comes({ party }: Pick<Ticket, 'party'>): void {
    const state = this.#states[party];
    if (!state.isHere) rejoin(state.share, Object.values(this.#states));
    state.waitingTickets += 1;
  }

  /** A ticket leaves its queue, be it for a lane. */
  leaves({ party }: Pick<Ticket, 'party'>): void {
    this.#states[party].waitingTickets -= 1;
  }

  /** A ticket begins its first run (1), or is on no lane any more (-1). */
  runs({ party, items }: Pick<Ticket, 'party' | 'items'>, sign: 1 | -1): void {
    this.#states[party].runningItems += sign * items;
  }

  /** A run starts. */
  charge(jobsPart: number, predictedMs: number): void {
    for (const { state, part } of this.#parts(jobsPart)) charge(state.share, part * predictedMs);
    const here = PARTIES.map((party) => this.#states[party]).filter(({ isHere }) => isHere);
    const leastMs = Math.min(...here.map(({ share }) => share.servedMs));
    // With lanes of its own a party may be far ahead: if it stayed so, it would get nothing for as long once they are lost.
    for (const { share } of here) share.servedMs = Math.min(share.servedMs, leastMs + MAX_LEAD_MS);
  }

  /** A run has ended, and took this long. */
  correct(jobsPart: number, predictedMs: number, actualMs: number): void {
    for (const { state, part } of this.#parts(jobsPart)) correct(state.share, part * predictedMs, part * actualMs);
  }

  *#parts(jobsPart: number): Generator<{ readonly state: PartyState; readonly part: number }> {
    if (jobsPart < 1) yield { state: this.#states.clients, part: 1 - jobsPart };
    if (jobsPart > 0) yield { state: this.#states.jobs, part: jobsPart };
  }
}

/** The part of jobs in the cost of a batch. */
export function jobsPartOf({ take, items, cost }: Batch<Pick<Ticket, 'party' | 'items' | 'cost'>>): number {
  let ofJobs = 0;
  for (const ticket of take) if (ticket.party === 'jobs') ofJobs += cost > 0 ? ticket.cost : ticket.items;
  return ofJobs === 0 ? 0 : Math.min(1, ofJobs / (cost > 0 ? cost : items));
}
