import { Carpool } from '../../test/process/carpool.ts';
import { until } from '../../test/until.ts';
import type { RealQueue } from '../queues/real-queue.ts';
import { StallingProxy } from './stalling-proxy.ts';

const START_TRIES = 5;
/** The queue, or the port that another process has taken meanwhile. */
const ABSENT = /JOB_SOURCE=|another process listens/;

interface Worker {
  process: Carpool;
  /** Its way to the queue. */
  readonly proxy: StallingProxy;
}

/** Workers that are killed and stopped on the way, each a real process; there are always as many. */
export class Crew {
  readonly #queue: RealQueue;
  readonly #env: Readonly<Record<string, string>>;
  readonly #workers: Worker[] = [];
  /** What a worker logs when it serves. */
  readonly #begun: string;

  constructor(queue: RealQueue, env: Readonly<Record<string, string>>) {
    this.#queue = queue;
    this.#env = env;
    this.#begun = queue.isWorker === true ? 'server is ready' : 'pulling jobs';
  }

  /** Starts so many; resolves when each serves. */
  async start(count: number): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      const proxy = await StallingProxy.start(this.#queue.port);
      this.#workers.push({ proxy, process: this.#spawn(proxy) });
    }
    await this.#started();
  }

  /** SIGKILL to one of them, once another one serves, and one in its place, which may still be starting when this resolves. */
  async kill(random: () => number): Promise<void> {
    const worker = this.#one(random);
    const others = this.#workers.filter((one) => one !== worker);
    // Where all are dead, nobody can take their jobs over in time.
    if (others.length > 0) await until('another worker', () => others.some((one) => this.#serves(one)) || undefined);
    await worker.process[Symbol.asyncDispose]();
    worker.process = this.#spawn(worker.proxy);
  }

  /** SIGKILL to all but one, and none in their places; a lone one is started again. */
  async killMost(): Promise<void> {
    if (this.#workers.length === 1) return this.kill(() => 0);
    const [last, ...others] = this.#workers;
    await until('a worker that stays', () => (last !== undefined && this.#serves(last)) || undefined);
    const dead = this.#workers.splice(1, others.length);
    await Promise.all(dead.map(leave));
  }

  /** Stops the process of one of them where it stands; returns how it goes on as if nothing had been. */
  pause(random: () => number): () => void {
    const { process } = this.#one(random);
    process.signal('SIGSTOP');
    return () => process.signal('SIGCONT');
  }

  /** Lets the network between the queue and one of them stand still; returns how it goes on. */
  stall(random: () => number): () => void {
    const { proxy } = this.#one(random);
    proxy.stall();
    return () => proxy.resume();
  }

  /** Starts those again that could not start because the queue was away: whoever runs them would. Throws if one has ended otherwise. */
  revive(): void {
    for (const worker of this.#workers) {
      const { process: child, stderr } = worker.process;
      if (child.exitCode === null && child.signalCode === null) continue;
      if (!ABSENT.test(stderr)) throw new Error(`a worker has ended by itself: ${stderr}`);
      worker.process = this.#spawn(worker.proxy);
    }
  }

  /** SIGTERM to all, once they have started; resolves with how each has ended: an exit code or a signal. */
  async stop(): Promise<readonly (number | string | null)[]> {
    await this.#started();
    for (const { process } of this.#workers) process.signal('SIGTERM');
    const exits = await Promise.all(this.#workers.map(({ process }) => process.exit()));
    return exits.map(({ code, signal }) => signal ?? code);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map(leave));
  }

  #one(random: () => number): Worker {
    const worker = this.#workers[Math.floor(random() * this.#workers.length)];
    if (worker === undefined) throw new Error('there are no workers');
    return worker;
  }

  #serves({ process: { process: child, logs } }: Worker): boolean {
    return child.exitCode === null && child.signalCode === null && logs.some(({ msg }) => msg === this.#begun);
  }

  async #started(): Promise<void> {
    for (let tries = 1; ; tries += 1)
      try {
        for (const { process } of this.#workers) await process.log((line) => line['msg'] === this.#begun);
        return;
      } catch (error) {
        if (tries === START_TRIES) throw error;
        this.revive();
      }
  }

  #spawn({ port }: StallingProxy): Carpool {
    const command = this.#queue.isWorker === true ? 'serve' : 'work';
    return Carpool.spawn({ ...this.#queue.env(port), ...this.#env }, command);
  }
}

async function leave({ process, proxy }: Worker): Promise<void> {
  await process[Symbol.asyncDispose]();
  await proxy.stop();
}
