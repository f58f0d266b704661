import { BroadcastChannel } from 'node:worker_threads';
import { move, transferableSymbol, valueSymbol, workerData } from 'piscina';
import { plainError } from '../errors.ts';
import { giveWay } from '../priority.ts';
import { createTask } from '../tasks/registry.ts';
import type { Task, TaskSource } from '../tasks/task.ts';
import { collectWhenIdle, keepBusy } from '../garbage.ts';
import { doJob } from './jobs.ts';
import type { CpuAnswer, CpuData, CpuJob } from './protocol.ts';

/** A CPU thread: builds each model's task once, and does the jobs of the main thread (`jobs.ts`). */

giveWay();

/** Tasks by key, those used last at the end: a reloaded model has a new key. */
const tasks = new Map<string, Promise<Task>>();
const MOST_TASKS = 64;

/** Brings the keys of models that are gone. */
const gone = new BroadcastChannel((workerData as CpuData).channel);
gone.onmessage = (event) => {
  if (tasks.delete((event as { data: string }).data)) collectWhenIdle();
};
gone.unref();

function taskOf(source: TaskSource): Promise<Task> {
  const { key } = source;
  const task = tasks.get(key) ?? Promise.resolve(createTask(source));
  tasks.delete(key);
  tasks.set(key, task);
  // A task that could not be built is tried again the next time.
  task.catch(() => tasks.delete(key));
  const [oldest] = tasks.keys();
  if (tasks.size > MOST_TASKS && oldest !== undefined) tasks.delete(oldest);
  return task;
}

/** The garbage of a request of this size is collected when the thread is idle. */
const HEAVY_BYTES = 4 * 1024 * 1024;

function sizeOf(job: CpuJob): number {
  if (job.kind === 'decode') return job.body.byteLength;
  if (job.kind === 'call' || job.of === 'tensors' || 'values' in job.results) return 0;
  return job.results.chunks.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** The piscina entry. */
// eslint-disable-next-line no-restricted-exports -- piscina takes the default export
export default async function handle(job: CpuJob): Promise<CpuAnswer<unknown>> {
  keepBusy();
  if (sizeOf(job) >= HEAVY_BYTES) collectWhenIdle();
  try {
    const { value, buffers } = await doJob(job, taskOf);
    const answer = { ok: true as const, value };
    // Piscina unwraps this on the way out. Its types know single transferables only.
    return move({ [transferableSymbol]: buffers, [valueSymbol]: answer }) as unknown as typeof answer;
  } catch (thrown) {
    return { ok: false, error: plainError(thrown) };
  }
}
