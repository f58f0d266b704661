import './openapi/real-answers.ts';
import { readConfig } from '../../src/config/read.ts';
import { createLogs } from '../../src/log.ts';
import { startServer, type CarpoolServer } from '../../src/lifecycle.ts';
import { SHIPPED_MODELS } from '../process/carpool.ts';

/** Names that tests write by hand. */
const RAW_HOSTS = 'a,test';

/** A server in the test's own process, on a free port of the loopback interface. */
export interface TestServer extends CarpoolServer, AsyncDisposable {
  readonly url: string;
  readonly logLines: string[];
}

export async function startTestServer(options: Readonly<Record<string, string>> = {}): Promise<TestServer> {
  const config = readConfig({
    flags: {},
    env: {
      HOST: '127.0.0.1',
      ALLOWED_HOSTS: RAW_HOSTS,
      PORT: '0',
      MODELS_DIR: SHIPPED_MODELS,
      DEVICE: 'cpu',
      CPU_THREADS: '1',
      ...options,
    },
    file: {},
  });
  const logLines: string[] = [];
  const logs = createLogs({
    level: config.LOG_LEVEL,
    pretty: false,
    stream: { write: (line) => void logLines.push(line) },
  });
  const server = await startServer(config, logs);
  await server.started;
  return {
    ...server,
    url: `http://127.0.0.1:${server.port}`,
    logLines,
    async [Symbol.asyncDispose]() {
      await server.drain();
    },
  };
}

export type RequestBody = string | Uint8Array<ArrayBuffer>;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
  /** The body as JSON; undefined if it is not JSON. */
  readonly json: unknown;
}

/** One request; the whole answer. */
export async function ask(url: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url, init);
  const bytes = new Uint8Array(await response.arrayBuffer());
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString());
  } catch {
    json = undefined;
  }
  return { status: response.status, headers: response.headers, bytes, json };
}

export function post(url: string, body: RequestBody, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return ask(url, { method: 'POST', body, headers: { 'Content-Type': 'application/json', ...headers } });
}
