import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { API_CALLS, APIS } from '../../src/dialects/shared/apis.ts';
import { printEmbeddings } from '../../src/dialects/shared/embedding-text.ts';
import { readConfig } from '../../src/config/read.ts';
import { ServerError, toServerError } from '../../src/errors.ts';
import { BodyBudget } from '../../src/http/body-budget.ts';
import { InputFetcher } from '../../src/http/input-fetcher.ts';
import { createHttpServer } from '../../src/http/server.ts';
import type { Services } from '../../src/http/services.ts';
import { createLogs } from '../../src/log.ts';
import { createMetrics } from '../../src/metrics.ts';
import type { CpuRequest } from '../../src/cpu/pool.ts';
import type { ServedModel } from '../../src/serving/served-model.ts';
import { createStatistics } from '../../src/serving/statistics.ts';
import type { ItemResult, SubmitOptions } from '../../src/serving/submit.ts';
import { emptyTiming } from '../../src/serving/timing.ts';
import { ServerState } from '../../src/state.ts';
import type { Item, Reply, Task } from '../../src/tasks/task.ts';
import { blocksOf, itemsOf, peekJson } from '../../src/cpu/requests.ts';
import { SHIPPED_MODELS } from '../process/carpool.ts';

/** A server whose models are made of one function: routes and dialects are tested without a model. */

/** What a stub model does with an item; events go to a client that streams. Rejects with a ServerError for a bad item. */
export type Serve = (
  item: Item,
  context: { index: number; emit: (event: unknown) => void; cancelled: Promise<void> },
) => Promise<Reply>;

export interface StubModel {
  readonly name: string;
  readonly task: string;
  readonly serve: Serve;
  readonly isFull?: boolean;
  readonly calls?: Task['calls'];
}

export interface StubServer extends AsyncDisposable {
  readonly server: Server;
  readonly url: string;
  readonly port: number;
  readonly logLines: string[];
  /** Items as they reached the models, in order. */
  readonly items: Item[];
  /** Kinds of work that left the main thread. */
  readonly offThread: string[];
  readonly state: ServerState;
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
  const served = models.map(servedModel);
  const items: Item[] = [];
  const offThread: string[] = [];
  const budget = new BodyBudget(config.BODY_BUDGET_BYTES);
  const services = {
    config,
    version: '0.0.0',
    state,
    log,
    access,
    metrics,
    repository: repositoryOf(served),
    submitter: submitterOf(models, items),
    cpu: { threads: 1, run: (request: CpuRequest) => runHere(request, offThread) },
    budget,
    inputs: new InputFetcher({ mode: 'off', limitBytes: config.BODY_LIMIT_BYTES, budget }),
    plan: () => ({ lanes: 1, why: 'stub' }),
    refreshGauges: () => undefined,
  } as unknown as Services;
  const server = createHttpServer(services);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    server,
    port,
    url: `http://127.0.0.1:${port}`,
    logLines,
    items,
    offThread,
    state,
    metricsText: () => metrics.registry.metrics(),
    async [Symbol.asyncDispose]() {
      metrics.stop();
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

function servedModel({ name, task, calls }: StubModel): ServedModel {
  return {
    key: `${name}/1#1`,
    name,
    version: '1',
    description: { name, version: '1', task, maxItems: 8, signature: { inputs: [], outputs: [], batchable: true } },
    limits: { maxItems: 8, maxCost: Infinity, maxDelayMs: 0 },
    queueItems: 64,
    task: { isLight: () => true, rawTypes: [], ...(calls === undefined ? {} : { calls }) },
    taskSource: { key: name },
    statistics: createStatistics(),
    timeoutMs: 30_000,
  } as unknown as ServedModel;
}

function repositoryOf(served: readonly ServedModel[]) {
  return {
    list: () => served,
    versions: (name: string) => served.filter((model) => model.name === name).map(({ version }) => version),
    find(name: string, version = '1') {
      const found = served.find((model) => model.name === name && model.version === version);
      if (found === undefined)
        throw new ServerError('MODEL_NOT_FOUND', `Request for unknown model: '${name}' is not found`);
      return found;
    },
  };
}

function submitterOf(models: readonly StubModel[], seen: Item[]) {
  const find = (model: ServedModel): StubModel | undefined => models.find(({ name }) => name === model.name);
  return {
    isFull: (model: ServedModel) => find(model)?.isFull ?? false,
    refusal: () => new ServerError('QUEUE_FULL', undefined, { retryAfterMs: 1500 }),
    queueOf: () => ({ waiting: 0, running: 0, permits: 0, queueItems: 64 }),
    call: (model: ServedModel, { name, argument }: { name: string; argument: unknown }) =>
      Promise.resolve(find(model)?.calls?.[name]?.(argument as never)),
    async items(model: ServedModel, items: readonly Item[], { cancellation, onEvent, onResult }: SubmitOptions) {
      seen.push(...items);
      const cancelled = new Promise<void>((resolve) => cancellation.add({ cancel: resolve }));
      const results = await Promise.all(
        items.map(async (item, index): Promise<ItemResult> => {
          const context = { index, emit: (event: unknown) => onEvent?.(index, event), cancelled };
          const result = await serveItem(find(model), item, context);
          onResult?.(index, result);
          return result;
        }),
      );
      return { results, timing: emptyTiming() };
    },
  };
}

async function serveItem(
  model: StubModel | undefined,
  item: Item,
  context: Parameters<StubModel['serve']>[1],
): Promise<ItemResult> {
  try {
    if (model === undefined) throw new Error('no such stub');
    return { ok: true, reply: await model.serve(item, context) };
  } catch (error) {
    return { ok: false, error: toServerError(error) };
  }
}

/** What a CPU thread would do, but for preparing: stub models take items as they are. */
async function runHere(request: CpuRequest, offThread: string[]): Promise<unknown> {
  await Promise.resolve();
  offThread.push(request.kind);
  if (request.kind === 'peekJson') return peekJson(request.body);
  if (request.kind === 'decodeApi') {
    const { items, ...rest } = await APIS[request.api](request.body, request);
    return { ...rest, blocks: blocksOf(items).blocks };
  }
  if (request.kind === 'prepareItems') return itemsOf(request.items);
  if (request.kind === 'printEmbeddings') return Buffer.from(printEmbeddings(request.rows));
  if (request.kind !== 'callApi') throw new Error(`no ${request.kind} in this stub`);
  const { name, argument } = API_CALLS[request.api](request.body, request);
  return Buffer.from(JSON.stringify([name, argument]));
}
