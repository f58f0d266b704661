import { setTimeout as sleep } from 'node:timers/promises';
import { uniform } from '../../bench/simulate/random.ts';
import { Crew } from './crew.ts';
import { Ledger } from './ledger.ts';
import type { RealQueue } from '../queues/real-queue.ts';

export interface StormOptions {
  readonly jobs: number;
  readonly workers: number;
  /** Kills, stops, stalls and restarts. */
  readonly events: number;
  readonly seed: number;
  readonly leaseMs: number;
  /** One run of a worker's model takes so long, with two jobs. */
  readonly runMs: number;
  /** How long everything may take. */
  readonly limitMs: number;
}

/** What has happened to the workers and the queue. */
interface Blown {
  /** Workers that were killed. */
  readonly kills: number;
  /** Workers that were stopped for longer than a lease, and went on. */
  readonly pauses: number;
  /** Workers whose network stood still for longer than a lease. */
  readonly stalls: number;
  /** How often the queue's server was killed. */
  readonly restarts: number;
}

/** What happened in a storm. */
export interface StormReport extends Blown {
  /** Messages, those that were sent twice counted twice. */
  readonly jobs: number;
  readonly seconds: number;
  /** From the last event until the queue was empty. */
  readonly calmMs: number;
  /** The longest time that a job was seen to be held without a sign of life; 0 where the queue does not tell. */
  readonly oldestHoldMs: number;
}

/** Jobs that are sent while the storm goes on; the others are there before it. */
const SENT_LATER = 0.5;
const SENT_AT_ONCE = 10;
/** One of so many messages is sent twice: two jobs of one name, each with a result of its own. */
const TWICE = 0.05;
const POLL_MS = 100;

/**
 * Serves jobs with workers that are killed and stopped at random moments, on a queue whose server is killed too, and checks from outside that each
 * job has one result, which never changes, and that none leaves the queue before it is there. Throws an Error that says what went wrong.
 */
export async function storm(queue: RealQueue, options: StormOptions): Promise<StormReport> {
  const { jobs, workers, seed, leaseMs, runMs, limitMs } = options;
  const random = uniform(seed);
  const beganMs = performance.now();
  const ledger = new Ledger(queue);
  await using crew = new Crew(queue, {
    MODELS: 'square',
    MODEL_OPTIONS: `{"square":{"batching":{"maxItems":2},"simulate":{"runMs":${runMs}}}}`,
    JOB_LEASE_MS: String(leaseMs),
    // Every death of its worker is an attempt of a job.
    JOB_ATTEMPTS: '1000',
  });
  await crew.start(workers);
  const early = Math.round(jobs * (1 - SENT_LATER));
  await ledger.send(early, random, TWICE);
  const over = new AbortController();
  const blowing = blow(queue, crew, { ...options, random }).finally(() => over.abort());
  const going = Promise.all([blowing, watch(ledger, crew, over.signal), sendSlowly(ledger, jobs - early, random)]);
  const [blown] = await going.finally(() => over.abort());
  const calmAtMs = performance.now();
  while (!(await ledger.isDone())) {
    if (performance.now() - beganMs > limitMs) throw new Error(`not done in ${limitMs} ms: ${ledger.summary}`);
    await look(ledger, crew);
  }
  const calmMs = performance.now() - calmAtMs;
  const exits = await crew.stop();
  if (exits.some((exit) => exit !== 0)) throw new Error(`workers ended with ${exits.join(', ')}`);
  await ledger.check();
  return {
    ...blown,
    jobs: ledger.size,
    oldestHoldMs: ledger.oldestHoldMs,
    calmMs,
    seconds: (performance.now() - beganMs) / 1000,
  };
}

async function sendSlowly(ledger: Ledger, jobs: number, random: () => number): Promise<void> {
  for (let left = jobs; left > 0; left -= SENT_AT_ONCE) {
    await ledger.send(Math.min(SENT_AT_ONCE, left), random, TWICE);
    await sleep(POLL_MS);
  }
}

async function watch(ledger: Ledger, crew: Crew, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) await look(ledger, crew);
}

async function look(ledger: Ledger, crew: Crew): Promise<void> {
  crew.revive();
  await ledger.look();
  await sleep(POLL_MS);
}

async function blow(
  queue: RealQueue,
  crew: Crew,
  { events, leaseMs, random }: StormOptions & { readonly random: () => number },
): Promise<Blown> {
  let [kills, pauses, stalls, restarts] = [0, 0, 0, 0];
  for (let event = 0; event < events; event += 1) {
    await sleep(leaseMs * random());
    // The first four are one of each kind, so that a short storm has all of them.
    const kind = event < 4 ? event : Math.floor(4 * random());
    if (kind === 0) {
      await crew.kill(random);
      kills += 1;
    } else if (kind === 1 || kind === 2) {
      const resume = kind === 1 ? crew.pause(random) : crew.stall(random);
      await sleep(leaseMs * (1 + random()));
      resume();
      if (kind === 1) pauses += 1;
      else stalls += 1;
    } else {
      await queue.restart();
      restarts += 1;
    }
  }
  return { kills, pauses, stalls, restarts };
}
