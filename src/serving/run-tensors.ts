import type { AdmittedItem } from '../core/ticket.ts';
import type { LaneWork } from '../lanes/protocol.ts';
import { shapeKey } from '../tensors/rows.ts';
import type { Tensor } from '../tensors/tensor.ts';
import { cutRows, joinRows, type Block } from './blocks.ts';
import { Cancellation } from './cancellation.ts';
import { costOf, rowsTogether } from './run-size.ts';
import type { ServedGraph, ServedModel } from './served-model.ts';
import { runTicket, type Ride } from './tickets.ts';

/**
 * Runs a graph on tensors (signature order) of `rows` rows each along the batch axes; more rows than a run takes are cut into several tickets and
 * joined again. Outputs in signature order. `mostCost` is of a run. Throws at once what `checkTensors` and `costOf` throw.
 */
export function runTensors(
  { task, description }: ServedModel,
  graph: ServedGraph,
  request: Block,
  { ride, mostCost }: { readonly ride: Ride; readonly mostCost: number },
): Promise<readonly Tensor[]> {
  task.checkTensors?.(request.inputs);
  const limits = { maxItems: description.maxItems, maxCost: mostCost };
  const tickets = cutRows(graph.signature, request, rowsTogether(graph, request, limits)).map(({ inputs, rows }) => {
    const cost = costOf(graph, inputs);
    return { payload: { inputs }, items: rows, cost, shapeKey: shapeKey(graph.signature, inputs) };
  });
  const [only] = tickets;
  // Most requests are one ticket: its promise is theirs.
  if (only !== undefined && tickets.length === 1) return runTicket(only, ride);
  return runTogether(graph, tickets, ride);
}

/** If one ticket fails, the others are cancelled. */
async function runTogether(
  { signature }: ServedGraph,
  tickets: readonly AdmittedItem<LaneWork>[],
  ride: Ride,
): Promise<readonly Tensor[]> {
  const cancellation = new Cancellation();
  ride.cancellation.add(cancellation);
  try {
    return joinRows(
      signature,
      await Promise.all(tickets.map((ticket) => runTicket(ticket, { ...ride, cancellation }))),
    );
  } catch (error) {
    cancellation.cancel();
    throw error;
  } finally {
    ride.cancellation.remove(cancellation);
  }
}
