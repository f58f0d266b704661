import type { TestContext } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { LaneThread } from '../../src/lanes/lane.ts';

/** The worker threads that are started while a test runs. */
export function watchWorkers(t: TestContext): Worker[] {
  const workers: Worker[] = [];
  const onWorker = (worker: Worker): void => void workers.push(worker);
  process.on('worker', onWorker);
  t.after(() => process.off('worker', onWorker));
  return workers;
}

/** A real lane on the CPU, closed after the test; `lost` gathers the reasons that it reported. */
export function openLane(t: TestContext): { lane: LaneThread; lost: string[] } {
  const lost: string[] = [];
  const lane = new LaneThread({
    id: 7,
    device: { kind: 'cpu' },
    intraOpThreads: 1,
    onLost: (reason) => void lost.push(reason),
  });
  t.after(() => (lane.lost ? undefined : lane.close()));
  return { lane, lost };
}

/** Asks again until it holds; the test's own limit ends it. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}
