import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { CLI } from '../process/carpool.ts';

const LIMIT_MS = 30_000;

function scriptFor(shell: string): string {
  return execFileSync(process.execPath, [CLI, 'completion', shell], { encoding: 'utf8', timeout: LIMIT_MS });
}

/** A folder with two models and the script in it. */
async function prepare(t: TestContext, shell: string): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'carpool-completion-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await mkdir(path.join(folder, 'models/square'), { recursive: true });
  await writeFile(path.join(folder, 'models/loose.onnx'), '');
  await mkdir(path.join(folder, 'other/circle'), { recursive: true });
  await mkdir(path.join(folder, 'hostile/good-1.x'), { recursive: true });
  for (const name of ['$(touch RAN)', '`touch RAN`', '*']) await mkdir(path.join(folder, 'hostile', name));
  await writeFile(path.join(folder, 'requests.jsonl'), '');
  await writeFile(path.join(folder, 'script'), scriptFor(shell));
  return folder;
}

function missing(shell: string): string | false {
  return spawnSync(shell, ['--version'], { timeout: LIMIT_MS }).error === undefined
    ? false
    : `${shell} is not installed`;
}

test('bash completes commands, flags, values, models and files', { skip: missing('bash') }, async (t) => {
  const folder = await prepare(t, 'bash');
  /** As readline splits words: `=` is one by itself. */
  const complete = (...words: readonly string[]): string[] => {
    const program = `source ./script; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _carpool; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const output = execFileSync('bash', ['--norc', '-c', program, 'bash', 'carpool', ...words], {
      cwd: folder,
      env: { PATH: process.env['PATH'] ?? '', HOME: folder },
      encoding: 'utf8',
      timeout: LIMIT_MS,
    });
    return output.split('\n').filter((line) => line !== '');
  };
  assert.deepEqual(complete('do'), ['doctor']);
  assert.deepEqual(complete('mod'), ['models']);
  assert.deepEqual(
    complete('doctor', '--st').filter((flag) => !flag.startsWith('--storage')),
    ['--strict'],
  );
  assert.deepEqual(complete('serve', '--models-d'), ['--models-dir']);
  assert.deepEqual(complete('pull', '--models-d'), []);
  assert.deepEqual(complete('serve', '--device', ''), ['auto', 'cpu', 'cuda']);
  assert.deepEqual(complete('serve', '--device', '=', 'c'), ['cpu', 'cuda']);
  assert.deepEqual(complete('serve', '--log-level', '='), ['debug', 'info', 'warn', 'error', 'silent']);
  assert.deepEqual(complete('run', ''), ['square', 'loose']);
  assert.deepEqual(complete('rm', 'l'), ['loose']);
  assert.deepEqual(complete('rm', '--models-dir', 'other', ''), ['circle']);
  assert.deepEqual(complete('rm', '--models-dir', '=', 'other', ''), ['circle']);
  assert.deepEqual(complete('rm', '--models-dir', 'hostile', ''), ['good-1.x']);
  assert.ok(!existsSync(path.join(folder, 'RAN')));
  assert.deepEqual(complete('serve', '--models-dir', 'm'), ['models']);
  assert.deepEqual(complete('batch', 'req'), ['requests.jsonl']);
  assert.deepEqual(complete('completion', ''), ['bash', 'zsh', 'fish']);
  assert.deepEqual(complete('help', 'ru'), ['run']);
});

test('zsh completes commands, flags and models', { skip: missing('zsh') }, async (t) => {
  const folder = await prepare(t, 'zsh');
  // Completion works on a terminal alone, so a second zsh has one and is typed into.
  const program = [
    'zmodload zsh/zpty',
    'zpty z zsh -f -i',
    `zpty -w z 'PS1=; autoload -U compinit; compinit -u -D; source ./script; print RE""ADY'`,
    `zpty -r z out '*READY*'`,
    `zpty -w -n z "$1"$'\\t'`,
    'zpty -r z out "$2"',
    'zpty -d z',
  ].join('\n');
  for (const [typed, shown] of [
    ['carpool compl', '*completion*'],
    ['carpool doctor --stri', '*strict*'],
    ['carpool serve --device cu', '*cuda*'],
    ['carpool rm sq', '*square*'],
  ])
    execFileSync('zsh', ['-f', '-c', program, 'zsh', typed, shown].map(String), { cwd: folder, timeout: LIMIT_MS });
});

test('fish completes commands, flags, values and models', { skip: missing('fish') }, async (t) => {
  const folder = await prepare(t, 'fish');
  const complete = (line: string): string[] =>
    execFileSync('fish', ['--no-config', '-c', `source ./script; complete -C '${line}'`], {
      cwd: folder,
      env: { PATH: process.env['PATH'] ?? '', HOME: folder },
      encoding: 'utf8',
      timeout: LIMIT_MS,
    })
      .split('\n')
      .flatMap((text) => (text === '' ? [] : [text.split('\t', 1)[0] ?? '']));
  assert.deepEqual(complete('carpool do'), ['doctor']);
  assert.deepEqual(complete('carpool doctor --str'), ['--strict']);
  assert.deepEqual(complete('carpool serve --device c'), ['cpu', 'cuda']);
  assert.deepEqual(complete('carpool rm '), ['loose', 'square']);
  assert.deepEqual(complete('carpool rm --models-dir other '), ['circle']);
  assert.deepEqual(complete('carpool batch req'), ['requests.jsonl']);
});
