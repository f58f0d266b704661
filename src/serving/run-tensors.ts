import { shapeKey } from '../tensors/rows.ts';
import type { Tensor } from '../tensors/tensor.ts';
import { cutRows, joinRows, type Block } from './blocks.ts';
import { Cancellation } from './cancellation.ts';
import { costOf, rowsTogether } from './run-size.ts';
import type { ServedGraph, ServedModel } from './served-model.ts';
import { runTicket, type Ride } from './tickets.ts';

/**
 * Runs a graph on tensors (signature order) of `rows` rows each along the batch axes; more rows than a run takes are cut into several tickets and
 * joined again. Outputs in signature order. `mostCost` is of a run.
 */
export async function runTensors(
  { task, description }: ServedModel,
  graph: ServedGraph,
  request: Block,
  { mostCost, ...ride }: Ride & { readonly mostCost: number },
): Promise<readonly Tensor[]> {
  task.checkTensors?.(request.inputs);
  const limits = { maxItems: description.maxItems, maxCost: mostCost };
  const blocks = cutRows(graph.signature, request, rowsTogether(graph, request, limits));
  return joinRows(graph.signature, await runBlocks(graph, blocks, ride));
}

/** Outputs of each block. If one block fails, the others are cancelled. */
async function runBlocks(graph: ServedGraph, blocks: readonly Block[], ride: Ride): Promise<(readonly Tensor[])[]> {
  const tickets = blocks.map(({ inputs, rows }) => {
    const cost = costOf(graph, inputs);
    return { payload: { inputs }, items: rows, cost, shapeKey: shapeKey(graph.signature, inputs) };
  });
  const [only] = tickets;
  if (only !== undefined && tickets.length === 1) return [await runTicket(only, ride)];
  const cancellation = new Cancellation();
  ride.cancellation.add(cancellation);
  try {
    return await Promise.all(tickets.map((ticket) => runTicket(ticket, { ...ride, cancellation })));
  } catch (error) {
    cancellation.cancel();
    throw error;
  } finally {
    ride.cancellation.remove(cancellation);
  }
}
