/** Items and runs of a model so far, from the histogram `carpool_batch_items` of a server's /metrics. */
export interface Runs {
  readonly items: number;
  readonly runs: number;
}

/** Reads them from the text of /metrics; all zero when the model has not run yet. */
export function readRuns(text: string, model: string): Runs {
  const read = (part: 'sum' | 'count'): number => {
    for (const [, labels = '', value] of text.matchAll(
      new RegExp(`^carpool_batch_items_${part}\\{([^}]*)\\} (\\S+)$`, 'gm'),
    ))
      if (labels.includes(`model="${model}"`)) return Number(value);
    return 0;
  };
  return { items: read('sum'), runs: read('count') };
}

/** Mean batch between two readings. */
export function meanBatch(before: Runs, after: Runs): number {
  return (after.items - before.items) / (after.runs - before.runs);
}
