import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { SqsServer, withoutElasticMq } from '../../dist/test/jobs/sqs/sqs-server.js';
import { Local } from '../local.js';

/**
 * Runs demo app 2v2 on this machine: ElasticMQ for SQS, versitygw for the bucket, and workers of which some are killed on the way. Exit code: 0 if every job has its right output.
 */

const text = (value) => ({ type: 'string', default: value });
const { values } = parseArgs({
  options: {
    jobs: text('2'),
    steps: text('100'),
    workers: text('2'),
    kills: text('1'),
    'step-ms': text('30'),
    'save-ms': text('300'),
  },
});
const [jobs, steps, workers, kills] = ['jobs', 'steps', 'workers', 'kills'].map((name) => Number(values[name]));
if (withoutElasticMq) throw new Error(withoutElasticMq);

const folderOf = (job) => `demoapp2v2/job${job}`;
const local = await Local.open({ kills, saves: (line) => line.includes('Saving the state') });
let isRight = false;
try {
  const sqs = await SqsServer.elasticMq();
  local.atEnd(() => sqs.stop());
  const queue = await sqs.create('jobs', { fifo: true, maxReceiveCount: 100 });
  const results = await sqs.create('results', { fifo: true });
  for (let job = 0; job < jobs; job += 1) {
    await local.write(`${folderOf(job)}/input.txt`, `1\n${steps}`);
    const parameters = {
      STATE_SAVING_INTERVAL: String(Number(values['save-ms']) / 1000),
      STEP_RUNNING_TIME: String(Number(values['step-ms']) / 1000),
    };
    // Each job is a group of its own, so that one does not wait for another.
    await sqs.send(queue, JSON.stringify({ parameters, bucket: local.s3.bucket, folder: folderOf(job) }), `${job}`);
  }
  for (let worker = 0; worker < workers; worker += 1)
    await local.startWorker({
      ...{ JOB_SOURCE: 'sqs', JOB_QUEUE: queue, JOB_RESULTS_QUEUE: results, JOB_ATTEMPTS: '100' },
      JOB_MAP: fileURLToPath(new URL('job-map.js', import.meta.url)),
    });
  while ((await sqs.count(results)) < jobs) await sleep(200, undefined, { signal: local.signal });
  const expected = String((BigInt(steps) * (BigInt(steps) + 1n)) / 2n);
  isRight = true;
  for (let job = 0; job < jobs; job += 1) {
    await local.show(folderOf(job));
    const output = await local.read(`${folderOf(job)}/output.txt`);
    console.log(`job${job}: output ${output}, expected ${expected}\n`);
    isRight &&= output === expected;
  }
} finally {
  await local.end();
}
process.exitCode = isRight ? 0 : 1;
