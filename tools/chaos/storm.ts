import { setTimeout as sleep } from 'node:timers/promises';
import { uniform } from '../../bench/simulate/random.ts';
import type { RealQueue } from '../queues/real-queue.ts';
import { strike, strikesOn } from './blows.ts';
import { Cleanup } from './cleanup.ts';
import { Crew } from './crew.ts';
import { Ledger } from './ledger.ts';
import type { StormReport } from './report.ts';
import { ResultStore } from './result-store.ts';

export interface StormOptions {
  readonly jobs: number;
  readonly workers: number;
  readonly events: number;
  readonly seed: number;
  readonly leaseMs: number;
  /** One run of a worker's model takes so long, with two jobs. */
  readonly runMs: number;
  /** How long everything may take. */
  readonly limitMs: number;
  /** Whether answers are stored as objects of a real S3, which is struck, too; otherwise they are in the results. */
  readonly stored: boolean;
}

/** Jobs that are sent while the storm goes on; the others are there before it. */
const SENT_LATER = 0.5;
const SENT_AT_ONCE = 10;
/** One of so many messages is sent twice: two jobs of one name, each with a result of its own, and with one answer where that is stored. */
const TWICE = 0.05;
const POLL_MS = 100;
/** Jobs for each worker when all but one die: more than they hold at one time. */
const LAST_JOBS = 20;

/**
 * Serves jobs with workers that are killed and stopped at random moments, on a queue that is killed and stopped, too, and looks from outside at what becomes of
 * them. Throws where something does not go on: a worker that ends by itself, or one that does not end in order.
 */
export async function storm(queue: RealQueue, options: StormOptions): Promise<StormReport> {
  const { jobs, seed, leaseMs, runMs } = options;
  const random = uniform(seed);
  const beganMs = performance.now();
  await using cleanup = new Cleanup();
  const store = options.stored ? await ResultStore.start(cleanup, random) : undefined;
  const ledger = new Ledger(queue, store);
  await using crew = new Crew(queue, {
    MODELS: 'square',
    MODEL_OPTIONS: `{"square":{"batching":{"maxItems":2},"simulate":{"runMs":${runMs}}}}`,
    JOB_LEASE_MS: String(leaseMs),
    // Every death of its worker is an attempt of a job.
    JOB_ATTEMPTS: '1000',
    ...store?.env,
  });
  const workers = queue.isWorker === true ? 1 : options.workers;
  await crew.start(workers);
  const early = Math.round(jobs * (1 - SENT_LATER));
  await ledger.send(early, random, TWICE);
  const over = new AbortController();
  const strikes = strikesOn({ queue, crew, store }, { leaseMs, random });
  const striking = strike(strikes, { ...options, random }).finally(() => over.abort());
  const looking = watch(ledger, over.signal);
  const going = Promise.all([striking, looking, revive(crew, over.signal), sendSlowly(ledger, jobs - early, random)]);
  const [blows] = await going.finally(() => over.abort());
  const lookedMs = beganMs + options.limitMs;
  const isOver = await done(ledger, crew, lookedMs);
  const takenOverMs = isOver ? await takenOver({ ledger, crew, random }, workers * LAST_JOBS, lookedMs) : undefined;
  const faultsOf = (): Promise<StormReport['faults']> => ledger.faults();
  // A server that keeps the jobs answers only while it runs; of others, the end of the workers may do harm, too.
  const before = queue.isWorker === true ? await faultsOf() : undefined;
  const exits = await crew.stop();
  if (exits.some((exit) => exit !== 0)) throw new Error(`workers ended with ${exits.join(', ')}`);
  return {
    blows,
    jobs: ledger.size,
    faults: before ?? (await faultsOf()),
    seconds: (performance.now() - beganMs) / 1000,
    ...(queue.oldestHoldMs === undefined ? {} : { heldMs: ledger.oldestHoldMs }),
    ...(takenOverMs === undefined ? {} : { takenOverMs }),
  };
}

async function sendSlowly(ledger: Ledger, jobs: number, random: () => number): Promise<void> {
  for (let left = jobs; left > 0; left -= SENT_AT_ONCE) {
    await ledger.send(Math.min(SENT_AT_ONCE, left), random, TWICE);
    await sleep(POLL_MS);
  }
}

async function watch(ledger: Ledger, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await ledger.look();
    await sleep(POLL_MS);
  }
}

async function revive(crew: Crew, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    crew.revive();
    await sleep(POLL_MS);
  }
}

/** Resolves with whether all jobs have their results before that time. */
async function done(ledger: Ledger, crew: Crew, endsAtMs: number): Promise<boolean> {
  while (!(await ledger.isDone())) {
    if (performance.now() > endsAtMs) return false;
    crew.revive();
    await ledger.look();
    await sleep(POLL_MS);
  }
  return true;
}

/** Sends more jobs and kills all workers but one as soon as the first of them is answered; how long the others take. Of a lone server: until the next one has answered them. */
async function takenOver(
  { ledger, crew, random }: { readonly ledger: Ledger; readonly crew: Crew; readonly random: () => number },
  jobs: number,
  endsAtMs: number,
): Promise<number | undefined> {
  const { answered } = ledger;
  await ledger.send(jobs, random, 0);
  while (ledger.answered === answered) await ledger.look();
  await crew.killMost();
  const killedMs = performance.now();
  return (await done(ledger, crew, endsAtMs)) ? performance.now() - killedMs : undefined;
}
