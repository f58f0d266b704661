import { randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { uniform } from '../../bench/simulate/random.ts';
import { freePort } from '../../test/free-port.ts';
import { Carpool } from '../../test/process/carpool.ts';
import { strike } from './blows.ts';
import { Cleanup } from './cleanup.ts';
import type { StormReport } from './report.ts';

export interface SaladStormOptions {
  readonly jobs: number;
  /** Nodes. */
  readonly workers: number;
  readonly events: number;
  readonly seed: number;
  readonly leaseMs: number;
  readonly runMs: number;
  readonly limitMs: number;
}

/** A job of SaladCloud's queue, as its service sees it. */
interface Job {
  readonly id: string;
  readonly number: number;
  /** Outputs that its worker has sent; the service keeps the first. */
  readonly outputs: string[];
  /** Attempts that ended with an answer other than 200: after four of them the service would call it failed. */
  rejections: number;
}

const READY_POLL_MS = 50;
/** One attempt of so many is cut off by its worker, which asks the same server again at once, under the same id. */
const CUT_RATE = 0.05;
const MOST_REJECTIONS = 4;

/**
 * SaladCloud's queue with its HTTP worker, as far as a server sees them, and nodes that are taken away: the worker of a node dies with its server. Each job is
 * delivered until there is an output, sometimes twice at one time to one server.
 */
export async function saladStorm(options: SaladStormOptions): Promise<StormReport> {
  const { jobs: count, seed, leaseMs, runMs, limitMs } = options;
  const random = uniform(seed);
  const beganMs = performance.now();
  await using cleanup = new Cleanup();
  const jobs: readonly Job[] = Array.from({ length: count }, (_, number) => ({
    id: randomUUID(),
    number,
    outputs: [],
    rejections: 0,
  }));
  const waiting = [...jobs];
  const over = new AbortController();
  const nodes: Node[] = [];
  for (let index = 0; index < options.workers; index += 1) {
    const node = new Node(await freePort(), { waiting, runMs, random });
    cleanup.after(() => node.stop());
    nodes.push(node);
    node.start();
  }
  cleanup.after(() => over.abort());
  const isOpen = ({ outputs }: Job): boolean => outputs.length === 0;
  const one = (): Node => nodes[Math.floor(random() * nodes.length)] ?? (nodes[0] as Node);
  const blows = await strike(
    [
      ['worker killed', () => one().restart()],
      ['worker stopped', () => one().pause(leaseMs * (1 + random()))],
      [
        'worker cut off',
        () => {
          one().cut();
          return Promise.resolve();
        },
      ],
    ],
    { events: options.events, leaseMs, random, isOver: () => !jobs.some(isOpen) },
  );
  while (jobs.some(isOpen) && performance.now() - beganMs < limitMs) await sleep(READY_POLL_MS);
  const killedMs = performance.now();
  for (const node of nodes) await node.stop();
  const isRight = ({ number, outputs }: Job): boolean =>
    outputs.every((output) => (JSON.parse(output) as { result?: number }).result === number * number);
  return {
    jobs: count,
    seconds: (killedMs - beganMs) / 1000,
    blows,
    faults: {
      lost: jobs.filter((job) => isOpen(job) || job.rejections >= MOST_REJECTIONS).length,
      doubled: jobs.filter(({ outputs }) => new Set(outputs).size > 1).length,
      early: 0,
      wrong: jobs.filter((job) => !isRight(job)).length,
    },
  };
}

interface NodeParts {
  readonly waiting: Job[];
  readonly runMs: number;
  readonly random: () => number;
}

/** A server, and the worker beside it, which brings it one job after the other while it is ready. */
class Node {
  readonly #port: number;
  readonly #parts: NodeParts;
  #server: Carpool | undefined;
  #life = new AbortController();
  #worker: Promise<void> = Promise.resolve();
  /** Ends the connection of the job under way. */
  #cut = new AbortController();

  constructor(port: number, parts: NodeParts) {
    this.#port = port;
    this.#parts = parts;
  }

  start(): void {
    const { runMs } = this.#parts;
    const options = { square: { batching: { maxItems: 2 }, simulate: { runMs } } };
    this.#server = Carpool.spawn({
      MODELS: 'square',
      MODEL_OPTIONS: JSON.stringify(options),
      PORT: String(this.#port),
    });
    this.#life = new AbortController();
    this.#worker = this.#work(this.#life.signal);
  }

  async restart(): Promise<void> {
    await this.stop();
    this.start();
  }

  async stop(): Promise<void> {
    this.#life.abort();
    this.#cut.abort();
    await this.#server?.[Symbol.asyncDispose]();
    await this.#worker;
  }

  async pause(forMs: number): Promise<void> {
    const server = this.#server;
    server?.signal('SIGSTOP');
    await sleep(forMs);
    server?.signal('SIGCONT');
  }

  cut(): void {
    this.#cut.abort();
  }

  async #work(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const job = (await this.#isReady()) ? this.#parts.waiting.shift() : undefined;
      if (job === undefined) await sleep(READY_POLL_MS);
      else if (!(await this.#deliver(job))) this.#parts.waiting.unshift(job);
    }
  }

  /** Whether the job has ended. */
  async #deliver(job: Job): Promise<boolean> {
    this.#cut = new AbortController();
    const { signal } = this.#cut;
    try {
      const calls = [this.#post(job, signal)];
      if (this.#parts.random() < CUT_RATE) calls.push(this.#post(job, signal));
      for (const { status, text } of await Promise.all(calls)) {
        if (status === 200) job.outputs.push(text);
        else job.rejections += 1;
      }
    } catch {
      // No answer: the service counts an interruption, and delivers it again.
    }
    return job.outputs.length > 0;
  }

  async #isReady(): Promise<boolean> {
    const answer = await fetch(`http://127.0.0.1:${this.#port}/ready`, { signal: AbortSignal.timeout(1000) }).catch(
      () => undefined,
    );
    await answer?.body?.cancel();
    return answer?.ok === true;
  }

  #post({ id, number }: Job, signal: AbortSignal): Promise<{ status: number | undefined; text: string }> {
    return new Promise((resolve, reject) => {
      const headers = { 'Content-Type': 'application/json', 'Salad-Job-Id': id };
      const options = { method: 'POST', headers, signal };
      const sent = request(`http://127.0.0.1:${this.#port}/predict/square`, options, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('end', () => resolve({ status: response.statusCode, text }));
        response.on('error', reject);
      });
      sent.on('error', reject);
      sent.end(JSON.stringify({ data: number }));
    });
  }
}
