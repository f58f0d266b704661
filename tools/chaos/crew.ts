import { Carpool } from '../../test/process/carpool.ts';

/** Workers that are killed and stopped on the way, each a real process; there are always as many. */
export class Crew {
  readonly #env: Readonly<Record<string, string>>;
  #workers: Carpool[] = [];
  #paused: Carpool | undefined;

  constructor(env: Readonly<Record<string, string>>) {
    this.#env = env;
  }

  /** Starts so many; resolves when each pulls jobs. */
  async start(count: number): Promise<void> {
    for (let index = 0; index < count; index += 1) this.#workers.push(this.#spawn());
    await this.#started();
  }

  get count(): number {
    return this.#workers.length;
  }

  /** SIGKILL, and another one in its place, which may still be starting when this resolves. */
  async kill(index: number): Promise<void> {
    const worker = this.#workers[index];
    if (worker === undefined) return;
    await worker[Symbol.asyncDispose]();
    this.#workers[index] = this.#spawn();
  }

  /** Stops the process where it stands; `resume` lets it go on as if nothing had been. */
  pause(index: number): void {
    this.#paused = this.#workers[index];
    this.#paused?.signal('SIGSTOP');
  }

  resume(): void {
    this.#paused?.signal('SIGCONT');
    this.#paused = undefined;
  }

  /** SIGTERM to all, once they have started; resolves with how each has ended: an exit code or a signal. */
  async stop(): Promise<readonly (number | string | null)[]> {
    this.resume();
    await this.#started();
    for (const worker of this.#workers) worker.signal('SIGTERM');
    const exits = await Promise.all(this.#workers.map((worker) => worker.exit()));
    return exits.map(({ code, signal }) => signal ?? code);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const worker of this.#workers) await worker[Symbol.asyncDispose]();
    this.#workers = [];
  }

  async #started(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.log((line) => line['msg'] === 'pulling jobs')));
  }

  #spawn(): Carpool {
    return Carpool.spawn(this.#env, 'work');
  }
}
