import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { uniform } from '../../bench/simulate/random.ts';
import { openStorage } from '../../src/storage/open.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { MockKelpie, type Fault, type MockJob } from '../../test/jobs/kelpie/mock-api.ts';
import { S3Server } from '../../test/storage/s3-server.ts';
import { Cleanup } from './cleanup.ts';
import { KelpieWorkers } from './kelpie-workers.ts';
import type { Blow, StormReport } from './report.ts';

export interface KelpieStormOptions {
  readonly jobs: number;
  readonly workers: number;
  readonly seed: number;
  /** Of a program that is not cancelled; each takes 20 ms and more. */
  readonly steps: number;
  readonly limitMs: number;
}

/** Of calls to the API. */
const FAULTS: readonly Fault[] = ['error', 'break', 'lost', { delayMs: 300 }];
const FAULT_RATE = 0.05;
/** What is heard of workers between two strikes: none dies of nothing but a slow machine. Of many jobs it is more, so that there are about so many rounds. */
const ROUND_REPORTS = 8;
const ROUNDS = 30;
const LONGEST_ROUND_MS = 10_000;
const DOWN_MS = 1500;
const POLL_MS = 200;
/** So long that it cannot be about to end when it is cancelled. */
const LONG_STEPS = 100_000;
/** One job of so many is cancelled while it runs. */
const CANCELLED_EVERY = 10;
const HEARTBEAT_S = 1;

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

/**
 * Jobs of Kelpie, each a program with checkpoints, on workers that are killed, with an API that fails and is away, leases that are lost, jobs that are
 * cancelled, and a storage that is killed and stopped. Rejects where jobs do not end, or a worker does not end in order.
 */
export async function kelpieStorm(options: KelpieStormOptions): Promise<StormReport> {
  const random = uniform(options.seed);
  const beganMs = performance.now();
  await using cleanup = new Cleanup();
  const rig = await KelpieRig.open(cleanup, options.limitMs);
  const { mock, workers, s3 } = rig;
  for (let number = 0; number < options.jobs; number += 1)
    await rig.add(number, number % CANCELLED_EVERY === 3 ? LONG_STEPS : options.steps);
  const { jobs } = mock;
  let early = 0;
  let isDown = false;
  mock.fault = async ({ path: where }) => {
    const [, , id] = where.split('/');
    const number = jobs.findIndex((job) => job.id === id);
    if (where.endsWith('/completed') && (await rig.squareOf(number)) !== number ** 2) early += 1;
    if (isDown) return 'break';
    return random() < FAULT_RATE ? FAULTS[Math.floor(random() * FAULTS.length)] : undefined;
  };
  for (let count = 0; count < options.workers; count += 1) await workers.start();
  const hasEnded = (): boolean => jobs.every(({ status }) => status !== 'pending' && status !== 'running');
  const blows: Partial<Record<Blow, number>> = {};
  const note = (blow: Blow): unknown => (blows[blow] = (blows[blow] ?? 0) + 1);
  let heldMs = 0;
  /** Heartbeats that nobody has sent. */
  const madeUp = new Set<string>();
  const roundReports = Math.max(ROUND_REPORTS, options.jobs / ROUNDS);
  const over = new AbortController();
  cleanup.after(() => over.abort());
  const striking = (async () => {
    while (!hasEnded() && !over.signal.aborted) {
      const untilReports = mock.reports.length + roundReports * (0.5 + random());
      await mock
        .until(() => hasEnded() || mock.reports.length >= untilReports, LONGEST_ROUND_MS)
        .catch(() => undefined);
      const kind = random();
      if (kind < 0.6) {
        await workers.replace(Math.floor(random() * options.workers));
        note('worker killed');
      } else if (kind < 0.7) {
        const resume = workers.pause(Math.floor(random() * options.workers));
        await sleep(2000 * HEARTBEAT_S * (1 + random())).finally(resume);
        note('worker stopped');
      } else if (kind < 0.8) {
        await s3.restart();
        note('storage killed');
      } else if (kind < 0.9) {
        const resume = s3.pause();
        await sleep(DOWN_MS).finally(resume);
        note('storage stopped');
      } else {
        isDown = true;
        await sleep(DOWN_MS);
        isDown = false;
        note('queue killed');
      }
      for (const job of jobs.filter(({ status }) => status === 'running')) {
        // Its worker may have its heartbeat in a while, as if it had been asleep.
        if (isLong(job) || random() >= 0.1) continue;
        job.heartbeat = new Date(Date.now() - 3000 * HEARTBEAT_S).toISOString();
        madeUp.add(job.heartbeat);
      }
    }
  })();
  const watching = (async () => {
    while (!hasEnded() && !over.signal.aborted) {
      for (const job of jobs.filter(({ status }) => status === 'running')) {
        const { heartbeat = job.created } = job;
        if (!madeUp.has(heartbeat)) heldMs = Math.max(heldMs, Date.now() - Date.parse(heartbeat));
        if (isLong(job) && job.num_heartbeats > 1) mock.cancel(job.id);
      }
      await sleep(POLL_MS);
    }
  })();
  await mock.until(hasEnded, options.limitMs).catch(() => undefined);
  over.abort();
  await Promise.all([striking, watching]);
  mock.fault = undefined;
  // One that has only just begun does not listen to signals yet.
  for (const exit of await workers.stop('SIGTERM'))
    if (exit !== 0 && exit !== 'SIGTERM') throw new Error(`a worker ended with ${String(exit)}`);
  const untrue = mock.reports.filter(({ what, wasIts }) => what !== 'heartbeat' && !wasIts);
  for (const { job } of untrue) console.error(mock.reports.filter((report) => report.job === job).slice(-8));
  const squares = await Promise.all(jobs.map(async (job, number) => (isLong(job) ? undefined : rig.squareOf(number))));
  const isLost = (job: MockJob, number: number): boolean =>
    job.status !== (isLong(job) ? 'canceled' : 'completed') || (!isLong(job) && squares[number] === undefined);
  return {
    jobs: jobs.length,
    seconds: (performance.now() - beganMs) / 1000,
    blows,
    heldMs,
    faults: {
      lost: jobs.filter(isLost).length,
      // Reports of a job that was another machine's by then, or had ended.
      doubled: untrue.length,
      early,
      wrong:
        squares.filter((square, number) => square !== undefined && square !== number ** 2).length +
        mock.reports.filter(({ what }) => what === 'failed').length,
    },
  };
}

function isLong(job: MockJob): boolean {
  return job.environment['STEPS'] === String(LONG_STEPS);
}

class KelpieRig {
  readonly mock: MockKelpie;
  readonly workers: KelpieWorkers;
  readonly s3: S3Server;
  readonly #storage: Storage;
  readonly #signal: AbortSignal;

  private constructor(
    parts: { mock: MockKelpie; workers: KelpieWorkers; s3: S3Server; storage: Storage },
    limitMs: number,
  ) {
    this.mock = parts.mock;
    this.workers = parts.workers;
    this.s3 = parts.s3;
    this.#storage = parts.storage;
    this.#signal = AbortSignal.timeout(limitMs);
  }

  static async open(cleanup: Cleanup, limitMs: number): Promise<KelpieRig> {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-chaos-'));
    cleanup.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
    const s3 = await S3Server.start(cleanup);
    const storage = openStorage({ AWS_ENDPOINT_URL_S3: s3.endpoint, S3_ADDRESSING: 'auto' });
    cleanup.after(() => storage.close());
    const mock = await MockKelpie.start();
    cleanup.after(() => mock[Symbol.asyncDispose]());
    const workers = new KelpieWorkers({ ...s3.env, KELPIE_API_URL: mock.url, KELPIE_API_KEY: 'key' }, folder);
    cleanup.after(() => workers.stop('SIGKILL'));
    return new KelpieRig({ mock, workers, s3, storage }, limitMs);
  }

  async add(number: number, steps: number): Promise<void> {
    const { bucket } = this.s3;
    await this.#storage.write(this.#placeOf(number, 'input/number'), Buffer.from(`${number}\n`), {
      signal: this.#signal,
    });
    const rule = <Direction extends string>(direction: Direction, part: string, folderName: string) => {
      return { bucket, prefix: `job${number}/${part}/`, local_path: folderName, direction };
    };
    this.mock.add({
      command: '/bin/sh',
      arguments: ['-c', PROGRAM],
      environment: { STEPS: String(steps) },
      container_group_id: 'g',
      heartbeat_interval: HEARTBEAT_S,
      sync: {
        before: [rule('download', 'input', 'input'), rule('download', 'state', 'checkpoint')],
        during: [rule('upload', 'state', 'checkpoint')],
        after: [rule('upload', 'output', 'output')],
      },
    });
  }

  /** What a job has stored; undefined: nothing yet. */
  async squareOf(number: number): Promise<number | undefined> {
    const call = { signal: this.#signal, limitBytes: 100 };
    const bytes = await this.#storage.read(this.#placeOf(number, 'output/square'), call).catch(() => undefined);
    return bytes === undefined ? undefined : Number(Buffer.from(bytes).toString());
  }

  #placeOf(number: number, name: string): string {
    return `s3://${this.s3.bucket}/job${number}/${name}`;
  }
}
