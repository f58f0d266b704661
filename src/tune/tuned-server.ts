import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { blockOf, type Setting } from './setting.ts';

const START_LIMIT_MS = 300_000;
const LOAD_LIMIT_MS = 300_000;
const STOP_LIMIT_MS = 10_000;

/** More requests than any load of a search has under way. */
const QUEUE_ITEMS = 100_000;

/** Flags of a server for one model and this machine alone, whatever the environment says of keys, certificates and queues. */
const OWN_FLAGS = [
  ...['--host=127.0.0.1', '--port=0', '--probe-port=-1', '--model-control=explicit', '--management=loopback'],
  ...['--log-format=json', '--log-level=info', '--api-key=', '--api-keys=', '--api-keys-file='],
  ...[
    '--tls-cert-file=',
    '--tls-key-file=',
    '--job-source=none',
    '--jobs-dir=',
    '--carpool-models=',
    '--allowed-hosts=',
  ],
];

/** A server that a model is tuned on: a process of its own, so that the load does not take its main thread. */
export class TunedServer {
  readonly url: string;
  readonly #model: string;
  readonly #child: ChildProcess;
  #loaded = '';

  private constructor(url: string, model: string, child: ChildProcess) {
    this.url = url;
    this.#model = model;
    this.#child = child;
  }

  /** Starts it with a lane for each core. Rejects with what the server says where it cannot start. */
  static async start(model: string, lanes: number, flags: readonly string[]): Promise<TunedServer> {
    const cli = fileURLToPath(new URL('../cli.js', import.meta.url));
    const own = [...OWN_FLAGS, `--models=${model}`, `--lanes=${lanes}`, '--lane-threads=1'];
    const child = spawn(process.execPath, [cli, 'serve', ...flags, ...own], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4000)));
    const ended = once(child, 'exit').then(() => {
      throw new Error(said.trim() || 'the server ended');
    });
    ended.catch(() => undefined);
    const limit = AbortSignal.timeout(START_LIMIT_MS);
    try {
      const port = await Promise.race([portOf(child, limit), ended]);
      return new TunedServer(`http://127.0.0.1:${port}`, model, child);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
  }

  /** Loads the model with a setting, unless it has that already. Rejects with what the server says. */
  async use(setting: Setting): Promise<void> {
    const config = JSON.stringify({ ...blockOf(setting), queue: { maxItems: QUEUE_ITEMS } });
    if (config === this.#loaded) return;
    const response = await fetch(`${this.url}/v2/repository/models/${this.#model}/load`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ parameters: { config } }),
      signal: AbortSignal.timeout(LOAD_LIMIT_MS),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`the model cannot be loaded with ${config}: ${text}`);
    this.#loaded = config;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const late = setTimeout(() => this.#child.kill('SIGKILL'), STOP_LIMIT_MS);
    await ended;
    clearTimeout(late);
  }
}

/** The port that a server logs, once it is ready. */
async function portOf(child: ChildProcess, signal: AbortSignal): Promise<number> {
  let port = 0;
  if (child.stdout === null) throw new Error('the server has no output');
  const lines = createInterface({ input: child.stdout, signal });
  for await (const line of lines) {
    const { msg, port: said } = JSON.parse(line) as { msg?: string; port?: number };
    if (msg === 'listening') port = said ?? 0;
    if (msg === 'server is ready' || msg === 'server is up without a model, so /ready is 503') {
      // What follows is not wanted, and must not fill the pipe.
      child.stdout.resume();
      return port;
    }
  }
  // Its end says why.
  return new Promise(() => undefined);
}
