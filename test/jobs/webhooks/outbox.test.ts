import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { Database } from '../../../src/jobs/local/database.ts';
import { webhookMessage, type WebhookMessage } from '../../../src/jobs/webhooks/event.ts';
import { Outbox, type OutboxOptions } from '../../../src/jobs/webhooks/outbox.ts';
import type { Sent } from '../../../src/jobs/webhooks/sender.ts';
import { FakeClock } from '../../core/fake-clock.ts';

async function openDb(t: TestContext): Promise<Database> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-hooks-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return Database.open(folder);
}

function rig(outcomes: Sent['outcome'][], more: Partial<OutboxOptions> = {}) {
  const sent: WebhookMessage[] = [];
  const told: string[] = [];
  const clock = new FakeClock();
  let now = 0;
  const options: OutboxOptions = {
    sender: {
      check: () => undefined,
      send(message) {
        sent.push(message);
        return Promise.resolve({ outcome: outcomes.shift() ?? 'delivered', reason: 'as the test says' });
      },
    },
    clock,
    log: { warn: () => undefined } as never,
    now: () => now,
    random: () => 1,
    ...more,
  };
  const pass = async (ms: number): Promise<void> => {
    now += ms;
    await clock.advance(ms);
    await clock.turn();
  };
  const watch = (outbox: Outbox): Outbox =>
    Object.assign(outbox, { onSent: (outcome: string) => void told.push(outcome) });
  return { sent, told, clock, options, pass, watch };
}

const message = (type: 'job.completed' | 'job.failed' = 'job.completed') =>
  webhookMessage(type, 'https://example.com/hook?key=secret', '{}');

test('a message that is not taken comes again, later and later, under the same id', async () => {
  const { sent, told, options, pass, watch } = rig(['failed', 'failed']);
  const outbox = watch(new Outbox(options));
  outbox.send(message());
  await pass(0);
  assert.equal(sent.length, 1);
  await pass(4999);
  assert.equal(sent.length, 1);
  await pass(1);
  assert.equal(sent.length, 2);
  await pass(20_000);
  assert.deepEqual(told, ['failed', 'failed', 'delivered']);
  assert.equal(new Set(sent.map(({ id }) => id)).size, 1);
  assert.equal(outbox.size, 0);
});

test('a message waits as long as its receiver asks, but no longer than an hour', async () => {
  const asked = [60_000, 1000, 86_400_000];
  const sentAtMs: number[] = [];
  let now = 0;
  const { options, pass } = rig([], {
    sender: {
      check: () => undefined,
      send() {
        sentAtMs.push(now);
        const retryAfterMs = asked.shift();
        if (retryAfterMs === undefined) return Promise.resolve({ outcome: 'delivered', reason: 'status 204' });
        return Promise.resolve({ outcome: 'failed', reason: 'status 429', retryAfterMs });
      },
    },
  });
  const outbox = new Outbox(options);
  outbox.send(message());
  await pass(0);
  for (; outbox.size > 0 && now < 10_000_000; now += 1000) await pass(1000);
  // The clock is read before its step.
  assert.deepEqual(
    sentAtMs.map((ms) => Math.ceil(ms / 1000)),
    [0, 59, 79, 3679],
  );
});

test('a message is given up after ten tries, or when its receiver is gone', async () => {
  const { sent, options, pass } = rig([...Array.from({ length: 10 }, () => 'failed' as const), 'gone']);
  const outbox = new Outbox(options);
  outbox.send(message());
  for (let tries = 0; tries < 20; tries += 1) await pass(3_600_000);
  assert.equal(sent.length, 10);
  assert.equal(outbox.size, 0);
  outbox.send(message('job.failed'));
  for (let tries = 0; tries < 5; tries += 1) await pass(3_600_000);
  assert.equal(sent.length, 11);
  assert.equal(outbox.size, 0);
});

test('what waits in a database is sent by the next process', async (t) => {
  const db = await openDb(t);
  t.after(() => db.close());
  const before = rig(['failed'], { db });
  const first = await Outbox.open(before.options);
  first.send(message());
  await before.pass(0);
  while (before.told.length === 0 && before.clock.timers === 0) await before.pass(0);
  await first.close();
  const after = rig([], { db });
  const second = await Outbox.open(after.options);
  assert.equal(second.size, 1);
  await after.pass(6000);
  assert.deepEqual(
    after.sent.map(({ id, failures }) => [id, failures]),
    before.sent.map(({ id }) => [id, 1]),
  );
  await second.close();
  assert.equal((await Outbox.open(rig([], { db }).options)).size, 0);
});

test('beyond ten thousand that wait, messages are dropped, which is told', () => {
  const { told, options, watch } = rig([], {
    sender: { check: () => undefined, send: () => new Promise(() => undefined) },
  });
  const outbox = watch(new Outbox(options));
  for (let messages = 0; messages <= 10_000; messages += 1) outbox.send(message());
  assert.deepEqual(told, ['dropped']);
  assert.equal(outbox.size, 10_000);
});

test('a host that answers nothing keeps no messages of others', async () => {
  const sent: string[] = [];
  const ends: (() => void)[] = [];
  const { options, pass } = rig([], {
    sender: {
      check: () => undefined,
      send({ url }) {
        sent.push(url);
        if (url.includes('example.org')) return Promise.resolve({ outcome: 'delivered', reason: '' });
        return new Promise((resolve) => ends.push(() => resolve({ outcome: 'gone', reason: '' })));
      },
    },
  });
  const outbox = new Outbox(options);
  for (let messages = 0; messages < 100; messages += 1) outbox.send(message());
  outbox.send(webhookMessage('job.completed', 'https://example.org/hook', '{}'));
  await pass(0);
  assert.deepEqual(sent.slice(4), ['https://example.org/hook']);
  for (let messages = 0; messages < 100; messages += 1) {
    ends.shift()?.();
    await pass(0);
  }
  assert.equal(sent.length, 101);
  assert.equal(outbox.size, 0);
});

test('logs show the host of a message and nothing else of its URL', async () => {
  const lines: unknown[] = [];
  const { options, pass } = rig(['failed'], { log: { warn: (line: unknown) => void lines.push(line) } as never });
  const outbox = new Outbox(options);
  outbox.send(message());
  await pass(0);
  assert.equal(lines.length, 1);
  assert.match(JSON.stringify(lines), /example\.com/);
  assert.doesNotMatch(JSON.stringify(lines), /secret|hook\?/);
});
