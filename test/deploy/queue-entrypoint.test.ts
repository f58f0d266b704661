import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('../../../deploy/salad/queue-entrypoint.sh', import.meta.url));

/** A process that notes what happens to it: `<name> up`, then `<name> down` some time after SIGTERM; or it ends by itself. */
const program = (
  name: string,
  { stopMs, exitCode, exitAfterMs }: { stopMs: number; exitCode: number; exitAfterMs?: number },
): string => `
const { appendFileSync } = require('node:fs');
const note = (text) => appendFileSync('journal', '${name} ' + text + '\\n');
process.on('SIGTERM', () => { note('told'); setTimeout(() => { note('down'); process.exit(${exitCode}); }, ${stopMs}); });
setInterval(() => {}, 1000);
${exitAfterMs === undefined ? '' : `setTimeout(() => { note('down'); process.exit(${exitCode}); }, ${exitAfterMs});`}
note('up ' + process.argv.slice(2).join(' '));
`;

interface Behaviour {
  readonly stopMs: number;
  readonly exitCode: number;
  readonly exitAfterMs?: number;
}

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

function start(
  server: Behaviour,
  worker: Behaviour,
): { child: ChildProcess; journal: () => string[]; ended: Promise<number | null> } {
  const folder = mkdtempSync(path.join(tmpdir(), 'carpool-entrypoint-'));
  mkdirSync(path.join(folder, 'dist/src'), { recursive: true });
  mkdirSync(path.join(folder, 'bin'));
  writeFileSync(path.join(folder, 'dist/src/cli.js'), program('server', server));
  const workerFile = path.join(folder, 'bin/salad-http-job-queue-worker');
  writeFileSync(workerFile, `#!${process.execPath}\n${program('worker', worker)}`);
  chmodSync(workerFile, 0o755);
  const binaries = [path.join(folder, 'bin'), path.dirname(process.execPath), process.env['PATH'] ?? ''].join(':');
  const child = spawn('bash', [script, '--log-level', 'warn'], {
    cwd: folder,
    env: { PATH: binaries },
    stdio: 'ignore',
    detached: true,
  });
  cleanups.push(() => {
    // The whole group: a failed test must leave none of the three processes behind.
    if (child.pid !== undefined)
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // All have ended.
      }
    rmSync(folder, { recursive: true, force: true });
  });
  const file = path.join(folder, 'journal');
  return {
    child,
    journal: () => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []),
    ended: new Promise((resolve) => child.once('exit', resolve)),
  };
}

async function untilBothAreUp(journal: () => string[]): Promise<void> {
  while (journal().filter((line) => line.includes(' up')).length < 2) await sleep(10);
}

describe('queue-entrypoint.sh', { timeout: 60_000 }, () => {
  test('passes its arguments to the server', async () => {
    const { child, journal, ended } = start({ stopMs: 0, exitCode: 0 }, { stopMs: 0, exitCode: 0 });
    await untilBothAreUp(journal);
    assert.ok(journal().includes('server up serve --log-level warn'));
    child.kill('SIGTERM');
    await ended;
  });

  test('tells the worker to stop only when the server has drained, and leaves with the code of the server', async () => {
    const { child, journal, ended } = start({ stopMs: 400, exitCode: 0 }, { stopMs: 0, exitCode: 2 });
    await untilBothAreUp(journal);
    child.kill('SIGTERM');
    assert.equal(await ended, 0);
    assert.deepEqual(journal().slice(2), ['server told', 'server down', 'worker told', 'worker down']);
  });

  test('survives a second signal while the server drains', async () => {
    const { child, journal, ended } = start({ stopMs: 400, exitCode: 0 }, { stopMs: 0, exitCode: 0 });
    await untilBothAreUp(journal);
    child.kill('SIGTERM');
    while (!journal().includes('server told')) await sleep(10);
    child.kill('SIGINT');
    assert.equal(await ended, 0);
    assert.equal(journal().at(-1), 'worker down');
  });

  test('stops the worker and leaves with the code of a server that ended by itself', async () => {
    const { journal, ended } = start({ stopMs: 0, exitCode: 7, exitAfterMs: 300 }, { stopMs: 0, exitCode: 0 });
    assert.equal(await ended, 7);
    assert.equal(journal().at(-1), 'worker down');
  });

  test('drains the server and leaves with an error when the worker ended by itself', async () => {
    const { journal, ended } = start({ stopMs: 100, exitCode: 0 }, { stopMs: 0, exitCode: 0, exitAfterMs: 300 });
    assert.equal(await ended, 1);
    assert.equal(journal().at(-1), 'server down');
  });
});
