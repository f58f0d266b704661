import type { Admission } from '../core/admission.ts';
import type { Core } from '../core/core.ts';
import type { TicketTiming } from '../core/queued-ticket.ts';
import type { AdmittedItem } from '../core/ticket.ts';
import { ServerError } from '../errors.ts';
import type { CpuLimits } from '../cpu/pool.ts';
import type { LaneWork } from '../lanes/protocol.ts';
import type { Tensor } from '../tensors/tensor.ts';
import type { Cancellation } from './cancellation.ts';
import type { Deadline } from './deadline.ts';
import type { Stages } from './stages.ts';
import { addTicket, type RequestTiming } from './timing.ts';

export type TensorCore = Core<LaneWork, readonly Tensor[]>;
/** Permits of a request. */
export type Permits = Admission<LaneWork, readonly Tensor[]>;

/** What the tickets of a request have in common. */
export interface Ride {
  readonly permits: Permits;
  readonly deadline: Deadline;
  readonly cancellation: Cancellation;
  readonly timing: RequestTiming;
  /** Absent unless the request is traced. */
  readonly stages?: Stages | undefined;
}

/** How a ticket is run. */
export interface TicketRun {
  /** Its permit stays with the request. */
  readonly lent?: boolean;
  /** Ends the ticket early. */
  readonly signal?: AbortSignal | undefined;
}

/** Runs one ticket; its outputs in signature order. Throws CANCELLED and whatever the core and the lane refuse or fail it with. */
export async function runTicket(
  item: AdmittedItem<LaneWork>,
  { permits, cancellation, timing, stages }: Ride,
  { lent = false, signal }: TicketRun = {},
): Promise<readonly Tensor[]> {
  if (cancellation.cancelled || signal?.aborted === true) throw new ServerError('CANCELLED');
  const ticket = lent ? permits.lend(item) : permits.enqueue(item);
  const stop = signal === undefined ? undefined : (): void => ticket.cancel();
  if (stop !== undefined) signal?.addEventListener('abort', stop, { once: true });
  cancellation.add(ticket);
  try {
    const reply = await ticket.done;
    addTicket(timing, reply.timing);
    if (stages !== undefined) addStages(stages, reply.timing);
    return reply.result;
  } finally {
    cancellation.remove(ticket);
    if (stop !== undefined) signal?.removeEventListener('abort', stop);
  }
}

function addStages(stages: Stages, { startedMs, queueMs, lane, batchItems: items, run: number }: TicketTiming): void {
  stages.add('queue', startedMs - queueMs, startedMs);
  stages.add('run', startedMs, undefined, { lane, items, number });
}

/** For a call on the CPU pool that begins now. */
export function limitsOf({ deadline, cancellation }: Pick<Ride, 'deadline' | 'cancellation'>): CpuLimits {
  return { limitMs: deadline.leftMs(), cancellation };
}
