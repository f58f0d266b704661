import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../../src/core/clock.ts';
import { Child } from '../../../src/jobs/commands/child.ts';
import { isAlive, until } from './rig.ts';

async function start(script: string) {
  const lines: string[] = [];
  const child = await Child.start({
    command: '/bin/sh',
    arguments: ['-c', script],
    environment: { PATH: process.env['PATH'] },
    clock: systemClock,
    output: { line: (stream, text) => void lines.push(`${stream} ${text}`), dropped: () => undefined },
  });
  return { child, lines };
}

test('when the server is killed, the whole group of its command ends', async (t) => {
  const file = fileURLToPath(new URL('dying-server.js', import.meta.url));
  const server = spawn(process.execPath, [file, 'run'], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => server.kill('SIGKILL'));
  const [printed] = (await once(server.stdout, 'data', { signal: AbortSignal.timeout(60_000) })) as [Buffer];
  const pids = printed.toString().trim().split(' ').map(Number);
  assert.equal(pids.filter(isAlive).length, 2);
  server.kill('SIGKILL');
  await until('they have ended', () => !pids.some(isAlive));
});

test('the end of a program is told when all that it has printed is read', async () => {
  const { child, lines } = await start('echo one; echo two >&2; printf three');
  assert.deepEqual(await child.ended, { code: 0 });
  assert.deepEqual(lines.sort(), ['stderr two', 'stdout one', 'stdout three']);
});

test('a process that has left the group, and holds its output open, does not hold up its end', async (t) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-child-'));
  const file = path.join(folder, 'pid');
  const { child } = await start(
    `setsid sh -c 'echo $$ > ${file}; exec sleep 1000' & until [ -s ${file} ]; do sleep 0.01; done; exit 5`,
  );
  t.after(async () => {
    process.kill(Number(await readFile(file, 'utf8')));
    await rm(folder, { recursive: true });
  });
  assert.deepEqual(await child.ended, { code: 5 });
});
