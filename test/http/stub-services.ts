import './openapi/real-answers.ts';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock } from '../../src/core/clock.ts';
import { Core } from '../../src/core/core.ts';
import { PARTIES, type Lane } from '../../src/core/ticket.ts';
import { readConfig } from '../../src/config/read.ts';
import { ServerError } from '../../src/errors.ts';
import { BodyBudget } from '../../src/http/body-budget.ts';
import { Certificate } from '../../src/http/certificate.ts';
import { Keys } from '../../src/http/keys/keys.ts';
import { JobPlaces } from '../../src/jobs/job-places.ts';
import { createHttpServer } from '../../src/http/server.ts';
import type { Services } from '../../src/http/services.ts';
import type { LaneWork } from '../../src/lanes/protocol.ts';
import { createLogs } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import { identityOf } from '../../src/salad/identity.ts';
import { Door } from '../../src/serving/door.ts';
import type { ServedModel } from '../../src/serving/served-model.ts';
import { createStatistics } from '../../src/serving/statistics.ts';
import { ServerState } from '../../src/state.ts';
import { ServerStorage } from '../../src/storage/server-storage.ts';
import type { Item, Reply, Task } from '../../src/tasks/task.ts';
import type { Tensor } from '../../src/tensors/tensor.ts';
import { LiveFeed } from '../../src/web/live/feed.ts';
import { poolHere } from '../cpu/pool-here.ts';
import { SHIPPED_MODELS } from '../process/carpool.ts';

/** A server whose models are made of one function: operations are tested through the real door, without a model. */

/** What a stub model does with an item; events go to a client that streams. Rejects with a ServerError for a bad item. */
export type Serve = (
  item: Item,
  context: { emit: (event: unknown) => void; cancelled: Promise<void>; streaming: boolean },
) => Promise<Reply>;

export interface StubModel {
  readonly name: string;
  readonly task: string;
  readonly serve: Serve;
  readonly isFull?: boolean;
  /** Its items are prepared, run and finished like those of most tasks, and it cannot stream. */
  readonly isPlain?: boolean;
  readonly calls?: Task['calls'];
}

export interface StubServer extends AsyncDisposable {
  readonly server: Server;
  readonly url: string;
  readonly port: number;
  readonly logLines: string[];
  /** Items as they reached the models, in order. */
  readonly items: Item[];
  /** Jobs that left the main thread: what kind, and of which operation or function. */
  readonly offThread: string[];
  /** Models that were to be loaded; none ever is. */
  readonly loads: string[];
  readonly state: ServerState;
  readonly keys: Keys | undefined;
  readonly metricsText: () => Promise<string>;
}

export async function startStubServer(
  models: readonly StubModel[],
  options: Readonly<Record<string, string>> = {},
): Promise<StubServer> {
  const config = readConfig({ flags: {}, env: { MODELS_DIR: SHIPPED_MODELS, ...options }, file: {} });
  const logLines: string[] = [];
  const { log, access } = createLogs({
    level: config.LOG_LEVEL,
    pretty: false,
    stream: { write: (line) => void logLines.push(line) },
  });
  const state = new ServerState();
  state.enter('ready', 'stub');
  const metrics = createMetrics();
  const keys = await Keys.open({ config, log, metrics });
  const items: Item[] = [];
  const loads: string[] = [];
  const offThread: string[] = [];
  const core = new StubCore({ clock: systemClock });
  core.addLane(idleLane);
  const served = models.map((model) => servedModel(model, items));
  for (const [index, model] of served.entries()) {
    core.addModel(model.key, { limits: model.limits, queueItems: QUEUE_ITEMS });
    if (models[index]?.isFull === true)
      for (const party of PARTIES)
        core.admit({ modelKey: model.key, items: QUEUE_ITEMS, priority: 1, party, deadlineMs: Infinity });
  }
  const budget = new BodyBudget(config.BODY_BUDGET_BYTES);
  const stored = new ServerStorage({ config, log });
  const cpu = poolHere(served, offThread);
  const repository = repositoryOf(served, loads);
  const services = {
    config,
    version: '0.0.0',
    state,
    log,
    access,
    metrics,
    repository,
    door: new Door({
      core,
      cpu,
      models: repository,
      state,
      metrics,
      log,
      clock: systemClock,
      inputs: { takesUrls: () => false, items: (_, all) => Promise.resolve(all) },
      itemLimit: config.ITEM_LIMIT,
      defaultModel: config.DEFAULT_MODEL,
    }),
    cpuThreads: cpu.threads,
    budget,
    keys,
    node: identityOf(config),
    jobPlaces: new JobPlaces({
      inputs: stored.inputs,
      storage: stored.storage,
      budget,
      limitBytes: config.BODY_LIMIT_BYTES,
      clock: systemClock,
    }),
    plan: () => ({ lanes: 1, why: 'stub' }),
    refreshGauges: () => undefined,
  } as unknown as Services;
  const live = new LiveFeed({
    ...{ metrics, clock: systemClock, state, log, version: '0.0.0', refreshGauges: () => undefined },
    repository: repository as unknown as Services['repository'],
  });
  Object.assign(services, { live });
  const certificate = await Certificate.open(config, log);
  const server = createHttpServer(services, certificate);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    server,
    port,
    url: `http://127.0.0.1:${port}`,
    logLines,
    items,
    offThread,
    loads,
    state,
    keys,
    metricsText: () => metrics.registry.metrics(),
    async [Symbol.asyncDispose]() {
      live.close();
      metrics.stop();
      keys?.close();
      certificate?.close();
      await close(server);
    },
  };
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** Refusals of a full model say to wait for 1.5 s. */
class StubCore extends Core<LaneWork, readonly Tensor[]> {
  override refusal(): ServerError {
    return new ServerError('QUEUE_FULL', undefined, { retryAfterMs: 1500 });
  }
}

/** More than any test sends. */
const QUEUE_ITEMS = 20_000;

/** Tickets hold nothing here: items travel as memos. */
const idleLane: Lane<LaneWork, readonly Tensor[]> = {
  id: 0,
  run: (_, tickets) =>
    Promise.resolve({
      outcomes: tickets.map(() => ({ ok: true as const, result: [] })),
      runMs: 0,
      stackMs: 0,
      splitMs: 0,
    }),
};

function servedModel({ name, task, calls = {}, serve, isPlain = false }: StubModel, seen: Item[]): ServedModel {
  const signature = { inputs: [], outputs: [], batchable: true };
  const plain: Task = {
    rawTypes: [],
    isLight: () => true,
    prepare(item) {
      seen.push(item);
      return { inputs: {}, cost: 1, memo: item };
    },
    isLightReply: () => true,
    finish: (_, item) =>
      serve(item as Item, { emit: () => undefined, cancelled: new Promise(() => undefined), streaming: false }),
    calls,
  };
  const alone: Task['serve'] = (item, context): Promise<Reply> => {
    seen.push(item);
    const cancelled = new Promise<void>((resolve) => void context.onLeave(resolve));
    return serve(item, { emit: (event) => context.emit(event), cancelled, streaming: context.streaming });
  };
  return {
    key: `${name}/1#1`,
    name,
    version: '1',
    signature,
    graph: undefined,
    description: {
      name,
      version: '1',
      task,
      maxItems: 8,
      maxDelayMs: 0,
      versionPolicy: 'all',
      devices: ['cpu'],
      signature,
    },
    limits: { maxItems: 8, maxCost: Infinity, maxDelayMs: 0 },
    queueItems: 64,
    task: isPlain ? plain : { ...plain, serve: alone },
    fileBytes: 0,
    taskSource: { key: `${name}/1#1`, folder: '/nowhere', weights: 'model.onnx' },
    statistics: createStatistics(),
    timeoutMs: 30_000,
  } as unknown as ServedModel;
}

function repositoryOf(served: readonly ServedModel[], loads: string[]) {
  return {
    list: () => served,
    index: () => served.map(({ name, version }) => ({ name, version, state: 'READY' as const, reason: '' })),
    aliasesOf: () => [],
    onDemand: { keptMs: () => Infinity },
    asleep: () => [],
    wake: () => Promise.resolve(),
    versions: (name: string) => served.filter((model) => model.name === name).map(({ version }) => version),
    find(name: string, version = '1') {
      const found = served.find((model) => model.name === name && model.version === version);
      if (found === undefined)
        throw new ServerError('MODEL_NOT_FOUND', `Request for unknown model: '${name}' is not found`);
      return found;
    },
    load(name: string): Promise<void> {
      loads.push(name);
      return new Promise(() => undefined);
    },
  };
}
