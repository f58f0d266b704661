import { setTimeout as sleep } from 'node:timers/promises';
import { judgeHealth, judgeSquare, type Reply } from '../checks.ts';
import { LoadClient } from './client.ts';
import type { RunResult, Sample } from './samples.ts';
import type { BurstScenario } from './scenario.ts';

/** The reference burst: all predicts at once, health checks at their times; counts as the k6 script of the same name does. */
export async function runBurst(scenario: BurstScenario, { url }: { url: string }): Promise<RunResult> {
  const client = new LoadClient(url, scenario.values.length + scenario.health.checks.length);
  const samples: Sample[] = [];
  const verdicts = { square: 0, refused: 0, wrong: 0 };
  const startMs = performance.now();
  const record = (name: string, reply: Reply, startedMs: number, check: readonly [string, boolean]): void => {
    samples.push({
      name,
      status: reply.status,
      latencyMs: performance.now() - startedMs,
      expected: reply.status === 200 || reply.status === 429,
      checks: [{ name: check[0], right: check[1] }],
    });
  };
  const predicts = scenario.values.map(async (value) => {
    const reply = await client.send({ method: 'POST', path: scenario.path, body: { data: value } });
    const verdict = judgeSquare(value, reply);
    verdicts[verdict]++;
    record('predict', reply, startMs, ['predict: a square or a refusal', verdict !== 'wrong']);
  });
  const health = scenario.health.checks.map(async ({ atMs, status }) => {
    await sleep(atMs);
    const sentMs = performance.now();
    const reply = await client.send({ method: 'GET', path: scenario.health.path });
    record('health', reply, sentMs, [`health: ${status} at ${atMs} ms`, judgeHealth(status, reply)]);
  });
  await Promise.all([...predicts, ...health]);
  const elapsedMs = performance.now() - startMs;
  await client.close();
  return {
    samples,
    dropped: 0,
    elapsedMs,
    counters: { burst_squares: verdicts.square, burst_refused: verdicts.refused, burst_wrong: verdicts.wrong },
  };
}
