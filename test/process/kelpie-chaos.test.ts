import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openStorage } from '../../src/storage/open.ts';
import { MockKelpie, type Fault, type MockJob } from '../jobs/kelpie/mock-api.ts';
import { S3Server, withoutS3 } from '../storage/s3-server.ts';
import { CLI, SERVER_ENV } from './carpool.ts';

const JOBS = Number(process.env['CARPOOL_CHAOS_JOBS'] ?? 12);
const SEED = Number(process.env['CARPOOL_CHAOS_SEED'] ?? Date.now() % 2 ** 32);
const WORKERS = 3;
const LIMIT_MS = 60_000 + 6000 * JOBS;
const skip =
  withoutS3 === false && process.env['CARPOOL_SLOW_TESTS'] === undefined ? 'CARPOOL_SLOW_TESTS is not set' : withoutS3;
/** Of calls to the API. */
const FAULTS: readonly Fault[] = ['error', 'break', 'lost', { delayMs: 300 }];
const FAULT_RATE = 0.05;
/** What is heard of workers between two of their deaths: none dies of nothing but a slow machine. */
const ROUND_REPORTS = 8;
const LONGEST_ROUND_MS = 10_000;
const DOWN_MS = 1500;
const SHORT_STEPS = 10;
/** So long that it cannot be about to end when it is cancelled. */
const LONG_STEPS = 100_000;

/** Counts to a number of its environment, and stores how far it is; then writes the square of its input. */
const PROGRAM = `
i=$(cat checkpoint/state 2>/dev/null || echo 0)
while [ "$i" -lt "$STEPS" ]; do
  i=$((i + 1)); sleep 0.02
  echo "$i" > state.writing && mv state.writing checkpoint/state
done
read -r number < input/number
echo $((number * number)) > output/square
`;

/** Numbers from 0 to 1: the choices of a run can be had again by its seed, its timing cannot. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
}

function statusesOf(jobs: readonly MockJob[]): string {
  return jobs.map(({ status, machine_id: machine }, number) => `${number} ${status} ${machine ?? ''}`).join('\n');
}

class Workers {
  readonly #env: Readonly<Record<string, string>>;
  readonly #folder: string;
  readonly #running: ChildProcess[] = [];
  #started = 0;

  constructor(env: Readonly<Record<string, string>>, folder: string) {
    this.#env = env;
    this.#folder = folder;
  }

  /** A worker on a machine of its own, in a working folder of its own. */
  async start(): Promise<void> {
    const machine = `machine-${(this.#started += 1)}`;
    const cwd = path.join(this.#folder, machine);
    await mkdir(path.join(cwd, 'models'), { recursive: true });
    const env = { ...SERVER_ENV, ...this.#env, MODELS_DIR: 'models', SALAD_MACHINE_ID: machine };
    this.#running.push(spawn(process.execPath, [CLI, 'work'], { cwd, env, stdio: 'ignore' }));
  }

  /** Without notice, and another one takes its place. */
  async replace(index: number): Promise<void> {
    const [worker] = this.#running.splice(index, 1);
    worker?.kill('SIGKILL');
    await this.start();
  }

  /** Exit codes; where there is none, the signal that has ended it. */
  async stop(signal: NodeJS.Signals): Promise<unknown[]> {
    const ended = this.#running.map(async (worker) => {
      if (worker.exitCode !== null || worker.signalCode !== null) return worker.exitCode ?? worker.signalCode;
      const exit = once(worker, 'exit', { signal: AbortSignal.timeout(60_000) });
      worker.kill(signal);
      const [code, by] = (await exit) as unknown[];
      return code ?? by;
    });
    this.#running.length = 0;
    return Promise.all(ended);
  }
}

async function rig(t: TestContext) {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-chaos-'));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const s3 = await S3Server.start(t);
  const storage = openStorage({ AWS_ENDPOINT_URL_S3: s3.endpoint, S3_ADDRESSING: 'auto' });
  t.after(() => storage.close());
  const mock = await MockKelpie.start();
  t.after(() => mock[Symbol.asyncDispose]());
  const workers = new Workers(
    {
      ...s3.env,
      JOB_SOURCE: 'kelpie',
      JOB_COMMANDS: 'true',
      KELPIE_API_URL: mock.url,
      KELPIE_API_KEY: 'key',
      KELPIE_POLL_MS: '50',
      SALAD_CONTAINER_GROUP_ID: 'g',
      SALAD_METADATA_URI: 'http://127.0.0.1:9',
      INPUT_DIR: 'input',
      OUTPUT_DIR: 'output',
      CHECKPOINT_DIR: 'checkpoint',
      JOB_SETTLE_MS: '20',
    },
    folder,
  );
  t.after(() => workers.stop('SIGKILL'));
  const signal = AbortSignal.timeout(LIMIT_MS);
  const placeOf = (number: number, part: string): string => `s3://${s3.bucket}/job${number}/${part}/`;
  const add = async (number: number, steps: number): Promise<MockJob> => {
    await storage.write(`${placeOf(number, 'input')}number`, Buffer.from(`${number}\n`), { signal });
    const rule = <Direction extends string>(direction: Direction, part: string, folderName: string) => {
      return { bucket: s3.bucket, prefix: `job${number}/${part}/`, local_path: folderName, direction };
    };
    return mock.add({
      command: '/bin/sh',
      arguments: ['-c', PROGRAM],
      environment: { STEPS: String(steps) },
      container_group_id: 'g',
      heartbeat_interval: 1,
      sync: {
        before: [rule('download', 'input', 'input'), rule('download', 'state', 'checkpoint')],
        during: [rule('upload', 'state', 'checkpoint')],
        after: [rule('upload', 'output', 'output')],
      },
    });
  };
  const squareOf = async (number: number): Promise<number> =>
    Number(
      Buffer.from(await storage.read(`${placeOf(number, 'output')}square`, { signal, limitBytes: 100 })).toString(),
    );
  return { mock, workers, add, squareOf };
}

test(
  'workers die, the API fails, leases are lost and jobs cancelled: every job ends once, and with its output',
  { skip, timeout: LIMIT_MS + 60_000 },
  async (t) => {
    t.diagnostic(`seed ${SEED}, ${JOBS} jobs`);
    const random = randomFrom(SEED);
    const { mock, workers, add, squareOf } = await rig(t);
    const jobs: MockJob[] = [];
    for (let number = 0; number < JOBS; number += 1)
      jobs.push(await add(number, number % 10 === 3 ? LONG_STEPS : SHORT_STEPS));
    const isLong = (job: MockJob): boolean => job.environment['STEPS'] === String(LONG_STEPS);
    const unstored: string[] = [];
    let isDown = false;
    mock.fault = async ({ path: where }) => {
      const [, , id] = where.split('/');
      const number = jobs.findIndex((job) => job.id === id);
      if (where.endsWith('/completed') && (await squareOf(number).catch(() => -1)) !== number ** 2)
        unstored.push(String(id));
      if (isDown) return 'break';
      return random() < FAULT_RATE ? FAULTS[Math.floor(random() * FAULTS.length)] : undefined;
    };
    for (let count = 0; count < WORKERS; count += 1) await workers.start();

    const hasEnded = (): boolean => jobs.every(({ status }) => status !== 'pending' && status !== 'running');
    let rounds = 0;
    const over = new AbortController();
    t.after(() => over.abort());
    const chaos = (async () => {
      for (; !hasEnded() && !over.signal.aborted; rounds += 1) {
        const untilReports = mock.reports.length + ROUND_REPORTS * (0.5 + random());
        await mock
          .until(() => hasEnded() || mock.reports.length >= untilReports, LONGEST_ROUND_MS)
          .catch(() => undefined);
        if (random() < 0.7) await workers.replace(Math.floor(random() * WORKERS));
        isDown = random() < 0.15;
        if (isDown) await sleep(DOWN_MS);
        isDown = false;
        for (const job of jobs.filter((one) => one.status === 'running')) {
          // Its worker may have its heartbeat in a while, as if it had been asleep.
          if (!isLong(job) && random() < 0.1) job.heartbeat = new Date(0).toISOString();
          if (isLong(job) && job.num_heartbeats > 1) mock.cancel(job.id);
        }
      }
    })();
    await mock.until(hasEnded, LIMIT_MS).catch(() => assert.fail(`jobs have not ended: ${statusesOf(jobs)}`));
    await chaos;
    mock.fault = undefined;
    // One that has only just begun does not listen to signals yet.
    for (const exit of await workers.stop('SIGTERM')) assert.ok(exit === 0 || exit === 'SIGTERM', String(exit));

    t.diagnostic(`${rounds} rounds of chaos, ${mock.reports.length} reports`);
    assert.deepEqual(unstored, [], 'reported as completed before the output was stored');
    for (const [number, job] of jobs.entries()) {
      assert.equal(job.status, isLong(job) ? 'canceled' : 'completed', `job ${number}`);
      if (!isLong(job)) assert.equal(await squareOf(number), number ** 2);
    }
    const untrue = mock.reports.filter(({ what, wasIts }) => what !== 'heartbeat' && !wasIts);
    assert.deepEqual(untrue, [], 'reported of a job that was not its');
    assert.equal(mock.reports.filter(({ what }) => what === 'failed').length, 0);
  },
);
