import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { CLI, SERVER_ENV } from '../../test/process/carpool.ts';

const ENV = {
  ...{ JOB_SOURCE: 'kelpie', JOB_COMMANDS: 'true', JOB_SETTLE_MS: '20', KELPIE_POLL_MS: '50' },
  ...{ SALAD_CONTAINER_GROUP_ID: 'g', SALAD_METADATA_URI: 'http://127.0.0.1:9', MODELS_DIR: 'models' },
  ...{ INPUT_DIR: 'input', OUTPUT_DIR: 'output', CHECKPOINT_DIR: 'checkpoint' },
};

/** Workers of Kelpie, each on a machine of its own: its name and working folder are. */
export class KelpieWorkers {
  readonly #env: Readonly<Record<string, string>>;
  readonly #folder: string;
  readonly #running: ChildProcess[] = [];
  #started = 0;

  constructor(env: Readonly<Record<string, string>>, folder: string) {
    this.#env = env;
    this.#folder = folder;
  }

  async start(): Promise<void> {
    const machine = `machine-${(this.#started += 1)}`;
    const cwd = path.join(this.#folder, machine);
    await mkdir(path.join(cwd, 'models'), { recursive: true });
    const env = { ...SERVER_ENV, ...ENV, ...this.#env, SALAD_MACHINE_ID: machine };
    this.#running.push(spawn(process.execPath, [CLI, 'work'], { cwd, env, stdio: 'ignore' }));
  }

  /** Without notice, and another one takes its place. */
  async replace(index: number): Promise<void> {
    const [worker] = this.#running.splice(index, 1);
    worker?.kill('SIGKILL');
    await this.start();
  }

  /** Stops one where it stands; returns how it goes on. Its program runs on. */
  pause(index: number): () => void {
    const worker = this.#running[index];
    worker?.kill('SIGSTOP');
    return () => void worker?.kill('SIGCONT');
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
