import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PROGRESS_BYTES } from '../../src/device.ts';
import type { LaneTicket, RunAnswer } from '../../src/lanes/protocol.ts';
import type { Faults } from '../../src/model-spec.ts';
import { injectFaults } from '../../src/programs/faults.ts';

/** A program that answers at once, made faulty. */
function faulty(faults: Faults) {
  const progress = new SharedArrayBuffer(PROGRESS_BYTES);
  const program = {
    run: (tickets: readonly LaneTicket[]): Promise<RunAnswer> =>
      Promise.resolve({
        ok: true,
        outcomes: tickets.map(() => ({ ok: true, outputs: [] })),
        runMs: 2,
        stackMs: 0,
        splitMs: 0,
      }),
  };
  injectFaults(program, faults, { progress });
  return { program, progress: new Int32Array(progress) };
}

test('a slow run sleeps, and its answer and the watchdog show it; a run without tickets does not', async (t) => {
  const sleep = t.mock.method(Atomics, 'wait', () => 'timed-out');
  const { program, progress } = faulty({ runMs: 40 });
  assert.equal((await program.run([{ id: 1, inputs: [] }])).runMs, 42);
  assert.deepEqual(sleep.mock.calls[0]?.arguments.slice(1), [0, 0, 40]);
  assert.deepEqual([...progress], [1, 1]);
  assert.equal((await program.run([])).runMs, 2);
  assert.equal(sleep.mock.callCount(), 1);
});

test('the thread ends at the run that was asked for, and at no other', async (t) => {
  const ended = t.mock.method(process, 'exit', () => {
    throw new Error('ended');
  });
  const { program } = faulty({ dieAtRun: 2 });
  await program.run([]);
  await assert.rejects(program.run([]), /ended/);
  await program.run([]);
  assert.equal(ended.mock.callCount(), 1);
});
