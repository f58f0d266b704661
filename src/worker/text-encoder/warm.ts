import type { Device, RunLimits, WarmAnswer } from '../../pool/messages.ts';
import { bucketLengths } from '../../tasks/text/length-buckets.ts';

export interface WarmEncoder {
  readonly maxLength: number;
  /** The only length of rows, where the graph has one. */
  readonly fixedLength: number | undefined;
  readonly device: Device['kind'];
  readonly limits: RunLimits;
  /** Runs `count` texts of `length` tokens; milliseconds. */
  encode(count: number, length: number): Promise<number>;
}

/** On a CPU every shape runs at its usual speed from the first time on: a few tell what runs cost, and large models stop early. */
const CPU_BUDGET_MS = 1500;

/** Runs the batches of texts that requests will make: on CUDA each bucket at each size, on a CPU single texts of rising length and a few batches. */
export async function warmEncoder(plan: WarmEncoder): Promise<WarmAnswer['runs']> {
  const runs: { items: number; runMs: number; cost: number; shapeKey: string }[] = [];
  const startMs = performance.now();
  for (const { items, length } of shapesOf(plan)) {
    const again = plan.device === 'cuda';
    if (!again && runs.length > 0 && performance.now() - startMs > CPU_BUDGET_MS) break;
    const first = await plan.encode(items, length);
    // The first run of a shape on CUDA pays for its kernels; that of a CPU session pays for its memory.
    const runMs = again || runs.length === 0 ? await plan.encode(items, length) : first;
    runs.push({ items, runMs, cost: items * length, shapeKey: String(length) });
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
