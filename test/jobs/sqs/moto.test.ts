import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import type { JobResult } from '../../../src/jobs/result.ts';
import type { SqsJob } from '../../../src/jobs/sqs/messages.ts';
import { SqsSource, type SqsOptions } from '../../../src/jobs/sqs/source.ts';
import { LeaseLostError } from '../../../src/jobs/source.ts';
import { SqsServer } from './sqs-server.ts';

/** What ElasticMQ does differently from SQS. */

/** False, or why tests that need moto are skipped. */
const python = process.env['CARPOOL_PYTHON'];
const withoutMoto: false | string =
  python !== undefined && spawnSync(python, ['-c', 'import moto.server']).status === 0
    ? false
    : 'CARPOOL_PYTHON names no Python with moto[server]';

const only = { skip: withoutMoto, timeout: 120_000 };

let moto: SqsServer;
before(async () => {
  if (withoutMoto === false) moto = await SqsServer.moto();
});
after(async () => {
  if (withoutMoto === false) await moto.stop();
});

const RESULT: JobResult = { kind: 'answered', line: Buffer.from('{"custom_id":"a"}') };

async function open(t: { after(end: () => Promise<void>): void }, options: Pick<SqsOptions, 'queue' | 'results'>) {
  const log = { info: () => undefined, warn: () => undefined } as never;
  const source = await SqsSource.open({ leaseMs: 60_000, attempts: 9, waitMs: 1000, log, ...options });
  t.after(() => source.close());
  return source;
}

async function claimOne(source: SqsSource): Promise<SqsJob> {
  for (let tries = 0; tries < 60; tries += 1) {
    const [job] = await source.claim(1, new AbortController().signal);
    if (job !== undefined) return job;
  }
  throw new Error('there is no job');
}

test('a job whose message was deleted is lost, and its result is not stored', only, async (t) => {
  const [queue, results] = [await moto.create('gone'), await moto.create('gone-results')];
  const source = await open(t, { queue, results });
  await moto.send(queue, 'a');
  const job = await claimOne(source);
  await moto.sqs.deleteMessage({ QueueUrl: queue, ReceiptHandle: job.receipt });
  assert.equal(await source.extend(job), false);
  await assert.rejects(source.done(job, RESULT), LeaseLostError);
  assert.equal(await moto.count(results), 0);
});

test('the reason of a dead letter joins the attributes that its sender gave it', only, async (t) => {
  const queue = await moto.create('letters', { maxReceiveCount: 1 });
  const source = await open(t, { queue, results: await moto.create('letters-results') });
  const attributes = {
    Colour: { DataType: 'String', StringValue: 'red' },
    Bytes: { DataType: 'Binary', BinaryValue: Buffer.from([1, 2]) },
  };
  await moto.sqs.sendMessage({ QueueUrl: queue, MessageBody: 'a', MessageAttributes: attributes });
  await source.done(await claimOne(source), { ...RESULT, kind: 'unreadable' });
  const [dead] = await moto.take(`${queue}-dead`);
  const { Colour: colour, Bytes: bytes, ...own } = dead?.MessageAttributes ?? {};
  assert.equal(colour?.StringValue, 'red');
  assert.deepEqual([...(bytes?.BinaryValue ?? [])], [1, 2]);
  assert.deepEqual(Object.keys(own).sort(), ['Deliveries', 'JobId', 'Result']);
});
