import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { SmallDisk, withoutSmallDisk } from '../small-disk.ts';
import { until } from '../until.ts';
import { Carpool, CLI, SERVER_ENV, type Answer } from './carpool.ts';

/** A disk that is full, really: what was accepted is not lost, the server answers, and goes on when there is room. */

const only = { skip: withoutSmallDisk, timeout: 120_000 };

function mount(t: TestContext, sizeBytes = 8 * 1024 * 1024): SmallDisk {
  const disk = SmallDisk.mount(t, sizeBytes);
  assert.ok(disk);
  return disk;
}

async function start(t: TestContext, env: Readonly<Record<string, string>>): Promise<Carpool> {
  const server = await Carpool.start({ MODELS: 'square', ...env });
  t.after(() => server[Symbol.asyncDispose]());
  return server;
}

function runBatch(input: string, output: string): { status: number | null; text: string } {
  const args = [CLI, 'batch', input, '-o', output, '--models', 'square'];
  const { status, stderr } = spawnSync(process.execPath, args, { env: SERVER_ENV, encoding: 'utf8', timeout: 60_000 });
  return { status, text: stderr };
}

const square = (data: number) => ({ custom_id: `job ${data}`, url: '/predict/square', body: { data } });
const idOf = ({ body }: Answer): string => (body as { id: string }).id;

test(
  'JOBS_DIR: full, new jobs get 503, and what was accepted is read, survives SIGKILL and is done with room',
  only,
  async (t) => {
    const disk = mount(t);
    const env = {
      JOBS_DIR: path.join(disk.folder, 'jobs'),
      MODEL_OPTIONS: '{"square":{"batching":{"maxItems":1},"simulate":{"runMs":300}}}',
    };
    const server = await start(t, env);
    const send = (data: number): Promise<Answer> => server.post('/v1/jobs', square(data));
    const done = await send(1);
    await until('its result', async () => {
      const { body } = await server.get(`/v1/jobs/${idOf(done)}`);
      return (body as { status: string }).status === 'completed' ? true : undefined;
    });
    const ids = [idOf(await send(2)), idOf(await send(3))];
    await disk.fill();
    let number = 4;
    // What is left of the last block may still take one.
    const refused = await until('a refusal', async () => {
      const answer = await send((number += 1));
      if (answer.status === 503) return answer;
      ids.push(idOf(answer));
      return undefined;
    });
    assert.equal((refused.body as { error: { code: string } }).error.code, 'storage_unavailable');
    await server.log(
      ({ msg, reason }) => msg === 'the result of a job could not be stored yet' && /space/.test(String(reason)),
    );
    assert.deepEqual((await server.post('/predict/square', { data: 5 })).body, { result: 25 });
    const { status, body } = await server.get(`/v1/jobs/${idOf(done)}`);
    assert.equal(status, 200);
    assert.equal((body as { status: string }).status, 'completed');
    assert.equal((await server.get('/v1/jobs')).status, 200);

    await server[Symbol.asyncDispose]();
    await disk.free();
    const again = await start(t, env);
    for (const id of ids)
      await until(`the result of ${id}`, async () => {
        const { body: job } = await again.get(`/v1/jobs/${id}`);
        return (job as { status: string }).status === 'completed' ? true : undefined;
      });
  },
);

test('JOBS_DIR: with room again, the same server stores what waited and takes new jobs', only, async (t) => {
  const disk = mount(t);
  const server = await start(t, {
    JOBS_DIR: path.join(disk.folder, 'jobs'),
    MODEL_OPTIONS: '{"square":{"batching":{"maxItems":1},"simulate":{"runMs":300}}}',
  });
  const id = idOf(await server.post('/v1/jobs', square(6)));
  await disk.fill();
  let number = 6;
  const send = (): Promise<Answer> => server.post('/v1/jobs', square((number += 1)));
  await until('a refusal', async () => ((await send()).status === 503 ? true : undefined));
  await disk.free();
  for (const one of [
    id,
    await until('room', async () => {
      const answer = await send();
      return answer.status === 202 ? idOf(answer) : undefined;
    }),
  ])
    await until(`the result of ${one}`, async () => {
      const { body } = await server.get(`/v1/jobs/${one}`);
      return (body as { status: string }).status === 'completed' ? true : undefined;
    });
});

test(
  'carpool batch: a full disk ends it with the way on, and with room it goes on where it stopped',
  only,
  async (t) => {
    const disk = mount(t, 1024 * 1024);
    const [input, output] = [path.join(disk.folder, 'requests.jsonl'), path.join(disk.folder, 'results.jsonl')];
    const numbers = Array.from({ length: 1000 }, (_, number) => number);
    await writeFile(input, numbers.map((number) => `${JSON.stringify(square(number))}\n`).join(''));
    await disk.fill(64 * 1024);
    const stopped = runBatch(input, output);
    assert.equal(stopped.status, 1);
    assert.match(stopped.text, /cannot be written: ENOSPC.*run it again: it goes on where it stopped/);
    assert.ok(!stopped.text.includes('    at '), stopped.text);
    await disk.free();
    const { status, text } = runBatch(input, output);
    assert.equal(status, 0, text);
    const lines = (await readFile(output, 'utf8')).trimEnd().split('\n');
    assert.deepEqual(
      lines.map((line) => (JSON.parse(line) as { custom_id: string }).custom_id),
      numbers.map((number) => `job ${number}`),
    );
  },
);
