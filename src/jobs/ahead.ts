import { likelySizes, type ServedModel } from '../serving/served-model.ts';

/** The models of a server: those that are loaded, and those that a job would load. */
export interface ModelsAhead {
  list(): readonly Pick<ServedModel, 'limits' | 'queueItems'>[];
  asleep(): readonly Parameters<typeof likelySizes>[0][];
}

/** How many jobs a server holds at one time: as many as let every lane have its next batch ready while it runs one. */
export function jobsAhead(models: ModelsAhead, lanes: number): number {
  const sizes = [...models.list(), ...models.asleep().map(likelySizes)];
  const ahead = sizes.map(({ limits, queueItems }) => Math.min(queueItems, 2 * limits.maxItems * lanes));
  return Math.max(2 * lanes, ...ahead);
}
