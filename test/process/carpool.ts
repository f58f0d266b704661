import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** Starts the real server in its own process, as a user would, and ends it after the test. */

export const CLI = fileURLToPath(new URL('../../src/cli.js', import.meta.url));
export const SHIPPED_MODELS = fileURLToPath(new URL('../../../models', import.meta.url));
/** The environment of such a server, unless a test says otherwise. */
export const SERVER_ENV = {
  PATH: process.env['PATH'] ?? '',
  HOST: '127.0.0.1',
  ALLOWED_HOSTS: 'a,test',
  PORT: '0',
  MODELS_DIR: SHIPPED_MODELS,
  DEVICE: 'cpu',
  LOG_FORMAT: 'json',
} as const;
const START_LIMIT_MS = 60_000;

export type LogLine = Readonly<Record<string, unknown>>;

export class Carpool {
  readonly process: ChildProcess;
  readonly logs: LogLine[] = [];
  stderr = '';
  port = 0;
  readonly #exited: Promise<{ code: number | null; signal: string | null }>;
  #waiting: { matches: (line: LogLine) => boolean; resolve: (line: LogLine) => void }[] = [];

  private constructor(process: ChildProcess) {
    this.process = process;
    this.#exited = once(process, 'exit').then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as string | null,
    }));
    process.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    if (process.stdout !== null)
      createInterface({ input: process.stdout }).on('line', (text) => {
        const line = parse(text);
        if (line === undefined) return;
        this.logs.push(line);
        this.#waiting = this.#waiting.filter(({ matches, resolve }) => {
          if (!matches(line)) return true;
          resolve(line);
          return false;
        });
      });
  }

  /** Starts `carpool serve` with this environment; waits until it listens, and by default until it is ready. */
  static async start(env: Readonly<Record<string, string>>, { ready = true } = {}): Promise<Carpool> {
    const carpool = Carpool.spawn(env);
    const listening = await carpool.log((line) => line['msg'] === 'listening');
    carpool.port = Number(listening['port']);
    if (ready) await carpool.log((line) => line['msg'] === 'server is ready');
    return carpool;
  }

  /** Starts it and waits for nothing. */
  static spawn(
    env: Readonly<Record<string, string>>,
    command = 'serve',
    cwd = fileURLToPath(new URL('.', import.meta.url)),
  ): Carpool {
    const child = spawn(process.execPath, [CLI, command], {
      env: { ...SERVER_ENV, ...env },
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return new Carpool(child);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The first log line, past or to come, that matches. Rejects when the process ends or takes too long. */
  async log(matches: (line: LogLine) => boolean): Promise<LogLine> {
    const past = this.logs.find(matches);
    if (past !== undefined) return past;
    const found = new Promise<LogLine>((resolve) => this.#waiting.push({ matches, resolve }));
    const ended = this.#exited.then((exit) => {
      throw new Error(`the server ended (${JSON.stringify(exit)}) before that: ${this.stderr}`);
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no such log line within ${START_LIMIT_MS} ms`)), START_LIMIT_MS);
    });
    try {
      return await Promise.race([found, ended, late]);
    } finally {
      clearTimeout(timer);
      ended.catch(() => undefined);
    }
  }

  /** How it ended. */
  exit(): Promise<{ code: number | null; signal: string | null }> {
    return this.#exited;
  }

  signal(name: NodeJS.Signals): void {
    this.process.kill(name);
  }

  /** For the end of a test, whatever happened in it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) this.process.kill('SIGKILL');
    await this.#exited;
  }

  /** POST of a JSON value; status, headers and parsed body. */
  async post(path: string, body: unknown, init: RequestInit = {}): Promise<Answer> {
    const response = await fetch(this.url + path, {
      method: 'POST',
      body: JSON.stringify(body),
      ...init,
      headers: { 'Content-Type': 'application/json', ...(init.headers as Record<string, string> | undefined) },
    });
    return { status: response.status, headers: response.headers, body: await response.json() };
  }

  async get(path: string): Promise<Answer> {
    const response = await fetch(this.url + path);
    return { status: response.status, headers: response.headers, body: await response.json() };
  }

  /** The value of one sample of /metrics; 0 if there is none. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    for (const line of text.split('\n')) {
      if (!line.startsWith(name) || !/^[{ ]/.test(line.slice(name.length))) continue;
      if (Object.entries(labels).every(([label, value]) => line.includes(`${label}="${value}"`)))
        return Number(line.slice(line.lastIndexOf(' ') + 1));
    }
    return 0;
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

function parse(text: string): LogLine | undefined {
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return undefined;
  }
}
