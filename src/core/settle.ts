import { ServerError } from '../errors.ts';
import { followed } from './clock.ts';
import type { QueuedTicket } from './queued-ticket.ts';
import type { Run } from './run.ts';
import type { Clock, RunReport } from './ticket.ts';

/**
 * Each settled ticket is a reply to write, which takes from 0.05 ms to some milliseconds. Those of a large batch, written in one go, would delay health probes
 * and the requests of the next batch; written a few a turn of the event loop, they would wait for all that a crowd brings in each turn.
 */
const SLICE_MS = 1;

/** How a run ended. */
export interface Ending<Payload, Result> {
  readonly laneId: number;
  readonly ending: RunReport<Result> | ServerError;
  readonly clock: Clock;
  /** Its lane keeps the ticket for the next run. */
  readonly goesOn: (ticket: QueuedTicket<Payload, Result>) => boolean;
  readonly defer: (callback: () => void) => void;
}

/** Settles the tickets of a run in slices of about a millisecond with the replies that follow, and a turn of the event loop between them. */
export async function settle<Payload, Result>(
  run: Run<Payload, Result>,
  ending: Ending<Payload, Result>,
): Promise<void> {
  const { clock, defer, goesOn } = ending;
  let sinceMs = clock.now();
  for (const [index, ticket] of run.batch.take.entries()) {
    // Cancelled or expired meanwhile: the late result is dropped.
    if (goesOn(ticket) || ticket.state === 'settled') continue;
    if (clock.now() - sinceMs >= SLICE_MS) {
      await new Promise<void>((resolve) => {
        defer(resolve);
      });
      sinceMs = clock.now();
    }
    end(ticket, index, run, ending);
    await followed();
  }
}

function end<Payload, Result>(
  ticket: QueuedTicket<Payload, Result>,
  index: number,
  { model, batch }: Run<Payload, Result>,
  { ending, laneId, clock }: Ending<Payload, Result>,
): void {
  if (ending instanceof ServerError) {
    ticket.fail(ending);
    return;
  }
  const outcome = ending.outcomes[index];
  if (outcome === undefined) {
    const cause = new Error(`the lane gave ${ending.outcomes.length} outcomes for ${batch.take.length} tickets`);
    ticket.fail(new ServerError('INTERNAL', undefined, { cause }));
  } else if (!outcome.ok) {
    ticket.fail(outcome.error);
  } else if ('result' in outcome) {
    if (model.stepping) model.served(clock.now() - ticket.startedMs, ticket);
    ticket.succeed(outcome.result, laneId);
  }
}
