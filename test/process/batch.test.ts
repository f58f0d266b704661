import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { appendFile, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { makeModelsDir } from '../hub/support.ts';
import { CLI, SERVER_ENV } from './carpool.ts';

interface Files {
  readonly input: string;
  readonly output: string;
  readonly errors: string;
}

async function filesOf(t: TestContext, lines: readonly unknown[]): Promise<Files> {
  const folder = await makeModelsDir(t);
  const input = path.join(folder, 'requests.jsonl');
  await writeFile(input, lines.map((line) => `${typeof line === 'string' ? line : JSON.stringify(line)}\n`).join(''));
  return { input, output: path.join(folder, 'results.jsonl'), errors: path.join(folder, 'errors.jsonl') };
}

const square = (data: unknown, id = `r${String(data)}`) => ({
  custom_id: id,
  method: 'POST',
  url: '/predict/square',
  body: { data },
});

function start({ input, output, errors }: Files, ...more: string[]): ChildProcess & { text: () => string } {
  const child = spawn(
    process.execPath,
    [CLI, 'batch', input, '-o', output, '--errors', errors, '--models', 'square', ...more],
    { env: SERVER_ENV, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let text = '';
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return Object.assign(child, { text: () => text });
}

async function run(files: Files, ...more: string[]): Promise<{ code: unknown; text: string }> {
  const child = start(files, ...more);
  const [code] = (await once(child, 'close')) as unknown[];
  return { code, text: child.text() };
}

async function results(file: string): Promise<{ custom_id: string; response: { body: unknown } }[]> {
  const text = await readFile(file, 'utf8');
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as { custom_id: string; response: { body: unknown } });
}

/** Resolves when the file holds more than so many bytes. */
async function grown(file: string, bytes: number): Promise<void> {
  while (!existsSync(file) || readFileSync(file).byteLength <= bytes)
    await new Promise((resolve) => setTimeout(resolve, 5));
}

test('every line has its result, in order, errors in a file of their own', async (t) => {
  const files = await filesOf(t, [square(2), 'nonsense', square('x', 'bad'), square(3)]);
  const { code, text } = await run(files);
  assert.equal(code, 0, text);
  assert.deepEqual(
    (await results(files.output)).map(({ custom_id, response }) => [custom_id, response.body]),
    [
      ['r2', { result: 4 }],
      ['r3', { result: 9 }],
    ],
  );
  assert.deepEqual(
    (await results(files.errors)).map(({ custom_id }) => custom_id),
    [null, 'bad'],
  );
  assert.match(text, /2 answered, 2 failed/);
  assert.ok(!existsSync(`${files.output}.progress`));
  assert.ok(!existsSync(`${files.output}.lock`));
});

test('a batch that is killed twice goes on where it stopped: no result is missing, repeated or out of order', async (t) => {
  const count = 20_000;
  const files = await filesOf(
    t,
    Array.from({ length: count }, (_, index) => square(index % 10 === 7 ? 'x' : index, `r${index}`)),
  );
  let bytes = 0;
  for (let kills = 0; kills < 2; kills += 1) {
    const child = start(files);
    const ended = once(child, 'close');
    await grown(files.output, bytes);
    child.kill('SIGKILL');
    await ended;
    bytes = (await readFile(files.output)).byteLength;
  }
  assert.equal((await run(files)).code, 0);
  const ids = Array.from({ length: count }, (_, index) => `r${index}`);
  const isBad = (_: string, index: number): boolean => index % 10 === 7;
  assert.deepEqual(
    (await results(files.output)).map((line) => line.custom_id),
    ids.filter((id, index) => !isBad(id, index)),
  );
  assert.deepEqual(
    (await results(files.errors)).map((line) => line.custom_id),
    ids.filter(isBad),
  );
});

test('a stopped batch ends in order, says how to go on, and goes on', async (t) => {
  const files = await filesOf(
    t,
    Array.from({ length: 20_000 }, (_, index) => square(index)),
  );
  const child = start(files);
  const ended = once(child, 'close');
  await grown(files.output, 0);
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [null, 'SIGTERM']);
  assert.match(child.text(), /run it again/);
  const { text, code } = await run(files);
  assert.equal(code, 0);
  assert.match(text, /going on at line \d+/);
  assert.equal((await results(files.output)).length, 20_000);
});

test('lines appended to the input of a stopped batch are served, too', async (t) => {
  const files = await filesOf(t, [square(1)]);
  await writeFile(files.output, '');
  const child = start(files, '--model-options', JSON.stringify({ square: { simulate: { runMs: 50_000 } } }));
  const ended = once(child, 'close');
  while (!existsSync(`${files.output}.progress`)) await new Promise((resolve) => setTimeout(resolve, 5));
  child.kill('SIGKILL');
  await ended;
  await appendFile(files.input, `${JSON.stringify(square(2))}\n`);
  assert.equal((await run(files)).code, 0);
  assert.equal((await results(files.output)).length, 2);
});

test('results that are there are not overwritten, unless that is asked for', async (t) => {
  const files = await filesOf(t, [square(1)]);
  await writeFile(files.output, 'precious\n');
  const refused = await run(files);
  assert.equal(refused.code, 1);
  assert.match(refused.text, /is there already; to overwrite it, use --force/);
  assert.equal(await readFile(files.output, 'utf8'), 'precious\n');
  assert.equal((await run(files, '--force')).code, 0);
  assert.equal((await results(files.output)).length, 1);
});

test('a progress record of another input is refused', async (t) => {
  const files = await filesOf(t, [square(1)]);
  const record = { nextByte: 1, nextLine: 2, resultsBytes: 0, errorsBytes: 0, answered: 0, failed: 0 };
  const batch = { head: 'other', headBytes: 5, errors: 'errors.jsonl' };
  await writeFile(`${files.output}.progress`, JSON.stringify({ format: 1, batch, checkpoint: record }));
  const { code, text } = await run(files);
  assert.equal(code, 1);
  assert.match(text, /is of another input/);
});

test('bad usage ends with 2 and the usage', async (t) => {
  const files = await filesOf(t, []);
  const { code, text } = await run({ ...files, errors: files.output });
  assert.equal(code, 2);
  assert.match(text, /must be different files\nUsage: carpool batch/);
});

test('an input that is not there is named', async (t) => {
  const files = await filesOf(t, []);
  const { code, text } = await run({ ...files, input: `${files.input}.gone` });
  assert.equal(code, 1);
  assert.match(text, /requests\.jsonl\.gone/);
});

test('requests are not overwritten by results of another name for the same file', async (t) => {
  const files = await filesOf(t, [square(1)]);
  const requests = await readFile(files.input, 'utf8');
  await symlink(files.input, files.output);
  const { code, text } = await run(files, '--force');
  assert.equal(code, 1);
  assert.match(text, /results\.jsonl is the requests or the results as well/);
  assert.equal(await readFile(files.input, 'utf8'), requests);
});

test('a folder of requests is refused, and nothing is made', async (t) => {
  const files = await filesOf(t, []);
  const { code, text } = await run({ ...files, input: path.dirname(files.input) });
  assert.equal(code, 1);
  assert.match(text, /must be a regular file/);
  assert.ok(!existsSync(files.output));
  assert.ok(!existsSync(`${files.output}.lock`));
});

test('results that are moved away while they are written are no success', async (t) => {
  const files = await filesOf(
    t,
    Array.from({ length: 20_000 }, (_, index) => square(index)),
  );
  const child = start(files);
  const ended = once(child, 'close');
  await grown(files.output, 0);
  await rename(files.output, `${files.output}.moved`);
  assert.deepEqual(await ended, [1, null]);
  assert.match(child.text(), /results\.jsonl was deleted or replaced/);
});

test('of two batches with the same results, the second is told why it cannot', async (t) => {
  const files = await filesOf(t, [square(1)]);
  const first = start(files, '--model-options', JSON.stringify({ square: { simulate: { runMs: 50_000 } } }));
  const ended = once(first, 'close');
  while (!existsSync(`${files.output}.progress`)) await new Promise((resolve) => setTimeout(resolve, 5));
  const { code, text } = await run(files);
  first.kill('SIGKILL');
  await ended;
  assert.equal(code, 1);
  assert.match(text, /another process is writing .*results\.jsonl/);
});

test('a batch goes on only with the file of errors that it was begun with', async (t) => {
  const files = await filesOf(
    t,
    Array.from({ length: 20_000 }, (_, index) => square(index)),
  );
  const child = start(files);
  const ended = once(child, 'close');
  await grown(files.output, 0);
  child.kill('SIGKILL');
  await ended;
  const other = `${files.errors}.other`;
  await writeFile(other, 'precious\n');
  const { code, text } = await run({ ...files, errors: other });
  assert.equal(code, 1);
  assert.match(text, /was begun with --errors errors\.jsonl/);
  assert.equal(await readFile(other, 'utf8'), 'precious\n');
});

test('two batches do not write one file of errors', async (t) => {
  const files = await filesOf(t, [square(1)]);
  const slow = JSON.stringify({ square: { simulate: { runMs: 50_000 } } });
  const child = start(files, '--model-options', slow);
  const ended = once(child, 'close');
  while (!existsSync(`${files.output}.progress`)) await new Promise((resolve) => setTimeout(resolve, 5));
  const { code, text } = await run({ ...files, output: `${files.output}.other` });
  assert.equal(code, 1);
  assert.match(text, /another process is writing .*errors\.jsonl/);
  child.kill('SIGKILL');
  await ended;
});
