import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { openStorage } from '../dist/src/storage/open.js';
import { S3Server, withoutS3 } from '../dist/test/storage/s3-server.js';

/** What examples of commands need on this machine: a bucket (versitygw), and workers that are killed on the way. */

const CLI = fileURLToPath(new URL('../dist/src/cli.js', import.meta.url));

export class Local {
  /** A worker that prints a line of which `saves` is true the second time is killed, and another one started: then the first save is stored. So often. */
  static async open({ kills, saves }) {
    if (withoutS3) throw new Error(withoutS3);
    const local = new Local();
    local.folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-example-'));
    local.atEnd(() => rm(local.folder, { recursive: true, force: true }));
    local.s3 = await S3Server.start({ after: (end) => local.atEnd(end) });
    local.storage = openStorage({ AWS_ENDPOINT_URL_S3: local.s3.endpoint, S3_ADDRESSING: 'auto' });
    local.atEnd(() => local.storage.close());
    local.atEnd(() => local.#endWorkers());
    local.#killsLeft = kills;
    local.#saves = saves;
    return local;
  }

  #failed = new AbortController();
  /** Aborted when all of it has taken too long, or a worker has ended by itself. */
  signal = AbortSignal.any([AbortSignal.timeout(300_000), this.#failed.signal]);
  #ends = [];
  #workers = new Set();
  #started = 0;
  #killsLeft = 0;
  #saves;

  /** The last first. */
  atEnd(end) {
    this.#ends.unshift(end);
  }

  place(key) {
    return `s3://${this.s3.bucket}/${key}`;
  }

  async write(key, text) {
    await this.storage.write(this.place(key), new TextEncoder().encode(text), { signal: this.signal });
  }

  async read(key) {
    const bytes = await this.storage.read(this.place(key), { signal: this.signal, limitBytes: 10_000_000 });
    return new TextDecoder().decode(bytes);
  }

  /** Prints what lies below a prefix. Returns the keys. */
  async show(prefix) {
    const keys = [];
    for await (const { place, size } of this.storage.list(this.place(prefix), { signal: this.signal })) {
      console.log(`${place}  ${size} bytes`);
      keys.push(place.slice(this.place('').length));
    }
    return keys;
  }

  /** A worker with folders of its own; on a real node they are /input, /output and /checkpoint. */
  async startWorker(env) {
    const name = `worker-${(this.#started += 1)}`;
    const cwd = path.join(this.folder, name);
    await mkdir(path.join(cwd, 'models'), { recursive: true });
    const child = spawn(process.execPath, [CLI, 'work'], {
      cwd,
      env: {
        ...{ ...this.s3.env, PATH: process.env.PATH, SALAD_MACHINE_ID: name, SALAD_METADATA_URI: 'http://127.0.0.1:9' },
        ...{ HOST: '127.0.0.1', PORT: '0', DEVICE: 'cpu', MODELS_DIR: 'models', LANES: '1', LOG_FORMAT: 'json' },
        ...{ JOB_COMMANDS: process.execPath, JOB_LEASE_MS: '2000', JOB_SETTLE_MS: '50' },
        ...{ INPUT_DIR: 'input', OUTPUT_DIR: 'output', CHECKPOINT_DIR: 'checkpoint' },
        ...env,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#workers.add(child);
    child.once('exit', (code) => {
      if (this.#workers.has(child)) this.#failed.abort(new Error(`${name} has ended with ${code}`));
    });
    let saved = 0;
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { stream, severity, msg, reason } = JSON.parse(line);
      if (stream !== undefined) console.log(`${name}: ${msg}`);
      else if (severity === 'ERROR') console.log(`${name}: ${msg} ${reason ?? ''}`);
      if (stream !== undefined && this.#saves(msg) && (saved += 1) === 2) this.#replace(child, name, env);
    });
  }

  #replace(child, name, env) {
    if (this.#killsLeft === 0) return;
    this.#killsLeft -= 1;
    console.log(`${name}: KILLED`);
    this.#workers.delete(child);
    child.kill('SIGKILL');
    void this.startWorker(env);
  }

  async #endWorkers() {
    const running = [...this.#workers].filter((child) => child.exitCode === null && child.signalCode === null);
    this.#workers.clear();
    const ended = running.map((child) => once(child, 'exit'));
    for (const child of running) child.kill('SIGTERM');
    await Promise.all(ended);
  }

  async end() {
    for (const end of this.#ends.splice(0)) await end();
  }
}
