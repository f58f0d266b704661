import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { CLI, SERVER_ENV, SHIPPED_MODELS } from './carpool.ts';

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const LIMIT_MS = 60_000;

function carpool(argv: readonly string[], modelsDir = SHIPPED_MODELS): Promise<Ended> {
  return new Promise((resolve) => {
    const env = { ...SERVER_ENV, MODELS_DIR: modelsDir };
    execFile(process.execPath, [CLI, ...argv], { env, timeout: LIMIT_MS }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout, stderr }),
    );
  });
}

async function folderOfModels(t: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'carpool-models-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const square = path.join(SHIPPED_MODELS, 'square');
  await cp(square, path.join(folder, 'own'), { recursive: true });
  await symlink(square, path.join(folder, 'linked'));
  await cp(path.join(square, 'model.onnx'), path.join(folder, 'loose.onnx'));
  await cp(square, path.join(folder, 'wrong'), { recursive: true });
  await writeFile(path.join(folder, 'wrong', 'model.json'), '{"batching":{"maxItems":"many"}}');
  return folder;
}

test('list shows the models of a folder, and what is wrong with them', async (t) => {
  const folder = await folderOfModels(t);
  const { stdout } = await carpool(['list'], folder);
  const [head, ...lines] = stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/));
  assert.deepEqual(head, ['MODEL', 'TASK', 'VERSIONS', 'SIZE', 'FROM']);
  assert.deepEqual(lines, [
    ['linked', 'tensors', '1', '85 B'],
    ['loose', 'tensors', '1', '85 B'],
    ['own', 'tensors', '1', '85 B'],
    ['wrong', 'does not serve'],
    [''],
    ['wrong: model.json: batching.maxItems: expected number, got string'],
  ]);
  const json = JSON.parse((await carpool(['list', '--json'], folder)).stdout) as { name: string; bytes: number }[];
  assert.deepEqual(json[2], { name: 'own', versions: [1], task: 'tensors', bytes: 85 });
});

test('show says what is known of a model without loading it', async (t) => {
  const folder = await folderOfModels(t);
  const { stdout } = await carpool(['show', 'own'], folder);
  assert.match(stdout, /^own\n {2}The square of a number/);
  for (const line of [
    /task +tensors/,
    /files +model\.onnx \(85 B\)/,
    /inputs +x float64 \[.+\]/,
    /try +carpool run own '3'/,
  ])
    assert.match(stdout, line);
  const { task, outputs, notes } = JSON.parse((await carpool(['show', 'loose', '--json'], folder)).stdout) as {
    task: string;
    outputs: { name: string; type: string }[];
    notes: unknown[];
  };
  assert.deepEqual([task, outputs[0]?.type, notes], ['tensors', 'float64', []]);
  const wrong = await carpool(['show', 'wrong'], folder);
  assert.deepEqual([wrong.code, wrong.stdout], [1, '']);
  assert.match(wrong.stderr, /batching\.maxItems: expected number/);
  assert.match(
    (await carpool(['show', 'lniked'], folder)).stderr,
    /There is no model lniked in .*\. Did you mean linked\?/,
  );
});

test('rm deletes a model once it is told to, of a link the link alone, and nothing outside the folder', async (t) => {
  const folder = await folderOfModels(t);
  assert.match((await carpool(['rm', 'own'], folder)).stdout, /own would be deleted: say --yes/);
  for (const name of ['own', 'linked', 'loose']) assert.equal((await carpool(['rm', name, '--yes'], folder)).code, 0);
  assert.deepEqual(await readdir(folder), ['wrong']);
  assert.ok((await readdir(path.join(SHIPPED_MODELS, 'square'))).includes('model.onnx'));
  for (const name of ['wrnog', '..', '../models', '/etc', '.']) {
    const { code, stderr } = await carpool(['rm', name, '--yes'], folder);
    assert.equal(code, 1);
    assert.ok(stderr.includes(`There is no model ${name} in`), stderr);
  }
  assert.equal((await carpool(['rm'], folder)).code, 2);
});

test('run asks a model with a text, JSON or a file', async () => {
  assert.deepEqual(await carpool(['run', 'square', '7']), { code: 0, stdout: '{"result":49}\n', stderr: '' });
  const { stdout } = await carpool(['run', 'language-id', 'Wo ist der Bahnhof?']);
  assert.match(stdout, /"label":"deu"/);
  const image = path.join(SHIPPED_MODELS, 'language-id', 'model.png');
  const missing = await carpool(['run', 'square', image]);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /no such file/);
  const refused = await carpool(['run', 'square', 'seven']);
  assert.match(refused.stderr, /must be a number/);
  assert.match((await carpool(['run', 'nothing', '1'])).stderr, /there is no folder of this name/);
});
