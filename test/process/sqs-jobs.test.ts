import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import type { Message } from '@aws-sdk/client-sqs';
import { CREDENTIALS, SqsServer, withoutElasticMq, type QueueSettings } from '../jobs/sqs/sqs-server.ts';
import { Carpool } from './carpool.ts';
import { SqsChaos } from './sqs-chaos.ts';

const only = { skip: withoutElasticMq, timeout: 300_000 };

let mq: SqsServer;
before(async () => {
  if (withoutElasticMq === false) mq = await SqsServer.elasticMq();
});
after(async () => {
  if (withoutElasticMq === false) await mq.stop();
});

async function rig(t: TestContext, name: string, settings: QueueSettings = {}) {
  const jobs = await mq.create(name, settings);
  const results = await mq.create(`${name}-results`);
  const start = (env: Readonly<Record<string, string>> = {}, command = 'work'): Carpool => {
    const place = { AWS_ENDPOINT_URL_SQS: mq.url, JOB_QUEUE: name, JOB_RESULTS_QUEUE: `${name}-results` };
    const server = Carpool.spawn({ MODELS: 'square', JOB_SOURCE: 'sqs', ...place, ...CREDENTIALS, ...env }, command);
    t.after(() => server[Symbol.asyncDispose]());
    return server;
  };
  return { jobs, results, start };
}

const square = (data: number): string => JSON.stringify({ url: '/predict/square', body: { data } });

function answerOf({ Body: body = '' }: Message): unknown {
  return (JSON.parse(body) as { response: { body: unknown } }).response.body;
}

test('a worker answers the messages of a queue that it finds by name, and ends in order', only, async (t) => {
  const { jobs, results, start } = await rig(t, 'simple', { maxReceiveCount: 3 });
  const worker = start();
  worker.port = Number((await worker.log((line) => line['msg'] === 'listening'))['port']);
  const found = await worker.log((line) => line['msg'] === 'queues of SQS found');
  assert.deepEqual([found['queue'], found['deadLetters'], found['maxReceiveCount']], ['simple', 'simple-dead', 3]);
  const id = await mq.send(jobs, square(7));
  const [result] = await mq.take(results);
  assert.ok(result);
  assert.deepEqual(answerOf(result), { result: 49 });
  assert.equal((JSON.parse(result.Body ?? '') as { custom_id: string }).custom_id, id);
  await mq.send(jobs, 'nonsense');
  const [dead] = await mq.take(`${jobs}-dead`);
  assert.match(dead?.MessageAttributes?.['Result']?.StringValue ?? '', /A job must be a JSON object/);
  worker.signal('SIGTERM');
  assert.deepEqual(await worker.exit(), { code: 0, signal: null });
  assert.equal(await mq.count(jobs), 0);
});

test('a server that is stopped gives back what it has not begun, for others at once', only, async (t) => {
  const { jobs, results, start } = await rig(t, 'stopped');
  const slow = { MODEL_OPTIONS: '{"square":{"batching":{"maxItems":1},"simulate":{"runMs":300}}}' };
  const first = start(slow, 'serve');
  await first.log((line) => line['msg'] === 'pulling jobs');
  for (let index = 0; index < 6; index += 1) await mq.send(jobs, square(index));
  const taken = await mq.take(results);
  first.signal('SIGTERM');
  assert.deepEqual(await first.exit(), { code: 0, signal: null });
  start();
  taken.push(...(await mq.take(results, 6 - taken.length)));
  assert.equal(taken.length, 6);
});

test('a queue that is not there ends the process with its name', only, async (t) => {
  const { start } = await rig(t, 'there');
  const worker = start({ JOB_QUEUE: 'not-there' });
  assert.equal((await worker.exit()).code, 1);
  assert.match(worker.stderr, /JOB_SOURCE=sqs: .*queue not-there: .*not exist/);
});

/** Workers are killed, stand still and hang at random moments. In full: `JOBS=1000 node --test --test-name-pattern=chaos dist/test/process/sqs-jobs.test.js`. */
const jobs = Number(process.env['JOBS'] ?? 60);
for (const fifo of process.env['JOBS'] === undefined ? [true] : [false, true])
  test(
    `chaos: of a ${fifo ? 'FIFO' : 'standard'} queue no job is lost or answered twice, and none is gone before its result is there`,
    { ...only, timeout: 1_800_000 },
    async (t) => {
      const seed = Number(process.env['SEED'] ?? Date.now() % 100_000);
      t.diagnostic(`SEED=${seed}`);
      const chaos = await SqsChaos.start(t, mq, {
        fifo,
        seed,
        jobs,
        workers: jobs < 1000 ? 2 : 3,
        limitMs: 240 * jobs + 120_000,
      });
      t.diagnostic(await chaos.run());
    },
  );
