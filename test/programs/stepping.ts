import type { LaneTicket, TicketOutcome } from '../../src/lanes/protocol.ts';
import type { Program } from '../../src/programs/program.ts';

/** Runs a stepping program as the core does, without a lane. */

/** Whether the ticket goes on in the next run. */
export function isMore(outcome: TicketOutcome | undefined): boolean {
  return outcome?.ok === true && 'more' in outcome;
}

/** Runs tickets to their ends; `joining` come in after the given number of runs. */
export async function finish(
  program: Program,
  first: readonly LaneTicket[],
  joining: Readonly<Record<number, LaneTicket>> = {},
): Promise<Map<number, TicketOutcome>> {
  const done = new Map<number, TicketOutcome>();
  let live = [...first];
  for (let run = 0; live.length > 0 || Object.keys(joining).some((at) => Number(at) >= run); run += 1) {
    const newcomer = joining[run];
    if (newcomer !== undefined) live.push(newcomer);
    const { outcomes } = await program.run(live);
    const next: LaneTicket[] = [];
    for (const [index, { id }] of live.entries()) {
      const outcome = outcomes[index];
      if (outcome === undefined) throw new Error(`ticket ${id} has no outcome`);
      if (isMore(outcome)) next.push({ id });
      else done.set(id, outcome);
    }
    live = next;
  }
  return done;
}
