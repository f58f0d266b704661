/** Which batch sizes a server ran, from the histogram `carpool_batch_items` of its /metrics, and what a bare loop would need for them. */

/** One scrape of the histogram: cumulative counts up to each bound, as Prometheus writes them. */
export interface Scrape {
  readonly bounds: readonly number[];
  readonly cumulative: readonly number[];
  readonly items: number;
  readonly runs: number;
}

/** Reads the histogram of one model from the text of /metrics; all zero when the model has not run yet. */
export function readScrape(text: string, model: string): Scrape {
  const bounds: number[] = [];
  const cumulative: number[] = [];
  let items = 0;
  let runs = 0;
  for (const [, part, labels = '', value] of text.matchAll(
    /^carpool_batch_items_(bucket|sum|count)\{([^}]*)\} (\S+)$/gm,
  )) {
    if (!labels.includes(`model="${model}"`)) continue;
    if (part === 'sum') items = Number(value);
    else if (part === 'count') runs = Number(value);
    else {
      const bound = /le="([^"]*)"/.exec(labels)?.[1];
      bounds.push(bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound));
      cumulative.push(Number(value));
    }
  }
  return { bounds, cumulative, items, runs };
}

/** Runs of one batch size; the size is a mean and need not be whole. */
export interface SizedRuns {
  readonly size: number;
  readonly runs: number;
}

/**
 * The sizes run between two scrapes. A bucket says only that a size lay in (previous bound, bound]; all buckets are taken to lie
 * at the same fraction of their width, the one that gives the true number of items in all.
 */
export function sizesRun(before: Scrape, after: Scrape): SizedRuns[] {
  const buckets: { low: number; width: number; runs: number }[] = [];
  let previousBound = 0;
  let previousCount = 0;
  after.bounds.forEach((bound, index) => {
    const count = (after.cumulative[index] ?? 0) - (before.cumulative[index] ?? 0);
    const low = previousBound + 1;
    const runs = count - previousCount;
    if (runs > 0) buckets.push({ low, width: Number.isFinite(bound) ? bound - low : low, runs });
    previousBound = bound;
    previousCount = count;
  });
  const items = after.items - before.items;
  const lowest = buckets.reduce((sum, { low, runs }) => sum + low * runs, 0);
  const room = buckets.reduce((sum, { width, runs }) => sum + width * runs, 0);
  const fraction = room === 0 ? 0 : Math.min(1, Math.max(0, (items - lowest) / room));
  return buckets.map(({ low, width, runs }) => ({ size: low + fraction * width, runs }));
}

/**
 * The time a bare loop would take for these runs in seconds, from its mean time at some sizes, in straight lines between them.
 * Throws a plain Error on fewer than two measured sizes.
 */
export function rawSeconds(sizes: readonly SizedRuns[], meanMsBySize: ReadonlyMap<number, number>): number {
  const points = [...meanMsBySize].sort(([left], [right]) => left - right);
  let totalMs = 0;
  for (const { size, runs } of sizes) {
    // The first segment whose end lies at or beyond the size; beyond all of them the last one is drawn out.
    const found = points.findIndex(([measured], index) => index > 0 && measured >= size);
    const index = found === -1 ? points.length - 1 : found;
    const low = points[index - 1];
    const high = points[index];
    if (low === undefined || high === undefined) throw new Error('the bare loop was measured at fewer than two sizes');
    totalMs += runs * (low[1] + ((high[1] - low[1]) * (size - low[0])) / (high[0] - low[0]));
  }
  return totalMs / 1000;
}

/** Whole sizes worth measuring: those that make up at least `share` of all items run. */
export function weightySizes(sizes: readonly SizedRuns[], share: number): number[] {
  const items = sizes.reduce((sum, { size, runs }) => sum + size * runs, 0);
  const weighty = sizes.filter(({ size, runs }) => size * runs >= share * items);
  return [...new Set(weighty.map(({ size }) => Math.round(size)))];
}
