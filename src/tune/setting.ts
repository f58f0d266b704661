import type { JsonObject } from '../json.ts';

/** What is tuned: fields of model.json. */
export interface Setting {
  /** 0: those of the GPUs, one each. */
  readonly lanes: number;
  readonly threads: number;
  readonly maxItems: number;
  readonly delayMs: number;
}

/** The fields of model.json that say a setting. */
export function blockOf({ lanes, threads, maxItems, delayMs }: Setting): JsonObject {
  return {
    ...(lanes === 0 ? {} : { lanes, session: { intraOpNumThreads: threads } }),
    batching: { maxItems, maxDelayMs: delayMs },
  };
}

export function settingText({ lanes, threads, maxItems, delayMs }: Setting): string {
  const where =
    lanes === 0 ? '' : `${lanes} lane${lanes === 1 ? '' : 's'} of ${threads} thread${threads === 1 ? '' : 's'}, `;
  return `${where}batches of up to ${maxItems}, ${delayMs === 0 ? 'no delay' : `delay ${delayMs} ms`}`;
}

/** Below 0: the first is simpler. Lanes cost a copy of the weights each, threads cores, a delay time when nobody else comes. */
export function compareSimplicity(a: Setting, b: Setting): number {
  return (
    a.lanes * a.threads - b.lanes * b.threads || a.lanes - b.lanes || a.delayMs - b.delayMs || a.maxItems - b.maxItems
  );
}

const MOST_LANES = 64;

/**
 * Pairs of lanes and threads worth a try: all products of powers of two (and of the number of cores) that use all cores or half of them, and one lane of
 * one thread.
 */
export function pairsFor(cores: number): { readonly lanes: number; readonly threads: number }[] {
  const counts = [...new Set([1, 2, 4, 8, 16, 32, 64, cores])].filter((count) => count <= Math.min(cores, MOST_LANES));
  const least = Math.max(1, Math.floor(cores / 2));
  return counts
    .flatMap((lanes) => counts.map((threads) => ({ lanes, threads })))
    .filter(({ lanes, threads }) => lanes * threads <= cores && (lanes * threads >= least || lanes * threads === 1))
    .sort((a, b) => a.lanes * a.threads - b.lanes * b.threads || a.lanes - b.lanes);
}
