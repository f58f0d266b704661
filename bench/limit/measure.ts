import { meanBatch } from '../batch-runs.ts';
import type { Child } from '../child.ts';
import type { ClosedLoopAnswer } from '../load-client.ts';
import type { LoadChild } from '../peak.ts';
import { cpuSeconds, threadCpuMs } from '../process-usage.ts';
import type { RawAnswer, RawRequest } from '../raw-loop.ts';
import type { Side } from '../sides.ts';
import { BARE_LOOP, type Sample } from './samples.ts';

export interface Cell {
  readonly connections: number;
  readonly round: number;
  readonly seconds: number;
}

/** One side under a closed loop. */
export async function measureSide(
  client: LoadChild,
  side: Side,
  { connections, round, seconds, tool }: Cell & { readonly tool: 'wrk' | 'autocannon' },
): Promise<Sample> {
  const { pid, target } = side;
  const leave = side.isWatched === true ? await openPage(target.port) : undefined;
  const runsBefore = await side.runs();
  const clock = (): { mainMs: number | undefined; all: number | undefined } => ({
    mainMs: pid === undefined ? undefined : threadCpuMs(pid, pid),
    all: cpuSeconds(side.pids()),
  });
  const before = clock();
  const answer = (await client.ask({ kind: 'closed-loop', ...target, connections, seconds, tool })) as ClosedLoopAnswer;
  const after = clock();
  leave?.();
  const each = (from: number | undefined, to: number | undefined, us: number): number | undefined =>
    from === undefined || to === undefined ? undefined : ((to - from) * us) / answer.requests;
  const runsAfter = await side.runs();
  return {
    side: side.name,
    connections,
    round,
    perSecond: answer.perSecond,
    p50Ms: answer.p50Ms,
    p99Ms: answer.p99Ms,
    failures: answer.failures,
    meanBatch: runsBefore && runsAfter && meanBatch(runsBefore, runsAfter),
    mainThreadUs: each(before.mainMs, after.mainMs, 1000),
    serverUs: each(before.all, after.all, 1e6),
    clientUs: (answer.cpuSeconds * 1e6) / answer.requests,
  };
}

/** Reads what the page of the server would; the returned function ends that. */
async function openPage(port: number): Promise<() => void> {
  const stop = new AbortController();
  const { body, status } = await fetch(`http://127.0.0.1:${port}/live`, { signal: stop.signal });
  if (body === null || status !== 200) throw new Error(`/live answers ${status}`);
  const reader = body.getReader();
  // What it tells first, so that it is open before the clients begin.
  await reader.read();
  const readOn = async (): Promise<void> => {
    while (!(await reader.read()).done);
  };
  readOn().catch(() => undefined);
  return () => stop.abort();
}

/** The bare loop at the batch that so many connections can fill; its times are of a run. */
export async function measureLoop(
  loop: Child<RawRequest, RawAnswer>,
  { connections, round, seconds }: Cell,
  maxItems: number,
): Promise<Sample> {
  const batch = Math.min(connections, maxItems);
  const { runs, meanMs, medianMs, p99Ms, cpuSeconds: cpu } = await loop.ask({ batch, durationMs: seconds * 1000 });
  const serverUs = (cpu * 1e6) / (runs * batch);
  return {
    side: BARE_LOOP,
    connections,
    round,
    perSecond: (batch * 1000) / meanMs,
    p50Ms: medianMs,
    p99Ms,
    failures: 0,
    meanBatch: batch,
    mainThreadUs: undefined,
    serverUs,
    clientUs: undefined,
  };
}
