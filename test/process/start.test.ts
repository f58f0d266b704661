import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { startSilentHub } from '../hub/silent-hub.ts';
import { makeModelsDir } from '../hub/support.ts';
import { Carpool, CLI, SERVER_ENV } from './carpool.ts';

test('a server without a model says so, and not that it is ready', async (t) => {
  await using carpool = await Carpool.start({ MODELS_DIR: await makeModelsDir(t) }, { ready: false });
  await carpool.log((line) => line['msg'] === 'server is up without a model, so /ready is 503');
  assert.ok(!carpool.logs.some((line) => line['msg'] === 'server is ready'));
  assert.equal((await carpool.get('/ready')).status, 503);
  assert.equal((await carpool.get('/started')).status, 200);
  carpool.signal('SIGTERM');
  assert.deepEqual(await carpool.exit(), { code: 0, signal: null });
});

test('SIGTERM while a pull waits for the hub ends the server at once', async (t) => {
  const { endpoint } = await startSilentHub(t);
  await using carpool = Carpool.spawn({
    CARPOOL_MODELS: 'hf:acme/square',
    HF_ENDPOINT: endpoint,
    MODELS_DIR: await makeModelsDir(t),
    DRAIN_GRACE_MS: '20000',
  });
  await carpool.log((line) => line['msg'] === 'lanes chosen');
  carpool.signal('SIGTERM');
  assert.deepEqual(await carpool.exit(), { code: 0, signal: null });
  assert.equal(carpool.stderr, '');
});

test('SIGTERM while a model loads is no error of the model', async () => {
  await using carpool = Carpool.spawn({ MODELS: 'text-to-image' });
  await carpool.log((line) => line['msg'] === 'model loading');
  carpool.signal('SIGTERM');
  assert.deepEqual(await carpool.exit(), { code: 0, signal: null });
  assert.deepEqual(
    carpool.logs.filter((line) => line['severity'] === 'ERROR'),
    [],
  );
  assert.equal(carpool.stderr, '');
});

test('a server that npm has started drains when the shell between them is stopped', async (t) => {
  const env = { ...SERVER_ENV, MODELS: 'square', npm_lifecycle_event: 'start' };
  // As npm does; with a command behind it, the shell stays.
  const shell = spawn('sh', ['-c', `"${process.execPath}" "${CLI}" serve; true`], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => shell.kill('SIGKILL'));
  const said: string[] = [];
  for await (const line of createInterface({ input: shell.stdout, signal: AbortSignal.timeout(60_000) })) {
    const { msg } = JSON.parse(line) as { msg: string };
    said.push(msg);
    if (msg === 'server is ready') shell.kill('SIGTERM');
  }
  // The output ends with the server.
  assert.deepEqual(said.slice(-2), ['server is draining', 'stopped']);
  if (shell.exitCode === null && shell.signalCode === null) await once(shell, 'exit');
});
