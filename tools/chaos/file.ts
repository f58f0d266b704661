import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { uniform } from '../../bench/simulate/random.ts';
import { CLI, SERVER_ENV } from '../../test/process/carpool.ts';
import { strike } from './blows.ts';
import { Cleanup } from './cleanup.ts';
import type { StormReport } from './report.ts';

export interface FileStormOptions {
  readonly jobs: number;
  readonly events: number;
  readonly seed: number;
  /** A batch stands still for so long and up to twice as long, and runs on for up to so long between two strikes. */
  readonly leaseMs: number;
  readonly runMs: number;
}

/** So long a batch takes to begin; it is not struck before, or it would never get on. */
const START_LIMIT_MS = 60_000;
const POLL_MS = 20;

/**
 * `carpool batch`, killed and stopped at random moments and run again, until all lines have their results. At every death the results that are said to be
 * there must be there: whole, right, and in the order of the requests.
 */
export async function fileStorm({ jobs, events, seed, leaseMs, runMs }: FileStormOptions): Promise<StormReport> {
  const random = uniform(seed);
  const beganMs = performance.now();
  await using cleanup = new Cleanup();
  const folder = await mkdtemp(path.join(os.tmpdir(), 'carpool-batch-'));
  cleanup.after(() => rm(folder, { recursive: true, force: true }));
  const batch = new Batch(folder, runMs);
  cleanup.after(() => batch.kill());
  await writeFile(batch.input, Array.from({ length: jobs }, (_, number) => lineOf(number)).join(''));
  const blows = await strike(
    [
      ['worker killed', () => batch.restart()],
      ['worker stopped', () => batch.pause(leaseMs * (1 + random()))],
    ],
    { events, leaseMs, random, isOver: () => batch.isDone },
  );
  const killedMs = performance.now();
  const kills = (blows['worker killed'] ?? 0) + (batch.isDone ? 0 : 1);
  await batch.restart();
  await batch.end();
  const takenOverMs = performance.now() - killedMs;
  const numbers = await batch.results();
  const { early } = batch;
  const found = new Set(numbers);
  const faults = {
    lost: jobs - found.size,
    doubled: numbers.length - found.size,
    early,
    wrong: batch.wrong + numbers.filter((number, at) => number !== at).length,
  };
  return {
    jobs,
    seconds: (performance.now() - beganMs) / 1000,
    blows: { ...blows, 'worker killed': kills },
    faults,
    takenOverMs,
  };
}

function lineOf(number: number): string {
  return `${JSON.stringify({ custom_id: String(number), url: '/predict/square', body: { data: number } })}\n`;
}

class Batch {
  readonly input: string;
  /** Results that were said to be stored when the process died, and were not there. */
  early = 0;
  wrong = 0;
  readonly #output: string;
  readonly #options: string;
  #child: ChildProcess | undefined;

  constructor(folder: string, runMs: number) {
    this.input = path.join(folder, 'requests.jsonl');
    this.#output = path.join(folder, 'results.jsonl');
    this.#options = JSON.stringify({ square: { batching: { maxItems: 2 }, simulate: { runMs } } });
  }

  /** It has ended by itself, with all results. */
  get isDone(): boolean {
    return this.#child?.exitCode === 0;
  }

  /** SIGKILL, and again from where it says that it stopped, once it has begun. */
  async restart(): Promise<void> {
    if (this.isDone) return;
    await this.kill();
    await this.#look();
    const args = ['batch', this.input, '-o', this.#output, '--models', 'square', '--model-options', this.#options];
    this.#child = spawn(process.execPath, [CLI, ...args], { env: SERVER_ENV, stdio: 'ignore' });
    const sizeBefore = (await this.#progress())?.resultsBytes ?? -1;
    const endsAtMs = performance.now() + START_LIMIT_MS;
    while (this.#child.exitCode === null && ((await this.#progress())?.resultsBytes ?? -1) <= sizeBefore) {
      if (performance.now() > endsAtMs) throw new Error('a batch does not get on');
      await sleep(POLL_MS);
    }
  }

  async pause(forMs: number): Promise<void> {
    if (this.#child === undefined) await this.restart();
    this.#child?.kill('SIGSTOP');
    await sleep(forMs);
    this.#child?.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** Resolves when it has ended by itself. */
  async end(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    if (child.exitCode !== 0) throw new Error(`the batch ended with ${String(child.exitCode ?? child.signalCode)}`);
  }

  /** The numbers of the jobs whose results are there, line by line. */
  async results(bytes?: number): Promise<number[]> {
    const file = await readFile(this.#output).catch(() => Buffer.alloc(0));
    const lines = file.subarray(0, bytes).toString().split('\n');
    if (lines.pop() !== '') this.early += 1;
    return lines.map((line) => {
      const { custom_id: id, response } = JSON.parse(line) as Line;
      const number = Number(id);
      if (response.body.result !== number * number) this.wrong += 1;
      return number;
    });
  }

  /** What the dead one has said to be stored must be there. */
  async #look(): Promise<void> {
    const told = await this.#progress();
    if (told === undefined) return;
    const numbers = await this.results(told.resultsBytes);
    this.early += Math.max(0, told.answered - numbers.length);
  }

  async #progress(): Promise<Checkpoint | undefined> {
    const text = await readFile(`${this.#output}.progress`, 'utf8').catch(() => undefined);
    return text === undefined ? undefined : (JSON.parse(text) as { checkpoint: Checkpoint }).checkpoint;
  }
}

interface Checkpoint {
  readonly resultsBytes: number;
  readonly answered: number;
}

interface Line {
  readonly custom_id: string;
  readonly response: { readonly body: { readonly result: number } };
}
