import { doJob } from '../../src/cpu/jobs.ts';
import type { CpuLimits, CpuPool } from '../../src/cpu/pool.ts';
import type { CpuJob } from '../../src/cpu/protocol.ts';
import { ServerError } from '../../src/errors.ts';
import type { Task, TaskSource } from '../../src/tasks/task.ts';

interface Model {
  readonly task: Task;
  readonly taskSource: TaskSource;
}

/** Does what the CPU pool's threads would, here, on copies as threads give them to each other. `done` lists what: the job, and of which operation or function. */
export function poolHere(models: readonly Model[], done: string[]): CpuPool {
  const taskOf = ({ key }: TaskSource): Promise<Task> => {
    const task = models.find((model) => model.taskSource.key === key)?.task;
    return task === undefined ? Promise.reject(new Error('no such task')) : Promise.resolve(task);
  };
  const runLate = async (_: string, make: () => CpuJob, { limitMs }: CpuLimits): Promise<unknown> => {
    if (limitMs <= 0) throw new ServerError('DEADLINE_EXCEEDED');
    await Promise.resolve();
    const job = make();
    done.push(`${job.kind} ${job.kind === 'call' ? job.name : job.operation}`);
    return structuredClone((await doJob(structuredClone(job), taskOf)).value);
  };
  const run = (job: CpuJob, limits: CpuLimits): Promise<unknown> => runLate('', () => job, limits);
  return { threads: 1, run, runLate } as unknown as CpuPool;
}
