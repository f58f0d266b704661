import type { Child } from './child.ts';
import type { ClosedLoopAnswer, LoadAnswer, LoadRequest } from './load-client.ts';
import type { Target } from './payload.ts';

/** The process that loads servers. */
export type LoadChild = Child<LoadRequest, LoadAnswer>;

export interface Peak {
  /** Replies a second. */
  readonly perSecond: number;
  readonly connections: number;
}

/** The best goodput of closed loops of these many connections. */
export async function findPeak(
  client: LoadChild,
  target: Target,
  { connections, seconds }: { readonly connections: readonly number[]; readonly seconds: number },
): Promise<Peak> {
  let peak: Peak = { perSecond: 0, connections: 0 };
  for (const count of connections) {
    const answer = await client.ask({ kind: 'closed-loop', ...target, connections: count, seconds });
    const { perSecond } = answer as ClosedLoopAnswer;
    if (perSecond > peak.perSecond) peak = { perSecond, connections: count };
  }
  return peak;
}
