import assert from 'node:assert/strict';
import { open, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { BEGINNING, type Checkpoint } from '../../../src/jobs/file/checkpoint.ts';
import { OrderedOutput } from '../../../src/jobs/file/ordered-output.ts';
import { makeModelsDir } from '../../hub/support.ts';

async function rig(t: TestContext, { withErrors = true } = {}) {
  const folder = await makeModelsDir(t);
  const results = await open(path.join(folder, 'results'), 'w+');
  const errors = withErrors ? await open(path.join(folder, 'errors'), 'w+') : undefined;
  const saved: Checkpoint[] = [];
  const output = new OrderedOutput({ results, errors }, BEGINNING, (checkpoint) => {
    saved.push(checkpoint);
    return Promise.resolve();
  });
  const read = async (): Promise<{ results: string; errors: string }> => ({
    results: await readFile(path.join(folder, 'results'), 'utf8'),
    errors: withErrors ? await readFile(path.join(folder, 'errors'), 'utf8') : '',
  });
  return {
    output,
    saved,
    read,
    results,
    close: async (): Promise<void> => {
      await results.close();
      await errors?.close();
    },
  };
}

const line = (index: number, isAnswer = true) => ({
  line: Buffer.from(`r${index}`),
  isAnswer,
  number: index + 1,
  endByte: 10 * (index + 1),
});

test('in whatever order results come, they are written in that of the input', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 8 }), async (order) => {
      const { output, read, saved, close } = await rig(t);
      for (const [step, index] of order.entries()) {
        output.put(index, line(index, index % 3 !== 2));
        if (step % 3 === 0) await new Promise(setImmediate);
      }
      await output.close();
      assert.deepEqual(await read(), { results: 'r0\nr1\nr3\nr4\nr6\nr7\n', errors: 'r2\nr5\n' });
      assert.deepEqual(saved.at(-1), {
        nextByte: 80,
        nextLine: 9,
        resultsBytes: 18,
        errorsBytes: 6,
        answered: 6,
        failed: 2,
      });
      await close();
    }),
    { numRuns: 30 },
  );
});

test('what comes after a missing result is held and not written', async (t) => {
  const { output, read, saved, close } = await rig(t);
  output.put(0, line(0));
  output.put(2, line(2));
  await output.close();
  assert.deepEqual(await read(), { results: 'r0\n', errors: '' });
  assert.equal(saved.at(-1)?.nextByte, 10);
  assert.equal(output.heldBytes, 2);
  assert.equal(output.next, 1);
  await close();
});

test('without a file of their own errors go among the results', async (t) => {
  const { output, read, close } = await rig(t, { withErrors: false });
  output.put(0, line(0, false));
  await output.close();
  assert.equal((await read()).results, 'r0\n');
  await close();
});

test('a write that fails is told to the next result, to whoever waits, and at the end', async (t) => {
  const { output, results, close } = await rig(t);
  await results.close();
  output.put(0, line(0));
  await assert.rejects(output.moved());
  assert.throws(() => output.put(1, line(1)));
  await assert.rejects(output.moved());
  await assert.rejects(output.close());
  await close().catch(() => undefined);
});
