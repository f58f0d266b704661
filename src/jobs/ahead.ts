import type { ServedModel } from '../serving/served-model.ts';

/** How many jobs a server holds at one time: as many as let every lane have its next batch ready while it runs one. */
export function jobsAhead(models: readonly Pick<ServedModel, 'limits' | 'queueItems'>[], lanes: number): number {
  const ahead = models.map(({ limits, queueItems }) => Math.min(queueItems, 2 * limits.maxItems * lanes));
  return Math.max(2 * lanes, ...ahead);
}
