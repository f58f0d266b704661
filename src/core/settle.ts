import { ServerError } from '../errors.ts';
import type { Run } from './lane-slot.ts';
import type { QueuedTicket } from './queued-ticket.ts';
import type { RunReport } from './ticket.ts';

/**
 * Each settled ticket is a reply to write, which takes about 0.1 ms. Those of a large batch, written in one go, would delay health probes and the
 * requests of the next batch.
 */
const SETTLE_AT_ONCE = 8;

/** How a run ended. */
export interface Ending<Payload, Result> {
  readonly laneId: number;
  readonly ending: RunReport<Result> | ServerError;
  readonly nowMs: number;
  /** Its lane keeps the ticket for the next run. */
  readonly goesOn: (ticket: QueuedTicket<Payload, Result>) => boolean;
  readonly defer: (callback: () => void) => void;
}

/** Settles the tickets of a run in slices, with a turn of the event loop between them. */
export async function settle<Payload, Result>(
  run: Run<Payload, Result>,
  ending: Ending<Payload, Result>,
): Promise<void> {
  for (const [count, [index, ticket]] of [...run.batch.take.entries()]
    .filter(([, ticket]) => !ending.goesOn(ticket))
    .entries()) {
    if (count > 0 && count % SETTLE_AT_ONCE === 0)
      await new Promise<void>((resolve) => {
        ending.defer(resolve);
      });
    // Cancelled or expired meanwhile: the late result is dropped.
    if (ticket.state !== 'settled') end(ticket, index, run, ending);
  }
}

function end<Payload, Result>(
  ticket: QueuedTicket<Payload, Result>,
  index: number,
  { model, batch }: Run<Payload, Result>,
  { ending, laneId, nowMs }: Ending<Payload, Result>,
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
    if (model.stepping) model.served(nowMs - ticket.startedMs, ticket);
    ticket.succeed(outcome.result, laneId);
  }
}
