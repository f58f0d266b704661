import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { FakeHub } from '../hub/hub-server.ts';
import { startSilentHub } from '../hub/silent-hub.ts';
import { makeModelsDir } from '../hub/support.ts';
import { Carpool, SHIPPED_MODELS } from './carpool.ts';

const CLI = fileURLToPath(new URL('../../src/cli.js', import.meta.url));

async function startHub(t: TestContext): Promise<FakeHub> {
  const names = ['model.json', 'model.onnx'];
  const contents = await Promise.all(names.map((name) => readFile(path.join(SHIPPED_MODELS, 'square', name))));
  const files = Object.fromEntries(
    names.map((name, index): [string, Buffer] => [name, contents[index] ?? Buffer.alloc(0)]),
  );
  return FakeHub.start(t, { repository: 'acme/square', token: 'hf_secret', files });
}

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `carpool` with these arguments to its end. */
function runCli(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [CLI, ...args],
      { env: { PATH: process.env['PATH'] ?? '', ...env } },
      (error, stdout, stderr) => resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr }),
    );
  });
}

test('models of CARPOOL_MODELS are pulled at start and served; the next start needs no hub', async (t) => {
  const hub = await startHub(t);
  const modelsDir = path.join(await makeModelsDir(t), 'models');
  const env = {
    MODELS_DIR: modelsDir,
    CARPOOL_MODELS: 'hf:acme/square',
    HF_ENDPOINT: hub.endpoint,
    HF_TOKEN: 'hf_secret',
  };
  {
    await using carpool = await Carpool.start(env);
    const { status, body } = await carpool.post('/predict/square', { data: 7 });
    assert.deepEqual([status, body], [200, { result: 49 }]);
    assert.ok(!JSON.stringify([carpool.logs, (await carpool.get('/info')).body]).includes('hf_secret'));
  }
  await hub.stop();
  await using again = await Carpool.start(env);
  assert.deepEqual((await again.post('/predict/square', { data: 3 })).body, { result: 9 });
});

test('a model that cannot be pulled ends the start, with the reason', async (t) => {
  const hub = await startHub(t);
  const modelsDir = await makeModelsDir(t);
  await using carpool = Carpool.spawn({
    MODELS_DIR: modelsDir,
    CARPOOL_MODELS: 'hf:acme/square',
    HF_ENDPOINT: hub.endpoint,
  });
  assert.deepEqual(await carpool.exit(), { code: 1, signal: null });
  assert.match(carpool.stderr, /model square: acme\/square: there is no such model, or it is private or gated \(401\)/);
});

test('carpool pull brings a model into a folder, and says so', async (t) => {
  const hub = await startHub(t);
  const modelsDir = path.join(await makeModelsDir(t), 'models');
  const args = ['pull', 'hf:acme/square', '--to', modelsDir, '--name', 'mine'];
  const env = { HF_ENDPOINT: hub.endpoint, HF_TOKEN: 'hf_secret' };
  const first = await runCli(args, env);
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stdout, /mine is there: acme\/square@[0-9a-f]{12}, 0\.0 MB/);
  assert.match(first.stderr, /100 %/);
  assert.deepEqual((await readdir(path.join(modelsDir, 'mine'))).sort(), [
    '.carpool-pull.json',
    'model.json',
    'model.onnx',
  ]);
  const second = await runCli(args, env);
  assert.deepEqual([second.code, second.stderr], [0, '']);
  assert.match(second.stdout, /is up to date/);
});

test('carpool pull ends with 1 when the model cannot be fetched, and with 2 for bad usage', async (t) => {
  const hub = await startHub(t);
  const modelsDir = await makeModelsDir(t);
  const env = { HF_ENDPOINT: hub.endpoint, MODELS_DIR: modelsDir };
  const refused = await runCli(['pull', 'hf:acme/square'], env);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /for those, set HF_TOKEN\n$/);
  const wrong = await runCli(['pull', 'hf:acme/square', '--dtype', 'q5'], env);
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /q5 is not a dtype/);
  const nothing = await runCli(['pull'], env);
  assert.equal(nothing.code, 2);
  assert.match(nothing.stderr, /Give one model[^]*Usage: carpool pull/);
  assert.match((await runCli(['pull', '--help'], env)).stdout, /^Usage: carpool pull/);
});

test('carpool pull that is stopped says so, and leaves no lock behind', async (t) => {
  const { endpoint, connected } = await startSilentHub(t);
  const modelsDir = await makeModelsDir(t);
  const pulling = spawn(process.execPath, [CLI, 'pull', 'hf:acme/square', '--to', modelsDir], {
    env: { PATH: process.env['PATH'] ?? '', HF_ENDPOINT: endpoint },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.after(() => pulling.kill('SIGKILL'));
  let stderr = '';
  pulling.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  await connected;
  assert.deepEqual(await readdir(modelsDir), ['.pull-square.lock']);
  pulling.kill('SIGTERM');
  assert.deepEqual(await once(pulling, 'close'), [143, null]);
  assert.equal(stderr, 'stopped by SIGTERM; run it again, it goes on where it stopped\n');
  assert.deepEqual(await readdir(modelsDir), []);
});
