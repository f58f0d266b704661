import type { LaneTicket, RunAnswer, TicketOutcome } from '../lanes/protocol.ts';
import { failed, LOST_TICKET } from './failure.ts';
import { runHalving, type HalvingOptions, type RunTotals } from './halving.ts';

/** What one run of a stepping program has done so far: the tickets that ended in it, its times, and why the device is lost, if it is. */
export class SteppingRun implements RunTotals {
  runMs = 0;
  stackMs = 0;
  splitMs = 0;
  /** Outcomes of tickets that ended in this run, by id. */
  readonly ended = new Map<number, TicketOutcome>();
  fatal: string | undefined;

  /** Runs tickets together, by halves where that fails (halving.ts), and records those that ended. */
  async halving<Ticket extends { readonly id: number }>(
    tickets: readonly Ticket[],
    options: HalvingOptions<Ticket>,
  ): Promise<void> {
    const { outcomes, runMs, stackMs, splitMs, fatal } = await runHalving(tickets, options);
    this.runMs += runMs;
    this.stackMs += stackMs;
    this.splitMs += splitMs;
    this.fatal ??= fatal;
    for (const [index, { id }] of tickets.entries()) {
      const outcome = outcomes[index];
      if (outcome !== undefined && !goesOn(outcome)) this.ended.set(id, outcome);
    }
  }

  /**
   * The answer for the tickets of the run. `onward` gives the outcome of a ticket that has not ended, or undefined where the program does not have
   * it: such a ticket is lost.
   */
  answer(tickets: readonly LaneTicket[], onward: (id: number) => TicketOutcome | undefined): RunAnswer {
    const { runMs, stackMs, splitMs, fatal } = this;
    const lost = fatal === undefined ? LOST_TICKET : failed(fatal);
    const outcomes = tickets.map(
      ({ id }) => this.ended.get(id) ?? (fatal === undefined ? onward(id) : undefined) ?? lost,
    );
    return { ok: true, outcomes, runMs, stackMs, splitMs, ...(fatal === undefined ? {} : { fatal }) };
  }
}

/** Whether the ticket goes on in the next run. */
export function goesOn(outcome: TicketOutcome | undefined): boolean {
  return outcome !== undefined && 'more' in outcome;
}
