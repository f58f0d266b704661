import { ServerError } from '../errors.ts';
import { elementCount, type Tensor } from '../tensors/tensor.ts';
import type { ServedGraph } from './served-model.ts';

/** Limits on the size of a run on tensors that a client sent; nothing else bounds it. */

function elementsOf(inputs: readonly Tensor[]): number {
  let elements = 0;
  for (const { shape } of inputs) elements += elementCount(shape);
  return elements;
}

/** The cost of a ticket of tensors. Throws TOO_LARGE if its run is predicted to take more memory than a run may. */
export function costOf(
  { elementsPerCost, bytesPerElement, mostBytes }: ServedGraph,
  inputs: readonly Tensor[],
): number {
  const elements = elementsOf(inputs);
  if (bytesPerElement !== undefined && elements * bytesPerElement > mostBytes)
    throw new ServerError(
      'TOO_LARGE',
      `This input would take about ${mebibytes(elements * bytesPerElement)} of memory; a run of this model may take ${mebibytes(mostBytes)} (runMemoryBytes in model.json).`,
    );
  return elements / elementsPerCost;
}

/** Most rows of a request that share a ticket: no more than a run may have of items, time and memory. */
export function rowsTogether(
  { elementsPerCost, bytesPerElement, mostBytes }: ServedGraph,
  { inputs, rows }: { readonly inputs: readonly Tensor[]; readonly rows: number },
  limits: { readonly maxItems: number; readonly maxCost: number },
): number {
  if (rows <= 1) return limits.maxItems;
  const perRow = Math.max(1, elementsOf(inputs) / rows);
  const byCost = (limits.maxCost * elementsPerCost) / perRow;
  const byMemory = bytesPerElement === undefined ? Infinity : mostBytes / (bytesPerElement * perRow);
  // 0.001: quotients of fractions are not exact.
  return Math.max(1, Math.min(limits.maxItems, Math.floor(Math.min(byCost, byMemory) + 0.001)));
}

function mebibytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
