import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';

/**
 * Kelpie's API in memory, for tests and examples: the order in which jobs are handed out, heartbeats, bans, failures and errors as the real one
 * (github.com/SaladTechnologies/kelpie-api) has them, its traps included. It has neither users, webhooks nor scaling rules.
 */

const FOLDER = z.object({
  bucket: z.string(),
  prefix: z.string().transform((prefix) => (prefix.endsWith('/') ? prefix : `${prefix}/`)),
  local_path: z.string(),
  direction: z.enum(['download', 'upload']),
  pattern: z.string().optional(),
});

const SUBMISSION = z.object({
  command: z.string(),
  arguments: z.string().array().default([]),
  environment: z.record(z.string(), z.string()).default({}),
  container_group_id: z.string(),
  max_failures: z.int().min(1).default(3),
  heartbeat_interval: z.int().min(1).default(30),
  compression: z.boolean().default(false),
  webhook: z.string().nullish().default(null),
  sync: z.object({
    before: FOLDER.array().optional(),
    during: FOLDER.array().optional(),
    after: FOLDER.array().optional(),
  }),
});
export type Submission = z.input<typeof SUBMISSION>;

const WHO = z.object({ machine_id: z.string(), container_group_id: z.string() });

export type Status = 'pending' | 'running' | 'completed' | 'canceled' | 'failed';

export interface MockJob extends z.output<typeof SUBMISSION> {
  readonly id: string;
  status: Status;
  readonly created: string;
  started?: string;
  completed?: string;
  canceled?: string;
  failed?: string;
  heartbeat?: string;
  num_failures: number;
  num_heartbeats: number;
  machine_id: string | null;
}

/** A report of a worker, and whether the job was running on its machine then. */
export interface Report {
  readonly what: 'heartbeat' | 'completed' | 'failed';
  readonly job: string;
  readonly machine: string;
  readonly wasIts: boolean;
  readonly atMs: number;
}

/** What happens to a request in place of its answer. `lost`: it is carried out, and the answer is not sent. */
export type Fault = 'error' | 'break' | 'lost' | { readonly delayMs: number };

type MaybeFault = Fault | undefined;

export interface MockOptions {
  /** Values of X-Kelpie-Key, Salad-Api-Key and bearer tokens that are known. */
  readonly keys?: readonly string[];
  readonly port?: number;
  readonly fault?: (request: { readonly method: string; readonly path: string }) => MaybeFault | Promise<MaybeFault>;
}

/** As MAX_FAILURES_PER_WORKER of the sample configuration. */
const MOST_LOOKS = 5;
const MOST_BATCH = 1000;

export class MockKelpie implements AsyncDisposable {
  readonly jobs: MockJob[] = [];
  readonly reports: Report[] = [];
  /** Headers of the last request. */
  lastHeaders: IncomingMessage['headers'] = {};
  fault: MockOptions['fault'];
  readonly #keys: readonly string[];
  /** Who ran the job when the request that is being answered came. */
  #holder: string | null | undefined;
  readonly #bans = new Set<string>();
  readonly #server: Server;
  #watchers: (() => void)[] = [];

  private constructor({ keys = ['key'], fault }: MockOptions) {
    this.#keys = keys;
    this.fault = fault;
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  static async start(options: MockOptions = {}): Promise<MockKelpie> {
    const mock = new MockKelpie(options);
    mock.#server.listen(options.port ?? 0, '127.0.0.1');
    await once(mock.#server, 'listening');
    return mock;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  find(id: string): MockJob {
    const job = this.jobs.find((one) => one.id === id);
    if (job === undefined) throw new Error(`there is no job ${id}`);
    return job;
  }

  add(submission: Submission): MockJob {
    const job: MockJob = {
      id: randomUUID(),
      status: 'pending',
      created: now(),
      num_failures: 0,
      num_heartbeats: 0,
      machine_id: null,
      ...SUBMISSION.parse(submission),
    };
    this.jobs.push(job);
    return job;
  }

  cancel(id: string): void {
    const job = this.jobs.find((one) => one.id === id);
    if (job !== undefined) this.#move(job, 'canceled', 'user');
  }

  isBanned(machine: string, id: string): boolean {
    return this.#bans.has(`${machine}:${id}`);
  }

  /** Resolves when the condition holds, which is looked at after each request. Rejects after the limit. */
  async until(condition: () => boolean, limitMs = 60_000): Promise<void> {
    const signal = AbortSignal.timeout(limitMs);
    while (!condition()) {
      signal.throwIfAborted();
      const next = new Promise<void>((resolve) => this.#watchers.push(resolve));
      await Promise.race([next, sleep(50)]);
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request).catch(() => '');
    const url = new URL(request.url ?? '/', 'http://mock');
    const method = request.method ?? 'GET';
    this.lastHeaders = request.headers;
    // A worker cannot know who gets its job while its report is on the way.
    const holder = this.#holderOf(url);
    const fault = await this.fault?.({ method, path: url.pathname });
    if (typeof fault === 'object') await sleep(fault.delayMs);
    if (fault === 'break') {
      request.socket.destroy();
      return;
    }
    const broken = fault === 'error' ? refusal(500, 'Internal server error', 'fault') : undefined;
    this.#holder = holder;
    const answer = broken ?? this.#refused(request.headers) ?? this.#answer(method, url, body);
    for (const watcher of this.#watchers.splice(0)) watcher();
    if (fault === 'lost') request.socket.destroy();
    else send(response, answer);
  }

  /** The machine that runs the job of a path; undefined if none does. */
  #holderOf({ pathname }: URL): string | null | undefined {
    const job = this.jobs.find(({ id }) => id === pathname.split('/')[2]);
    return job?.status === 'running' ? job.machine_id : undefined;
  }

  #refused(headers: IncomingMessage['headers']): Reply | undefined {
    const token = /^Bearer (.*)$/.exec(headers.authorization ?? '')?.[1];
    const [saladKey, project] = [headers['salad-api-key'], headers['salad-project']];
    const isWhole = token === undefined || project !== undefined;
    if (!isWhole || (saladKey !== undefined && (project === undefined || headers['salad-organization'] === undefined)))
      return refusal(400, 'Bad Request', 'organization and project are required');
    const key = headers['x-kelpie-key'] ?? saladKey ?? token;
    if (key === undefined) return refusal(401, 'Unauthorized', 'API Key or Bearer Token Required');
    return this.#keys.includes(String(key)) ? undefined : refusal(403, 'Forbidden', 'Invalid API Key');
  }

  #answer(method: string, url: URL, body: string): Reply {
    const [, first, second, third] = url.pathname.split('/');
    const call = `${method} ${first ?? ''}${second === undefined ? '' : second === 'batch' ? '/batch' : '/:id'}${third === undefined ? '' : `/${third}`}`;
    try {
      return this.#route(call, decodeURIComponent(second ?? ''), url, body);
    } catch (error) {
      if (error instanceof z.ZodError) return reply(400, { errors: error.issues, success: false, result: {} });
      if (error instanceof SyntaxError) return refusal(400, 'Bad Request', 'Invalid JSON');
      return refusal(404, 'Not Found', 'Job not found');
    }
  }

  #route(call: string, id: string, url: URL, body: string): Reply {
    const machine = (): string => WHO.parse(JSON.parse(body)).machine_id;
    const routes: Readonly<Record<string, () => Reply>> = {
      'GET work': () => reply(200, this.#handOut(WHO.parse(Object.fromEntries(url.searchParams)))),
      'POST jobs': () => reply(202, this.add(JSON.parse(body) as Submission)),
      'POST jobs/batch': () => this.#addAll(JSON.parse(body)),
      'GET jobs': () => this.#list(url.searchParams),
      'GET jobs/:id': () => reply(200, this.find(id)),
      'DELETE jobs/:id': () => {
        this.cancel(id);
        return reply(202, { message: 'Job canceled' });
      },
      'POST jobs/:id/heartbeat': () => this.#heartbeat(id, machine()),
      'POST jobs/:id/completed': () => this.#completed(id, machine()),
      'POST jobs/:id/failed': () => this.#failed(id, machine()),
    };
    return routes[call]?.() ?? reply(404, { error: 'Route Not Found' });
  }

  /** Stale ones first, then those that nobody has had yet. Bans are skipped by an offset that counts on through both lists, so one may hide a job that is not banned. */
  #handOut({ machine_id: machine, container_group_id: group }: z.output<typeof WHO>): MockJob[] {
    const ours = this.jobs.filter((job) => job.container_group_id === group);
    const stale = ours.filter((job) => job.status === 'running' && isStale(job));
    const pending = ours.filter((job) => job.status === 'pending');
    for (let look = 0; look < MOST_LOOKS; look += 1) {
      const job = stale[look] ?? pending[look];
      if (job === undefined) break;
      if (this.isBanned(machine, job.id)) continue;
      this.#move(job, 'running', machine);
      return [job];
    }
    return [];
  }

  #move(job: MockJob, status: Exclude<Status, 'pending'>, machine: string): void {
    const time = now();
    job.status = status;
    job[status === 'running' ? 'started' : status] = time;
    job.heartbeat = time;
    job.machine_id = machine;
  }

  #report(what: Report['what'], id: string, machine: string): MockJob | undefined {
    const job = this.jobs.find((one) => one.id === id);
    this.reports.push({ what, job: id, machine, wasIts: this.#holder === machine, atMs: Date.now() });
    return job;
  }

  #heartbeat(id: string, machine: string): Reply {
    const job = this.#report('heartbeat', id, machine);
    if (job === undefined) return refusal(404, 'Not Found', 'Job not found');
    if (job.status !== 'running') return reply(200, { status: job.status });
    if (job.machine_id !== machine) return reply(200, { status: 'canceled' });
    job.heartbeat = now();
    job.num_heartbeats += 1;
    return reply(200, { status: 'running' });
  }

  #completed(id: string, machine: string): Reply {
    const job = this.#report('completed', id, machine);
    if (job !== undefined) this.#move(job, 'completed', machine);
    return reply(200, { message: 'Completed reported' });
  }

  /** Below its last failure a job stays running, with the heartbeat it had. */
  #failed(id: string, machine: string): Reply {
    const job = this.#report('failed', id, machine);
    if (job === undefined) return refusal(404, 'Not Found', 'Job not found');
    this.#bans.add(`${machine}:${id}`);
    job.num_failures += 1;
    if (job.num_failures >= job.max_failures) this.#move(job, 'failed', machine);
    return reply(202, { message: 'Failure reported' });
  }

  /** All or none; the answer is in no fixed order. */
  #addAll(submissions: unknown): Reply {
    const all = z.array(z.unknown()).min(1).max(MOST_BATCH).parse(submissions);
    const bad = all.findIndex((one) => !SUBMISSION.safeParse(one).success);
    if (bad >= 0) return reply(400, { error: 'Bad Request', message: 'Invalid job', index: bad });
    return reply(202, all.map((one) => this.add(one as Submission)).reverse());
  }

  #list(query: URLSearchParams): Reply {
    const [status, group] = [query.get('status'), query.get('container_group_id')];
    const [size, page] = [Number(query.get('page_size') ?? 100), Number(query.get('page') ?? 1)];
    const found = this.jobs.filter(
      (job) => (status ?? job.status) === job.status && (group ?? job.container_group_id) === job.container_group_id,
    );
    if (query.get('asc') !== 'true') found.reverse();
    return reply(200, { _count: found.length, jobs: found.slice((page - 1) * size, page * size) });
  }
}

interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const reply = (status: number, value: unknown): Reply => ({
  status,
  type: 'application/json',
  body: JSON.stringify(value),
});

/** The real one sends its own errors as text. */
const refusal = (status: number, error: string, message: string): Reply => ({
  status,
  type: 'text/plain;charset=UTF-8',
  body: JSON.stringify({ error, message }),
});

function send(response: ServerResponse, { status, type, body }: Reply): void {
  response.writeHead(status, { 'Content-Type': type });
  response.end(body);
}

/** Whole seconds, as its database keeps them. */
function now(): string {
  return new Date(Math.floor(Date.now() / 1000) * 1000).toISOString();
}

function isStale({ heartbeat, created, heartbeat_interval: intervalS }: MockJob): boolean {
  return Date.parse(heartbeat ?? created) <= Date.parse(now()) - 2 * intervalS * 1000;
}
