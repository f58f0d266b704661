import { spawn, type ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Clock } from '../../core/ticket.ts';
import { Guard } from './guard.ts';
import { OutputLines } from './output-lines.ts';

/** How the program of a command has ended. */
export type Exit = { readonly code: number } | { readonly signal: NodeJS.Signals };

export interface ChildOptions {
  readonly command: string;
  readonly arguments: readonly string[];
  /** All of it. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly output: ChildOutput;
}

export interface ChildOutput {
  line(stream: 'stdout' | 'stderr', text: string): void;
  dropped(stream: 'stdout' | 'stderr', lines: number): void;
}

/** What was printed before the end may still be in the pipe. */
const LAST_OUTPUT_MS = 2000;
/** A program that prints more than this in a second waits for the rest of it: reading must not keep the main thread from probes. */
const MOST_BYTES_PER_SECOND = 8 * 1024 * 1024;

/** A program in a process group of its own, without a shell, in the server's working folder. The group ends with the program, and with the server. */
export class Child {
  /** When the program has ended, and all its group with it. */
  readonly ended: Promise<Exit>;
  readonly #pid: number;
  readonly #clock: Clock;
  #hasEnded = false;

  private constructor(process: ChildProcess, pid: number, guard: Guard, { clock, output }: ChildOptions) {
    this.#pid = pid;
    this.#clock = clock;
    const closed = new Promise<void>((resolve) => void process.once('close', resolve));
    for (const stream of ['stdout', 'stderr'] as const) this.#read(process[stream], stream, output);
    this.ended = new Promise((resolve) => {
      process.once('exit', (code, signal) => {
        // What the program has left behind must not write to folders that are stored and emptied.
        this.kill();
        this.#hasEnded = true;
        guard.release();
        const exit = signal === null ? { code: code ?? 0 } : { signal };
        void Promise.race([closed, this.#wait(LAST_OUTPUT_MS)]).then(() => {
          process.stdout?.destroy();
          process.stderr?.destroy();
          resolve(exit);
        });
      });
    });
  }

  /** Rejects if it cannot be started. */
  static async start(options: ChildOptions): Promise<Child> {
    const guard = await Guard.start();
    const process = spawn(options.command, options.arguments, {
      env: options.environment,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const { pid } = process;
    if (pid === undefined) {
      guard.release();
      return new Promise((_resolve, reject) => void process.once('error', reject));
    }
    guard.watch(pid);
    process.on('error', () => undefined);
    return new Child(process, pid, guard, options);
  }

  /** Asks the group to stop by SIGINT, also where it stands still (SIGSTOP), and ends it by SIGKILL after the grace. Resolves when it has ended. */
  async stop(graceMs: number, hurry: AbortSignal): Promise<Exit> {
    this.#signal('SIGINT');
    // It would heed no other signal before.
    this.#signal('SIGCONT');
    const kill = (): void => this.kill();
    const forget = this.#clock.after(graceMs, kill);
    if (hurry.aborted) kill();
    hurry.addEventListener('abort', kill, { once: true });
    try {
      return await this.ended;
    } finally {
      forget();
      hurry.removeEventListener('abort', kill);
    }
  }

  kill(): void {
    this.#signal('SIGKILL');
  }

  #signal(signal: NodeJS.Signals): void {
    // Later the number may be another group's.
    if (this.#hasEnded) return;
    try {
      process.kill(-this.#pid, signal);
    } catch {
      // It has ended, and its end has not been told yet.
    }
  }

  #read(stream: Readable | null, name: 'stdout' | 'stderr', output: ChildOutput): void {
    if (stream === null) return;
    const lines = new OutputLines(this.#clock, {
      line: (text) => output.line(name, text),
      dropped: (count) => output.dropped(name, count),
    });
    let bytes = 0;
    let sinceMs = this.#clock.now();
    stream.on('data', (chunk: Buffer) => {
      lines.write(chunk);
      const passedMs = this.#clock.now() - sinceMs;
      if (passedMs >= 1000) {
        bytes = 0;
        sinceMs += passedMs;
      }
      bytes += chunk.byteLength;
      if (bytes < MOST_BYTES_PER_SECOND) return;
      stream.pause();
      this.#clock.after(1000 - Math.min(passedMs, 999), () => stream.resume());
    });
    stream.on('error', () => undefined);
    stream.once('close', () => lines.end());
  }

  #wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.#clock.after(delayMs, resolve));
  }
}
