import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { startCarpool } from '../carpool.js';
import { SaladQueue } from './salad-queue.js';

/**
 * SaladCloud's High-Performance Inference Server in job-queue mode, with stand-ins for the platform: jobs of its queue, while clients of the gateway fill the
 * server's queue; see README.md. `node examples/job-queue/run.js`
 */

const models = fileURLToPath(new URL('../../models', import.meta.url));
const server = await startCarpool({
  MODELS_DIR: models,
  MODELS: 'square',
  DEVICE: 'cpu',
  READY_WHEN_FULL: 'true',
  // The reference: a queue of 8, batches of 4, and runs that take a while.
  MODEL_OPTIONS: JSON.stringify({
    square: { queue: { maxItems: 8 }, batching: { maxItems: 4 }, simulate: { runMs: 200 } },
  }),
});
try {
  const path = '/predict';
  const queue = new SaladQueue(`${server.url}${path}`);
  const good = Array.from({ length: 8 }, (_, n) => queue.submit({ data: n }));
  const wrong = queue.submit({ data: 'seven' });
  const interrupted = queue.submit({ data: 9 }, { interruptAfterMs: 100 });

  const crowd = new AbortController();
  const statuses = {};
  const clients = Array.from({ length: 24 }, async () => {
    while (!crowd.signal.aborted) {
      const { status } = await fetch(`${server.url}${path}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: '{"data":2}',
      });
      statuses[status] = (statuses[status] ?? 0) + 1;
      if (status === 429) await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });
  await queue.run();
  const ready = await fetch(`${server.url}/ready`);
  crowd.abort();
  await Promise.all(clients);

  console.table(
    [...good, wrong, interrupted].map(({ input, status, attempts, output }) => ({
      input: JSON.stringify(input),
      status,
      attempts,
      output: JSON.stringify(output).slice(0, 60),
    })),
  );
  console.log('clients of the gateway, by status:', statuses);

  for (const [n, job] of good.entries()) {
    assert.deepEqual([job.status, job.attempts, job.output], ['succeeded', 1, { result: n * n }]);
  }
  // The platform takes any 4xx but 408 and 429 as the end of a job, with the error as its output.
  assert.deepEqual([wrong.status, wrong.attempts], ['succeeded', 1]);
  assert.match(wrong.output.error, /\S/);
  assert.deepEqual([interrupted.status, interrupted.attempts, interrupted.output], ['succeeded', 2, { result: 81 }]);
  assert.ok(statuses[429] > 0, 'the queue was never full');
  assert.equal(ready.status, 200, 'readiness must not flap: the worker would leave its job');
  console.log('every job has its one right result, and none was refused');
} finally {
  await server.stop();
}
