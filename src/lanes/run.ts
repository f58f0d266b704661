import type { RunReport, TicketOfRun } from '../core/ticket.ts';
import { ServerError } from '../errors.ts';
import type { Tensor } from '../tensors/tensor.ts';
import type { Thread } from './lane.ts';
import type { LaneWork, RunAnswer } from './protocol.ts';

/** Runs a batch on a lane's thread. Throws a ServerError where the run as a whole failed. `fatal`: the device is lost. */
export async function runTickets(
  thread: Pick<Thread, 'ask'>,
  key: string,
  tickets: readonly TicketOfRun<LaneWork>[],
): Promise<{ readonly report: RunReport<readonly Tensor[]>; readonly fatal: string | undefined }> {
  const answer = await thread.ask({
    kind: 'run',
    key,
    tickets: tickets.map(({ id, payload }) => ({ id, ...payload })),
  });
  if (!answer.ok) throw new ServerError(answer.code, undefined, { cause: new Error(answer.message) });
  return { report: toReport(answer), fatal: answer.fatal };
}

function toReport({ outcomes, runMs, stackMs, splitMs, maxItems }: RunAnswer): RunReport<readonly Tensor[]> {
  return {
    outcomes: outcomes.map((outcome) => {
      if (!outcome.ok) return { ok: false, error: new ServerError(outcome.code, outcome.message) };
      return 'outputs' in outcome ? { ok: true, result: outcome.outputs } : outcome;
    }),
    runMs,
    stackMs,
    splitMs,
    ...(maxItems === undefined ? {} : { maxItems }),
  };
}
