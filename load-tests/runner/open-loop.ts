import { setImmediate as yieldToReplies, setTimeout as sleep } from 'node:timers/promises';
import { judgeReply, type LoadRequest } from '../checks.ts';
import { arrivalTimesMs, rateStages } from './arrivals.ts';
import { LoadClient } from './client.ts';
import type { RunResult, Sample } from './samples.ts';
import type { OpenLoopExecutor, OpenLoopScenario } from './scenario.ts';

/** How many requests may be sent in one go before replies get a turn, when this client is behind its times. */
const BURST = 32;

/**
 * Sends requests at the times the scenario says, whatever the server does, and measures from those times: a slow server
 * cannot make the load lighter (no coordinated omission). Like k6, an arrival is dropped when `maxVUs` requests are under way.
 */
export async function runOpenLoop(
  scenario: OpenLoopScenario,
  { url, durationScale }: { url: string; durationScale: number },
): Promise<RunResult> {
  const executors = Object.values(scenario.options.scenarios);
  const client = new LoadClient(
    url,
    executors.reduce((sum, executor) => sum + executor.maxVUs, 0),
    { isEachNew: scenario.options.noConnectionReuse },
  );
  const samples: Sample[] = [];
  const expected = new Set(scenario.expectedStatuses);
  const startMs = performance.now();
  const send = async (request: LoadRequest, dueMs: number): Promise<void> => {
    const reply = await client.send(request);
    samples.push({
      name: request.name,
      status: reply.status,
      latencyMs: performance.now() - startMs - dueMs,
      expected: expected.has(reply.status),
      checks: Object.entries(judgeReply(request, reply)).map(([name, right]) => ({ name, right })),
    });
  };
  const dropped = await Promise.all(
    executors.map((executor) => drive(executor, { scenario, durationScale, startMs, send })),
  );
  const elapsedMs = performance.now() - startMs;
  await client.close();
  return { samples, dropped: dropped.reduce((sum, count) => sum + count, 0), elapsedMs, counters: {} };
}

interface Drive {
  readonly scenario: OpenLoopScenario;
  readonly durationScale: number;
  readonly startMs: number;
  readonly send: (request: LoadRequest, dueMs: number) => Promise<void>;
}

/** One executor from its first arrival to its last reply; gives the number of dropped arrivals. */
async function drive(executor: OpenLoopExecutor, { scenario, durationScale, startMs, send }: Drive): Promise<number> {
  const underWay = new Set<Promise<void>>();
  let dropped = 0;
  let iteration = 0;
  for (const dueMs of arrivalTimesMs(rateStages(executor, durationScale))) {
    const waitMs = startMs + dueMs - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    else if (iteration % BURST === 0) await yieldToReplies();
    const request = scenario.requests[iteration % scenario.requests.length];
    iteration++;
    if (request === undefined || underWay.size >= executor.maxVUs) {
      dropped++;
      continue;
    }
    const sending = send(request, dueMs).finally(() => underWay.delete(sending));
    underWay.add(sending);
  }
  await Promise.all(underWay);
  return dropped;
}
