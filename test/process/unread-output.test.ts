import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { CLI, SERVER_ENV } from './carpool.ts';

/** A server whose standard output is no longer read: the pipe is full, and stays so. */

interface Unread {
  readonly child: ChildProcess;
  readonly url: string;
  readonly exited: Promise<[number | null, string | null]>;
}

/** Starts a server with a named pipe as its output, reads until it is ready, and then no more. */
async function startUnread(t: TestContext, env: Readonly<Record<string, string>>): Promise<Unread> {
  const folder = mkdtempSync(path.join(tmpdir(), 'carpool-unread-'));
  const fifo = path.join(folder, 'log');
  execFileSync('mkfifo', [fifo]);
  const output = openSync(fifo, constants.O_RDWR);
  const reader = new Socket({ fd: openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK), writable: false });
  const child = spawn(process.execPath, [CLI, 'serve'], {
    env: { ...SERVER_ENV, MODELS: 'square', ...env },
    cwd: folder,
    stdio: ['ignore', output, 'inherit'],
  });
  const exited = once(child, 'exit') as Unread['exited'];
  t.after(async () => {
    child.kill('SIGKILL');
    await exited;
    reader.destroy();
    closeSync(output);
    rmSync(folder, { recursive: true });
  });
  let text = '';
  for await (const chunk of reader.iterator({ destroyOnReturn: false })) {
    text += String(chunk);
    if (text.includes('server is ready')) break;
  }
  reader.pause();
  return { child, url: `http://127.0.0.1:${/port"?: ?(\d+)/.exec(text)?.[1] ?? text}`, exited };
}

/** More lines than a pipe holds (64 KiB on Linux) and than are gathered for one write. */
async function fillOutput(url: string): Promise<void> {
  const long = 'x'.repeat(8000);
  for (let round = 0; round < 60; round += 1) assert.equal((await fetch(`${url}/${long}`)).status, 404);
}

for (const format of ['json', 'pretty'])
  for (const signal of ['SIGTERM', 'SIGHUP'] as const)
    test(`output (${format}) that nobody reads: ${signal} ends the server in order`, { timeout: 60_000 }, async (t) => {
      const { child, url, exited } = await startUnread(t, { LOG_FORMAT: format });
      await fillOutput(url);
      child.kill(signal);
      assert.deepEqual(await exited, [0, null]);
    });

test('output that nobody reads: a second signal ends the server at once', { timeout: 60_000 }, async (t) => {
  const { child, url, exited } = await startUnread(t, {
    MODEL_OPTIONS: '{"square":{"simulate":{"runMs":50000}}}',
    DRAIN_GRACE_MS: '600000',
  });
  await fillOutput(url);
  const body = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"data":3}' };
  const cut = assert.rejects(fetch(`${url}/predict`, body));
  while (!/carpool_running_items\{model="square"\} 1/.test(await (await fetch(`${url}/metrics`)).text()));
  child.kill('SIGTERM');
  while ((await fetch(`${url}/ready`)).status !== 503);
  // A signal right after the first one counts as the same.
  const again = setInterval(() => child.kill('SIGTERM'), 100);
  t.after(() => clearInterval(again));
  assert.deepEqual(await exited, [null, 'SIGKILL']);
  await cut;
});

test('output that nobody reads: a server with stuck runs ends itself', { timeout: 60_000 }, async (t) => {
  const { url, exited } = await startUnread(t, {
    MODEL_OPTIONS: '{"square":{"runLimitMs":300,"simulate":{"runMs":600000}}}',
    FAILED_GRACE_MS: '100',
  });
  await fillOutput(url);
  const body = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"data":3}' };
  // The first costs its lane the thread, and refusals come until another has its place.
  assert.equal((await fetch(`${url}/predict`, body)).status, 504);
  while ((await fetch(`${url}/predict`, body)).status === 429);
  assert.deepEqual(await exited, [null, 'SIGKILL']);
});
