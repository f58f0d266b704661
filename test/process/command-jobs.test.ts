import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { uniform } from '../../bench/simulate/random.ts';
import { redisQueue } from '../../tools/queues/redis.ts';
import { isAlive, until } from '../jobs/commands/rig.ts';
import { withoutRedis } from '../jobs/redis/redis-server.ts';
import { S3Server, withoutS3 } from '../storage/s3-server.ts';
import { Carpool } from './carpool.ts';

const only = { skip: withoutRedis === false ? withoutS3 : withoutRedis };

/**
 * Adds the numbers from 1 to $END, a step every $PAUSE seconds, and keeps how far it is every 5 steps. Each begin goes to $JOURNAL, with the process and the
 * step that it goes on from. SIGINT is for a state at once.
 */
const SUM = `
step=0 sum=0
[ -e "$CHECKPOINT_DIR/state" ] && read step sum < "$CHECKPOINT_DIR/state"
echo "$$ $KELPIE_JOB_ID $step" >> "$JOURNAL"
save() { echo "$step $sum" > "$INPUT_DIR/state"; mv "$INPUT_DIR/state" "$CHECKPOINT_DIR"; }
trap 'save; exit 1' INT
while [ "$step" -lt "$END" ]; do
  step=$((step + 1)) sum=$((sum + step))
  sleep "$PAUSE"
  [ $((step % 5)) = 0 ] && save
done
echo "$sum" > "$OUTPUT_DIR/sum"
`;

async function rig(t: TestContext) {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-command-jobs-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const queue = await redisQueue();
  t.after(() => queue.stop());
  const s3 = await S3Server.start(t);
  const journal = path.join(folder, 'journal');
  await writeFile(journal, '');
  let workers = 0;
  /** A worker with folders of its own. */
  const start = async (): Promise<Carpool> => {
    const cwd = path.join(folder, `worker-${(workers += 1)}`);
    await mkdir(path.join(cwd, 'models'), { recursive: true });
    const env = {
      ...{
        ...s3.env,
        ...queue.env(queue.port),
        MODELS_DIR: 'models',
        LANES: '1',
        JOB_LEASE_MS: '1000',
        JOB_ATTEMPTS: '1000',
      },
      ...{ JOB_COMMANDS: '/bin/sh', JOB_SETTLE_MS: '50' },
      ...{ INPUT_DIR: 'input', OUTPUT_DIR: 'output', CHECKPOINT_DIR: 'checkpoint' },
    };
    const worker = Carpool.spawn(env, 'work', cwd);
    t.after(() => worker[Symbol.asyncDispose]());
    return worker;
  };
  const send = (id: string, end: number, pause: number): Promise<string> => {
    const rule = (part: string, local_path: string, direction: string) => {
      return { bucket: s3.bucket, prefix: `${id}/${part}`, local_path, direction };
    };
    const job = {
      custom_id: id,
      command: '/bin/sh',
      arguments: ['-c', SUM],
      environment: { END: String(end), PAUSE: String(pause), JOURNAL: journal },
      sync: {
        before: [rule('state', 'checkpoint', 'download')],
        during: [rule('state', 'checkpoint', 'upload')],
        after: [rule('output', 'output', 'upload')],
      },
    };
    return queue.send(JSON.stringify(job), id);
  };
  const resultOf = async (id: string): Promise<{ response: { status_code: number }; custom_id: string }> => {
    await until('the job has a result', async () => (await queue.result(id)) !== undefined);
    return JSON.parse((await queue.result(id)) ?? '') as never;
  };
  const stored = (key: string): Promise<string> => readFile(path.join(s3.objects, key), 'utf8').catch(() => '');
  /** The step of a job's stored state. */
  const stepOf = async (id: string): Promise<number> => Number((await stored(`${id}/state/state`)).split(' ')[0]);
  /** The begins of programs so far: their process, job and step. */
  const begins = async () =>
    (await readFile(journal, 'utf8'))
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [pid, job = '', step] = line.split(' ');
        return { pid: Number(pid), job, step: Number(step) };
      });
  return { queue, start, send, resultOf, stored, stepOf, begins };
}

test(
  'a worker without models is ready, runs a command, and tells its result when its outputs are stored',
  only,
  async (t) => {
    const { start, send, resultOf, stored } = await rig(t);
    const worker = await start();
    worker.port = Number((await worker.log((line) => line['msg'] === 'listening'))['port']);
    await worker.log((line) => line['msg'] === 'pulling jobs');
    assert.equal((await worker.get('/ready')).status, 200);
    const { response, custom_id } = await resultOf(await send('one', 3, 0));
    assert.deepEqual([custom_id, response.status_code], ['one', 200]);
    assert.equal(await stored('one/output/sum'), '6\n');
    worker.signal('SIGTERM');
    assert.deepEqual(await worker.exit(), { code: 0, signal: null });
  },
);

test(
  'a command goes on from its last checkpoint on another worker, after SIGKILL and after SIGTERM',
  only,
  async (t) => {
    const { start, send, resultOf, stored, stepOf, begins } = await rig(t);
    const id = await send('long', 60, 0.05);
    for (const [signal, least] of [
      ['SIGKILL', 5],
      ['SIGTERM', 15],
    ] as const) {
      const worker = await start();
      await until('a checkpoint is stored', async () => (await stepOf('long')) >= least);
      worker.signal(signal);
      await worker.exit();
      const { pid = 0 } = (await begins()).at(-1) ?? {};
      await until('its program has ended', () => !isAlive(pid));
    }
    await start();
    assert.equal((await resultOf(id)).response.status_code, 200);
    assert.equal(await stored('long/output/sum'), '1830\n');
    const steps = (await begins()).map(({ step }) => step);
    assert.equal(steps.length, 3);
    assert.ok((steps[1] ?? 0) >= 5 && (steps[2] ?? 0) >= 15, steps.join());
  },
);

interface Begin {
  readonly pid: number;
  readonly job: string;
  readonly step: number;
}

/** What was stored when so many programs had begun. */
interface Stored {
  readonly begun: number;
  readonly steps: ReadonlyMap<string, number>;
}

/** Fails if a program began behind a checkpoint that was stored by then, or before an earlier one of its job. */
function assertNoneLost(programs: readonly Begin[], stored: readonly Stored[]): void {
  for (const { begun, steps } of stored)
    // A program that had just read what was stored, in each of two workers, is not told yet.
    for (const { job, step } of programs.slice(begun + 2))
      assert.ok(step >= (steps.get(job) ?? 0), `${job} went on from ${step}, not from ${steps.get(job)}`);
  for (const job of new Set(programs.map((begin) => begin.job))) {
    const steps = programs.filter((begin) => begin.job === job).map(({ step }) => step);
    assert.ok(
      steps.every((step, index) => step >= (steps[index - 1] ?? 0)),
      `${job} went on from ${steps.join()}`,
    );
  }
}

test(
  'commands whose workers are killed at random have the right results, and none goes behind a stored checkpoint',
  only,
  async (t) => {
    const seed = Number(process.env['SEED'] ?? Date.now() % 100_000);
    t.diagnostic(`SEED=${seed}`);
    const random = uniform(seed);
    const { queue, start, send, resultOf, stored, stepOf, begins } = await rig(t);
    const [jobs, kills] = [Number(process.env['JOBS'] ?? 8), Number(process.env['KILLS'] ?? 5)];
    const crew = await Promise.all([start(), start()]);
    const ids = new Map<string, string>();
    for (let job = 0; job < jobs; job += 1) ids.set(`job-${job}`, await send(`job-${job}`, 40, 0.02));
    const isDone = async () => (await queue.jobs()) === 0;
    const seen: Stored[] = [];
    for (let kill = 0; kill < kills; kill += 1) {
      const index = Math.floor(random() * crew.length);
      await crew[index]?.log((line) => line['msg'] === 'pulling jobs');
      await until('a command runs', async () => (await isDone()) || (await begins()).some(({ pid }) => isAlive(pid)));
      if (await isDone()) break;
      await sleep(1500 * random());
      const steps = new Map<string, number>();
      for (const job of ids.keys()) steps.set(job, await stepOf(job));
      seen.push({ begun: (await begins()).length, steps });
      crew[index]?.signal(random() < 0.7 ? 'SIGKILL' : 'SIGTERM');
      await crew[index]?.exit();
      crew[index] = await start();
    }
    for (const [job, id] of ids) {
      assert.equal((await resultOf(id)).response.status_code, 200);
      assert.equal(await stored(`${job}/output/sum`), '820\n');
    }
    const programs = await begins();
    t.diagnostic(`${programs.length} runs of ${jobs} jobs`);
    assertNoneLost(programs, seen);
    for (const { pid } of programs) await until('no program is left', () => !isAlive(pid));
    await until('the queue is empty', isDone);
    assert.equal(await queue.deadLetters(), 0);
  },
);
