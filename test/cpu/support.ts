import type { TestContext } from 'node:test';
import { CpuPool, type CpuLimits } from '../../src/cpu/pool.ts';
import type { CallJob, CpuAnswers, CpuJob } from '../../src/cpu/protocol.ts';
import type { Item } from '../../src/tasks/task.ts';
import type { Signature } from '../../src/tensors/tensor.ts';
import { sourceFor, spec } from '../tasks/support.ts';

/** Most tests do not care for the limit. */
export class PatientPool extends CpuPool {
  override run<Kind extends CpuJob['kind']>(
    job: Extract<CpuJob, { kind: Kind }>,
    limits: CpuLimits = { limitMs: 20_000 },
  ): Promise<CpuAnswers[Kind]> {
    return super.run(job, limits);
  }
}

export function openPool(t: TestContext, onError: (error: unknown) => void = () => undefined): PatientPool {
  const pool = new PatientPool(1, onError);
  t.after(() => pool.close());
  return pool;
}

export const NUMBERS: Signature = {
  inputs: [spec('x', 'FP64', [-1])],
  outputs: [spec('y', 'FP64', [-1])],
  batchable: true,
};
export const numbers = sourceFor('tensors', NUMBERS);

export const prepareJob = (item: Item, source = numbers): CallJob => ({
  kind: 'call',
  source,
  name: 'prepare',
  argument: item,
});
