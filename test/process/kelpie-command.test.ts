import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { MockKelpie, type MockJob } from '../jobs/kelpie/mock-api.ts';
import { CLI, SERVER_ENV } from './carpool.ts';

/**
 * Carpool as the command of a job, under a worker that does what Kelpie's does (github.com/SaladTechnologies/kelpie, src/index.ts): no shell, five variables, SIGINT
 * once and no other signal when the job is cancelled, and a report of whatever exit code there is. Only a death by the signal is not reported.
 */

const MACHINE = 'm1';

interface Worker {
  readonly input: string;
  readonly output: string;
  /** Runs the next job. Resolves with how its command has ended, once that is reported. */
  runNext(onOutput?: (text: string) => void): Promise<[code: number | null, signal: string | null]>;
}

async function startWorker(t: TestContext, mock: MockKelpie): Promise<Worker> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-kelpie-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const [input, output, checkpoint] = ['input', 'output', 'checkpoint'].map((name) => path.join(folder, name));
  assert.ok(input !== undefined && output !== undefined && checkpoint !== undefined);
  for (const one of [input, output, checkpoint]) await mkdir(one);
  const call = async (method: string, where: string, body?: object): Promise<unknown> => {
    const headers = { 'X-Kelpie-Key': 'key', 'Content-Type': 'application/json' };
    const response = await fetch(mock.url + where, { method, headers, body: body ? JSON.stringify(body) : null });
    return response.json();
  };
  const who = { machine_id: MACHINE, container_group_id: 'g' };
  return {
    input,
    output,
    async runNext(onOutput) {
      const [job] = (await call('GET', `/work?${new URLSearchParams(who).toString()}`)) as MockJob[];
      assert.ok(job);
      const env = {
        ...SERVER_ENV,
        ...job.environment,
        INPUT_DIR: input,
        OUTPUT_DIR: output,
        CHECKPOINT_DIR: checkpoint,
        KELPIE_STATE_FILE: path.join(folder, 'kelpie-state.json'),
        KELPIE_JOB_ID: job.id,
      };
      const child = spawn(job.command, job.arguments, { env, cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] });
      let text = '';
      child.stdout.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        onOutput?.(text);
      });
      t.after(() => child.kill('SIGKILL'));
      const exited = once(child, 'exit', { signal: AbortSignal.timeout(60_000) });
      let isOver = false;
      const beats = (async () => {
        for (let isInterrupted = false; !isOver;) {
          const { status } = (await call('POST', `/jobs/${job.id}/heartbeat`, who)) as { status: string };
          if (status === 'canceled' && !isInterrupted) isInterrupted = child.kill('SIGINT');
          await sleep(50);
        }
      })();
      const [code, signal] = (await exited) as [number | null, string | null];
      isOver = true;
      await beats;
      if (code !== null) await call('POST', `/jobs/${job.id}/${code === 0 ? 'completed' : 'failed'}`, who);
      return [code, signal];
    },
  };
}

async function rig(t: TestContext) {
  const mock = await MockKelpie.start();
  t.after(() => mock[Symbol.asyncDispose]());
  const worker = await startWorker(t, mock);
  const add = (args: readonly string[], environment: Record<string, string> = {}): MockJob =>
    mock.add({
      command: process.execPath,
      arguments: [CLI, ...args],
      environment: { MODELS: 'square', ...environment },
      container_group_id: 'g',
      sync: {},
    });
  return { mock, worker, add };
}

const lines = (count: number): string =>
  Array.from(
    { length: count },
    (_, data) => `{"custom_id":"${data}","url":"/predict/square","body":{"data":${data}}}\n`,
  ).join('');

const LIMIT = { timeout: 120_000 };

test(
  "a batch is a job of Kelpie's: it reads the input folder, fills the output folder, and is completed",
  LIMIT,
  async (t) => {
    const { mock, worker, add } = await rig(t);
    const [requests, results] = [path.join(worker.input, 'r.jsonl'), path.join(worker.output, 'r.jsonl')];
    await writeFile(requests, lines(50));
    const { id } = add(['batch', requests, '-o', results]);
    assert.deepEqual(await worker.runNext(), [0, null]);
    assert.equal(mock.find(id).status, 'completed');
    assert.equal((await readFile(results, 'utf8')).trimEnd().split('\n').length, 50);
  },
);

test('a batch that fails is reported as failed', LIMIT, async (t) => {
  const { mock, worker, add } = await rig(t);
  const { id } = add(['batch', path.join(worker.input, 'missing.jsonl'), '-o', path.join(worker.output, 'r.jsonl')]);
  assert.deepEqual(await worker.runNext(), [1, null]);
  assert.ok(mock.isBanned(MACHINE, id));
});

test(
  'a batch whose job is cancelled stops in order and ends by the signal, so that nothing is reported',
  LIMIT,
  async (t) => {
    const { mock, worker, add } = await rig(t);
    const [requests, results] = [path.join(worker.input, 'r.jsonl'), path.join(worker.output, 'r.jsonl')];
    await writeFile(requests, lines(200));
    const slow = JSON.stringify({ square: { batching: { maxItems: 1 }, simulate: { runMs: 50 } } });
    const { id } = add(['batch', requests, '-o', results], { MODEL_OPTIONS: slow });
    const ended = worker.runNext();
    await mock.until(() => existsSync(`${results}.progress`));
    mock.cancel(id);
    assert.deepEqual(await ended, [null, 'SIGINT']);
    assert.equal(mock.find(id).status, 'canceled');
    assert.ok(existsSync(`${results}.progress`));
    assert.ok(!existsSync(`${results}.lock`));
    assert.deepEqual([...new Set(mock.reports.map(({ what }) => what))], ['heartbeat']);
  },
);

test('a server whose job is cancelled drains and ends by the signal', LIMIT, async (t) => {
  const { mock, worker, add } = await rig(t);
  const { id } = add(['serve']);
  let output = '';
  const ended = worker.runNext((text) => (output = text));
  await mock.until(() => output.includes('server is ready'));
  mock.cancel(id);
  assert.deepEqual(await ended, [null, 'SIGINT']);
  assert.equal(mock.find(id).status, 'canceled');
});
