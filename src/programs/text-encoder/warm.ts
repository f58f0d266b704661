import type { RunLimits, WarmAnswer, WarmLimits } from '../../lanes/protocol.ts';
import type { Device } from '../../device.ts';
import { WarmBudget } from '../warm-budget.ts';
import { bucketLengths } from '../../tasks/text/length-buckets.ts';

export interface WarmEncoder {
  readonly maxLength: number;
  /** The only length of rows, where the graph has one. */
  readonly fixedLength: number | undefined;
  readonly device: Device['kind'];
  readonly limits: RunLimits;
  readonly budget: WarmLimits;
  /** Runs `count` texts of `length` tokens; milliseconds. */
  encode(count: number, length: number): Promise<number>;
}

/** Runs the batches of texts that requests will make: on CUDA each bucket at each size, on a CPU single texts of rising length and a few batches. */
export async function warmEncoder(plan: WarmEncoder): Promise<WarmAnswer['runs']> {
  const runs: { items: number; runMs: number; cost: number; shapeKey: string }[] = [];
  const budget = new WarmBudget(plan.budget);
  for (const { items, length } of shapesOf(plan)) {
    const cost = items * length;
    if (!budget.allows(cost)) break;
    const runMs = await budget.time(cost, () => plan.encode(items, length));
    runs.push({ items, runMs, cost, shapeKey: String(length) });
  }
  return runs;
}

function shapesOf({ maxLength, fixedLength, device, limits }: WarmEncoder): { items: number; length: number }[] {
  const lengths = fixedLength === undefined ? bucketLengths(maxLength) : [fixedLength];
  const shapes: { items: number; length: number }[] = [];
  for (const length of lengths) {
    const most = Math.max(1, Math.min(limits.maxItems, Math.floor(limits.maxCost / length)));
    if (device === 'cuda') for (let items = 1; items < most; items *= 2) shapes.push({ items, length });
    else if (most > 1) shapes.push({ items: 1, length });
    shapes.push({ items: most, length });
  }
  return shapes;
}
