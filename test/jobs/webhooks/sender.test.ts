import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { webhookMessage } from '../../../src/jobs/webhooks/event.ts';
import { WebhookSender } from '../../../src/jobs/webhooks/sender.ts';
import { webhookKey } from '../../../src/jobs/webhooks/signature.ts';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const RUNNING = new AbortController().signal;

interface Received {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

async function receiver(t: TestContext, answer: (response: ServerResponse) => void) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (piece: Buffer) => (body += piece.toString()));
    request.on('end', () => {
      received.push({ headers: request.headers, body });
      answer(response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { received, host, url: `http://${host}/hook` };
}

const sender = (hosts: string[], timeoutMs = 15_000) =>
  new WebhookSender({ key: webhookKey(SECRET), hosts, timeoutMs });
const messageTo = (url: string) => webhookMessage('job.completed', url, '{"id":"job_1"}');

test('a message is signed as the library of Standard Webhooks checks it', async (t) => {
  const { received, host, url } = await receiver(t, (response) => response.writeHead(204).end());
  const sent = await sender([host]).send(messageTo(url), RUNNING);
  assert.equal(sent.outcome, 'delivered');
  const [one] = received;
  assert.ok(one !== undefined);
  const headers = one.headers as Record<string, string>;
  const event = new Webhook(SECRET).verify(one.body, headers) as { type: string; data: unknown };
  assert.deepEqual([event.type, event.data], ['job.completed', { id: 'job_1' }]);
  assert.throws(() => new Webhook(SECRET).verify(`${one.body} `, headers));
});

test('private addresses are not called, by whatever name, unless their host is allowed', async (t) => {
  const { received, url } = await receiver(t, (response) => response.end());
  const port = new URL(url).port;
  for (const host of ['127.0.0.1', 'localhost', '[::1]', '169.254.169.254', '2130706433', '0x7f.1']) {
    const { outcome } = await sender(['example.com']).send(messageTo(`http://${host}:${port}/`), RUNNING);
    assert.equal(outcome, 'gone', host);
  }
  assert.throws(() => sender([]).check(url), /address/);
  assert.throws(() => sender([]).check('file:///etc/passwd'), /http/);
  assert.equal(received.length, 0);
  assert.equal((await sender(['127.0.0.1']).send(messageTo(url), RUNNING)).outcome, 'delivered');
});

test('a wait that the receiver asks for is told, in seconds or until a date', async (t) => {
  const waitOf = async (header: string): Promise<number | undefined> => {
    const { host, url } = await receiver(t, (response) => response.writeHead(429, { 'Retry-After': header }).end());
    return (await sender([host]).send(messageTo(url), RUNNING)).retryAfterMs;
  };
  assert.equal(await waitOf('120'), 120_000);
  const untilDate = (await waitOf(new Date(Date.now() + 3_600_000).toUTCString())) ?? 0;
  assert.ok(untilDate > 3_000_000 && untilDate <= 3_600_000, String(untilDate));
  for (const none of ['0', '-5', 'soon', new Date(0).toUTCString()]) assert.equal(await waitOf(none), undefined, none);
});

test('redirects are not followed, and nothing else than 2xx counts as taken', async (t) => {
  const target = await receiver(t, (response) => response.end());
  for (const [status, outcome] of [
    [302, 'failed'],
    [307, 'failed'],
    [404, 'failed'],
    [410, 'gone'],
    [500, 'failed'],
  ] as const) {
    const { host, url } = await receiver(t, (response) => response.writeHead(status, { Location: target.url }).end());
    assert.equal((await sender([host, target.host]).send(messageTo(url), RUNNING)).outcome, outcome);
  }
  assert.equal(target.received.length, 0);
});

test('a receiver that does not answer costs no more than the limit', async (t) => {
  const { host, url } = await receiver(t, () => undefined);
  const { outcome, reason } = await sender([host], 100).send(messageTo(url), RUNNING);
  assert.deepEqual([outcome, reason], ['failed', 'no answer in time']);
});
