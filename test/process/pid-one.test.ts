import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { CLI, SERVER_ENV } from './carpool.ts';

/** Runs a command in a process namespace of its own, as in a container; without root if the kernel allows that. */
const NAMESPACE = ['--user', '--map-root-user', '--pid', '--fork', '--kill-child'];
const skip =
  spawnSync('unshare', [...NAMESPACE, 'true']).status === 0 ? false : 'process namespaces are not to be had here';

test('as PID 1, too, a server with stuck runs ends itself, and not with 0', { skip, timeout: 60_000 }, async () => {
  const stuck = { square: { runLimitMs: 300, simulate: { runMs: 600_000 } } };
  const child = spawn('unshare', [...NAMESPACE, process.execPath, CLI, 'serve'], {
    env: { ...SERVER_ENV, MODELS: 'square', FAILED_GRACE_MS: '100', MODEL_OPTIONS: JSON.stringify(stuck) },
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    const ended = once(child, 'exit', { signal: AbortSignal.timeout(40_000) }) as Promise<
      [number | null, string | null]
    >;
    let port = 0;
    for await (const text of createInterface({ input: child.stdout })) {
      const line = JSON.parse(text) as { msg?: string; port?: number };
      if (line.msg === 'listening') port = line.port ?? 0;
      if (line.msg === 'server is ready') break;
    }
    const predict = async (): Promise<number> => {
      const headers = { 'Content-Type': 'application/json' };
      return (await fetch(`http://127.0.0.1:${port}/predict`, { method: 'POST', headers, body: '{"data":3}' })).status;
    };
    // The first costs its lane the thread, and refusals come until another has its place.
    assert.equal(await predict(), 504);
    while ((await predict()) === 429);
    const [code, signal] = await ended;
    assert.ok(signal !== null || (code !== null && code !== 0), `it ended with ${code}`);
  } finally {
    child.kill('SIGKILL');
  }
});

test('as PID 1, too, a signal that comes before the server listens ends it', { skip, timeout: 60_000 }, async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'carpool-pid-one-'));
  const config = path.join(folder, 'carpool.json');
  spawnSync('mkfifo', [config]);
  const child = spawn('unshare', [...NAMESPACE, process.execPath, CLI, 'serve'], {
    env: { ...SERVER_ENV, MODELS: 'square' },
    cwd: folder,
    stdio: 'ignore',
  });
  try {
    const ended = once(child, 'exit');
    // Opens when the server reads its configuration, and keeps it there.
    const writer = await open(config, 'w');
    const inner = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim();
    process.kill(Number(inner), 'SIGTERM');
    await writer.write('{}');
    await writer.close();
    await ended;
  } finally {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
});
