import { PROGRESS_BEGUN, PROGRESS_ENDED, type LaneData } from '../device.ts';
import type { Faults } from '../model-spec.ts';
import type { Program } from './program.ts';

/**
 * Makes the runs of a program slow, or ends the lane's thread at one of them: `simulate` of model.json, for demos and tests. Only models that ask for
 * it come here, and nothing else injects faults. Warm-up is free of them.
 */
export function injectFaults(
  program: Pick<Program, 'run'>,
  { runMs = 0, dieAtRun }: Faults,
  { progress }: Pick<LaneData, 'progress'>,
): void {
  const run = program.run.bind(program);
  const counts = new Int32Array(progress);
  let runs = 0;
  program.run = async (tickets) => {
    runs += 1;
    // A worker thread's exit ends this thread alone: the lane dies as it would of a crash in its JavaScript.
    // eslint-disable-next-line no-restricted-properties
    if (runs === dieAtRun) process.exit(1);
    const answer = await run(tickets);
    if (runMs === 0 || tickets.length === 0) return answer;
    Atomics.add(counts, PROGRESS_BEGUN, 1);
    // Without giving up the thread, as a real run would.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, runMs);
    Atomics.add(counts, PROGRESS_ENDED, 1);
    return { ...answer, runMs: answer.runMs + runMs };
  };
}
