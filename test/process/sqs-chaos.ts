import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { CREDENTIALS, type SqsServer } from '../jobs/sqs/sqs-server.ts';
import { StallingProxy } from '../jobs/sqs/stalling-proxy.ts';
import { until } from '../until.ts';
import { Carpool } from './carpool.ts';

const GROUPS = 8;
/** Most jobs that are sent between two disturbances. */
const MOST_BETWEEN = 50;
const LEASE_MS = 2000;
const ENV = {
  ...{ MODELS: 'square', JOB_SOURCE: 'sqs', JOB_LEASE_MS: String(LEASE_MS), JOB_ATTEMPTS: '1000' },
  MODEL_OPTIONS: '{"square":{"batching":{"maxItems":2},"simulate":{"runMs":20}}}',
  ...CREDENTIALS,
};

/** All but `kill` last longer than a lease: a process that stands still, calls that do not arrive, answers that do not come back. */
const DISTURBANCES = ['kill', 'pause', 'deaf', 'mute'] as const;
type Disturbance = (typeof DISTURBANCES)[number];

export interface ChaosOptions {
  readonly fifo: boolean;
  readonly seed: number;
  readonly jobs: number;
  readonly workers: number;
  readonly limitMs: number;
}

interface Worker {
  readonly proxy: StallingProxy;
  server: Carpool;
}

/** Workers on one queue, each behind a proxy of its own, and what happens to them. */
export class SqsChaos {
  readonly #mq: SqsServer;
  readonly #options: ChaosOptions;
  readonly #jobs: string;
  readonly #results: string;
  readonly #workers: Worker[] = [];
  readonly #servers: Carpool[] = [];
  readonly #t: TestContext;
  readonly #left: Disturbance[] = [];
  readonly #done: Disturbance[] = [];
  #state: number;

  private constructor(
    t: TestContext,
    mq: SqsServer,
    options: ChaosOptions,
    [jobs, results]: readonly [string, string],
  ) {
    this.#t = t;
    this.#mq = mq;
    this.#options = options;
    this.#jobs = jobs;
    this.#results = results;
    this.#state = options.seed;
  }

  static async start(t: TestContext, mq: SqsServer, options: ChaosOptions): Promise<SqsChaos> {
    const name = options.fifo ? 'chaos-groups' : 'chaos';
    const jobs = await mq.create(name, { fifo: options.fifo });
    const results = await mq.create(`${name}-results`, { fifo: true });
    const chaos = new SqsChaos(t, mq, options, [jobs, results]);
    for (let index = 0; index < options.workers; index += 1) await chaos.#addWorker();
    return chaos;
  }

  /** Sends the jobs in portions, with a disturbance after each, and disturbs the workers until every result is there. What was done, in words. */
  async run(): Promise<string> {
    const { jobs, limitMs } = this.#options;
    const endsAtMs = Date.now() + limitMs;
    const ids: string[] = [];
    while (ids.length < jobs) {
      for (let left = Math.min(jobs / DISTURBANCES.length, MOST_BETWEEN); left > 0 && ids.length < jobs; left -= 1)
        ids.push(await this.#send(ids.length));
      await this.#disturb();
    }
    for (;;) {
      const stored = await this.#countResults(jobs);
      if (stored >= jobs) break;
      assert.ok(Date.now() < endsAtMs, `not done in ${limitMs} ms: there are ${stored} results`);
      await this.#disturb();
    }
    for (const { proxy } of this.#workers) proxy.mode = 'pass';
    await until('an empty queue', async () => (await this.#mq.count(this.#jobs)) === 0 || undefined);
    await this.#checkResults(ids);
    const lost = this.#servers.flatMap(({ logs }) => logs).filter(({ msg }) => msg === 'the lease of a job was lost');
    return `${jobs} jobs; ${lost.length} leases lost; ${this.#done.join(', ')}`;
  }

  async #addWorker(): Promise<void> {
    const proxy = await StallingProxy.start(this.#mq.url);
    this.#t.after(() => proxy.stop());
    this.#workers.push({ proxy, server: this.#spawn(proxy) });
  }

  #spawn(proxy: StallingProxy): Carpool {
    const through = (url: string): string => url.replace(this.#mq.url, proxy.url);
    const queues = { JOB_QUEUE: through(this.#jobs), JOB_RESULTS_QUEUE: through(this.#results) };
    const server = Carpool.spawn({ ...ENV, ...queues }, 'work');
    this.#t.after(() => server[Symbol.asyncDispose]());
    this.#servers.push(server);
    return server;
  }

  #send(index: number): Promise<string> {
    const job = { custom_id: String(index), url: '/predict/square', body: { data: index } };
    return this.#mq.send(this.#jobs, JSON.stringify(job), `g${index % GROUPS}`);
  }

  /** How many results there are; at no moment may one of the jobs that were sent be gone without. */
  async #countResults(sent: number): Promise<number> {
    const waiting = await this.#mq.count(this.#jobs);
    const stored = await this.#mq.count(this.#results);
    assert.ok(stored >= sent - waiting, `of ${sent} jobs ${waiting} wait, and there are ${stored} results`);
    return stored;
  }

  async #disturb(): Promise<void> {
    const worker = this.#workers[Math.floor(this.#random() * this.#workers.length)];
    assert.ok(worker);
    await worker.server.log((line) => line['msg'] === 'pulling jobs');
    await sleep(500 * this.#random());
    if (this.#left.length === 0) this.#left.push(...DISTURBANCES);
    const [kind] = this.#left.splice(Math.floor(this.#random() * this.#left.length), 1);
    assert.ok(kind);
    this.#done.push(kind);
    const forMs = LEASE_MS * (1 + this.#random());
    if (kind === 'kill') {
      worker.server.signal('SIGKILL');
      await worker.server.exit();
      worker.server = this.#spawn(worker.proxy);
    } else if (kind === 'pause') {
      worker.server.signal('SIGSTOP');
      await sleep(forMs);
      worker.server.signal('SIGCONT');
    } else {
      worker.proxy.mode = kind;
      await sleep(forMs);
      worker.proxy.mode = 'pass';
    }
  }

  /** Each job has one result, which is right, and those of a group stand in the order of their jobs. */
  async #checkResults(ids: readonly string[]): Promise<void> {
    const taken = await this.#mq.take(this.#results, ids.length);
    const lines = taken.map(
      ({ Body: body = '' }) => JSON.parse(body) as { custom_id: string; response: { body: unknown } },
    );
    for (const { custom_id, response } of lines) assert.deepEqual(response.body, { result: Number(custom_id) ** 2 });
    assert.deepEqual(
      taken.map(({ MessageAttributes: facts }) => facts?.['JobId']?.StringValue).sort(),
      [...ids].sort(),
    );
    if (!this.#options.fifo) return;
    for (let group = 0; group < GROUPS; group += 1) {
      const order = lines.map((line) => Number(line.custom_id)).filter((index) => index % GROUPS === group);
      assert.deepEqual(
        order,
        [...order].sort((a, b) => a - b),
      );
    }
  }

  #random(): number {
    this.#state = (this.#state * 48_271 + 11) % 2_147_483_647;
    return this.#state / 2_147_483_647;
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
