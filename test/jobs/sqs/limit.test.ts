import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { SqsSource } from '../../../src/jobs/sqs/source.ts';
import { LeaseLostError } from '../../../src/jobs/source.ts';
import './sqs-server.ts';

/**
 * Answers of SQS that no server of its kind gives (12 hours in flight, an expired handle), as AWS writes them: error codes in `__type` and in the header of
 * the older query protocol. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html
 */
const AT_LIMIT =
  'Value 300 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [43200 seconds]';
const NOT_AVAILABLE =
  'Value AQEB for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.';

const LINE = '{}';

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}

async function rig(t: TestContext) {
  const calls: string[] = [];
  let refusal: string | undefined;
  const server = createServer((request, response) => {
    void answer(request).then(({ status, body, code }) => {
      if (code !== undefined) response.setHeader('x-amzn-query-error', `${code};Sender`);
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(body));
    });
  });
  const answer = async (request: IncomingMessage) => {
    await buffer(request);
    const call = String(request.headers['x-amz-target']).replace('AmazonSQS.', '');
    calls.push(call);
    if (refusal !== undefined && call === 'ChangeMessageVisibility') {
      const code = 'InvalidParameterValue';
      return { status: 400, code, body: { __type: `com.amazon.coral.service#${code}`, message: refusal } };
    }
    const message = { MessageId: 'm', ReceiptHandle: 'AQEB', Body: 'a', MD5OfBody: md5('a') };
    const bodies: Record<string, unknown> = {
      GetQueueAttributes: { Attributes: {} },
      ReceiveMessage: { Messages: [message] },
      SendMessage: { MessageId: 'r', MD5OfMessageBody: md5(LINE) },
    };
    return { status: 200, body: bodies[call] ?? {}, code: undefined };
  };
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
  return { source, job, told, calls, refuse: (text: string) => (refusal = text) };
}

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
  assert.deepEqual(calls, ['ChangeMessageVisibility', 'SendMessage', 'DeleteMessage']);
});

test('a job whose handle is not valid any more is lost, and its result is not stored', async (t) => {
  const { source, job, calls, refuse } = await rig(t);
  refuse(NOT_AVAILABLE);
  assert.equal(await source.extend(job), false);
  calls.length = 0;
  await assert.rejects(source.done(job, { kind: 'answered', line: Buffer.from(LINE) }), LeaseLostError);
  assert.deepEqual(calls, ['ChangeMessageVisibility']);
});
