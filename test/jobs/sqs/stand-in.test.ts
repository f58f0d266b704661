import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { SqsSource } from '../../../src/jobs/sqs/source.ts';
import { LeaseLostError } from '../../../src/jobs/source.ts';
import { until } from '../../until.ts';
import './sqs-server.ts';

/**
 * Answers of SQS that no server of its kind gives: 12 hours in flight, an expired handle.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibilityBatch.html
 */
const AT_LIMIT =
  'Value 300 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]';
const NOT_AVAILABLE =
  'Value AQEB for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.';

const LINE = '{}';

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}

async function rig(t: TestContext, deliveries = 1) {
  const calls: string[] = [];
  let refusal: string | undefined;
  let held: Promise<void> | undefined;
  const answer = (call: string, ids: readonly string[]): unknown => {
    if (refusal !== undefined && call === 'ChangeMessageVisibilityBatch')
      return { Failed: ids.map((Id) => ({ Id, Code: 'InvalidParameterValue', Message: refusal, SenderFault: true })) };
    if (call === 'GetQueueAttributes') return { Attributes: {} };
    const Attributes = { ApproximateReceiveCount: String(deliveries) };
    const message = { MessageId: 'm', ReceiptHandle: 'AQEB', Body: 'a', MD5OfBody: md5('a'), Attributes };
    if (call === 'ReceiveMessage') return { Messages: [message] };
    return { Successful: ids.map((Id) => ({ Id, MessageId: 'r', MD5OfMessageBody: md5(LINE) })) };
  };
  const server = createServer((request, response) => {
    void json(request).then(async (body) => {
      const call = String(request.headers['x-amz-target']).replace('AmazonSQS.', '');
      calls.push(call);
      if (call === 'SendMessageBatch') await held;
      const { Entries: entries = [] } = body as { readonly Entries?: readonly { readonly Id: string }[] };
      const told = answer(
        call,
        entries.map(({ Id }) => Id),
      );
      response.setHeader('content-type', 'application/x-amz-json-1.0').end(JSON.stringify(told));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const told: string[] = [];
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/1`;
  const source = await SqsSource.open({
    ...{ queue: `${url}/jobs`, results: `${url}/results`, leaseMs: 300_000, attempts: 3 },
    log: { info: () => undefined, warn: (_: unknown, text: string) => void told.push(text) } as never,
  });
  told.length = 0;
  t.after(async () => {
    await source.close();
    server.closeAllConnections();
    server.close();
  });
  const [job] = await source.claim(1, new AbortController().signal);
  assert.ok(job);
  /** Answers about results wait until the end is called. */
  const hold = (): (() => void) => {
    let end = (): void => undefined;
    held = new Promise((resolve) => (end = resolve));
    return end;
  };
  return { source, job, told, calls, hold, refuse: (text: string) => (refusal = text) };
}

test('a failure is the end of a job at its last attempt only, so that its webhook is told once', async (t) => {
  for (const [deliveries, isLast] of [
    [1, false],
    [2, false],
    [3, true],
  ] as const) {
    const { job } = await rig(t, deliveries);
    assert.equal(job.isLast, isLast);
  }
});

test('a job that has been in flight for 12 hours is stopped, which is told once, and is ours until it goes back', async (t) => {
  const { source, job, told, refuse } = await rig(t);
  refuse(AT_LIMIT);
  for (let tries = 0; tries < 2; tries += 1) await assert.rejects(source.extend(job), /12 hours/);
  assert.equal(job.cancellation.cancelled, true);
  assert.deepEqual(told, ['a job has taken 12 hours, the most that SQS allows: it is given back']);
});

test('it is stopped before SQS refuses, as soon as a whole lease is too much', async (t) => {
  const { source, job, told, calls } = await rig(t);
  calls.length = 0;
  await assert.rejects(source.extend({ ...job, claimedAtMs: Date.now() - 12 * 3_600_000 + 200_000 }), /12 hours/);
  assert.equal(job.cancellation.cancelled, true);
  assert.equal(told.length, 1);
  assert.deepEqual(calls, []);
});

test('its result, if there is one by then, is stored, and it is deleted', async (t) => {
  const { source, job, calls, refuse } = await rig(t);
  refuse(AT_LIMIT);
  calls.length = 0;
  await source.done(job, { kind: 'answered', line: Buffer.from(LINE) });
  assert.deepEqual(calls, ['ChangeMessageVisibilityBatch', 'SendMessageBatch', 'DeleteMessageBatch']);
});

test('a job whose handle is not valid any more is lost, and its result is not stored', async (t) => {
  const { source, job, calls, refuse } = await rig(t);
  refuse(NOT_AVAILABLE);
  assert.equal(await source.extend(job), false);
  calls.length = 0;
  await assert.rejects(source.done(job, { kind: 'answered', line: Buffer.from(LINE) }), LeaseLostError);
  assert.deepEqual(calls, ['ChangeMessageVisibilityBatch']);
});

test('a job whose result is stored is only deleted when it comes again', async (t) => {
  const { source, job, calls } = await rig(t);
  await source.done(job, { kind: 'answered', line: Buffer.from(LINE) });
  calls.length = 0;
  assert.deepEqual(await source.claim(1, new AbortController().signal), []);
  await until('a deletion', () => calls.length >= 2 || undefined);
  assert.deepEqual(calls, ['ReceiveMessage', 'DeleteMessageBatch']);
});

test('a job that comes again while its result is being sent is not deleted before that is there', async (t) => {
  const { source, job, calls, hold } = await rig(t);
  const release = hold();
  const done = source.done(job, { kind: 'answered', line: Buffer.from(LINE) });
  await until('a result on its way', () => calls.includes('SendMessageBatch') || undefined);
  const [again] = await source.claim(1, new AbortController().signal);
  assert.ok(again);
  const second = source.done(again, { kind: 'answered', line: Buffer.from(LINE) });
  assert.equal(calls.includes('DeleteMessageBatch'), false);
  release();
  await Promise.all([done, second]);
  assert.equal(calls.filter((call) => call === 'SendMessageBatch').length, 1);
});
