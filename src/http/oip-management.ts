import { z } from 'zod';
import type { Request } from 'express';
import { once } from '../once.ts';
import { OIP } from '../dialects/oip/dialect.ts';
import { isObject, parseJsonObject, type JsonObject } from '../json.ts';
import {
  CONFIG_ANSWER,
  INDEX_ANSWER,
  MODEL_ANSWER,
  modelConfig,
  modelMetadata,
  modelStatistics,
  repositoryIndex,
  SERVER_ANSWER,
  serverMetadata,
  STATISTICS_ANSWER,
} from '../dialects/oip/metadata.ts';
import { ServerError } from '../errors.ts';
import type { ModelDescription } from '../model.ts';
import { createStatistics } from '../serving/statistics.ts';
import { ModelAsleep } from '../repository/entry.ts';
import type { ServedModel } from '../serving/served-model.ts';
import type { Handler, RouteAbout, Routes } from './express-routes.ts';
import { readBody } from './body.ts';
import type { Exchange } from './exchange.ts';
import type { Services } from './services.ts';

const parameters = z.record(z.string(), z.unknown()).optional();
const ANY_OBJECT = z.object({ parameters });
const INDEX = z.object({ ready: z.boolean().optional() });
const LOAD = z.object({ parameters: z.object({ config: z.string().optional() }).optional() });

const READY = once(() => z.object({ name: z.string(), ready: z.literal(true) }));

/** Management requests are small. */
const BODY_LIMIT_BYTES = 1024 * 1024;

/** The Open Inference Protocol except inference itself: metadata, config, statistics, repository. */
export function addOipManagement(routes: Routes, services: Services): void {
  const { repository, version } = services;
  const get = (path: string, about: RouteAbout, handle: Handler): void =>
    routes.add('get', path, { dialect: OIP, about, handle });
  const paths = (path: string): string[] =>
    ['/v2/models/:model', '/v2/models/:model/versions/:version'].map((prefix) => prefix + path);
  const ofModel = (path: string, about: RouteAbout, answer: (model: ServedModel) => unknown): void => {
    for (const whole of paths(path))
      get(whole, about, async (exchange, request) =>
        exchange.json(answer(await awake(services, { exchange, request }))),
      );
  };
  const describe = (model: ServedModel): ModelDescription => ({
    ...model.description,
    versions: repository.versions(model.name),
  });

  get('/v2', { summary: 'Tells of the server', answer: SERVER_ANSWER }, (exchange) =>
    exchange.json(serverMetadata(version)),
  );
  get('/v2/models/stats', { summary: 'Statistics of all models', answer: STATISTICS_ANSWER }, (exchange) =>
    exchange.json(modelStatistics(repository.list().map(statisticsOf))),
  );
  ofModel('', { summary: 'Inputs and outputs of a model', answer: MODEL_ANSWER }, (model) =>
    modelMetadata(describe(model)),
  );
  ofModel('/config', { summary: 'Configuration of a model', answer: CONFIG_ANSWER }, (model) =>
    modelConfig(describe(model)),
  );
  for (const path of paths('/stats'))
    get(path, { summary: 'Statistics of a model', answer: STATISTICS_ANSWER }, (exchange, request) =>
      exchange.json(modelStatistics([statisticsIn(services, request)])),
    );
  for (const path of paths('/ready'))
    get(path, { summary: 'Whether a model serves', answer: READY }, (exchange, request) => {
      const name = nameIfServed(services, request);
      if (services.state.phase !== 'ready')
        throw new ServerError('MODEL_UNAVAILABLE', `The server is ${services.state.phase}.`);
      return exchange.json({ name, ready: true });
    });

  addRepository(routes, services);
}

/** What changes what is served, and the list of it. */
function addRepository(routes: Routes, services: Services): void {
  const { repository, config } = services;
  const change = (path: string, about: RouteAbout, handle: Handler): void =>
    routes.add('post', path, { dialect: OIP, about, handle, changes: true });
  const index: Handler = async (exchange) => {
    const { ready } = await readJson(exchange, services);
    if (ready !== undefined && typeof ready !== 'boolean')
      throw new ServerError('BAD_REQUEST', "'ready' must be true or false.");
    await exchange.json(repositoryIndex(repository.index(), ready));
  };
  routes.add('post', '/v2/repository/index', {
    dialect: OIP,
    about: { summary: 'Lists the versions of all models, with their states', body: INDEX, answer: INDEX_ANSWER },
    handle: index,
    scope: 'any',
  });
  change('/v2/repository/models/:model/load', { summary: 'Loads a model', body: LOAD }, async (exchange, request) => {
    const { parameters, config: misplaced } = await readJson(exchange, services);
    const { config: override, ...rest } = objectOr(parameters, 'parameters');
    const isFile = (key: string): boolean => key.startsWith('file:');
    const files = Object.keys(rest).find(isFile);
    const unknown = misplaced === undefined ? Object.keys(rest).find((key) => !isFile(key)) : 'config';
    // Ignoring these parameters would look as if the load had followed them.
    if (unknown !== undefined)
      throw new ServerError(
        'BAD_REQUEST',
        `There is no "${unknown.slice(0, 40)}" here: a load request has {"parameters": {"config": "{...}"}}.`,
      );
    await repository.load(nameOf(request), {
      ...(override === undefined ? {} : { config: override }),
      ...(files === undefined ? {} : { files }),
    });
    await empty(exchange);
  });
  change(
    '/v2/repository/models/:model/unload',
    { summary: 'Unloads a model', body: ANY_OBJECT },
    async (exchange, request) => {
      await readJson(exchange, services);
      await repository.unload(nameOf(request));
      await empty(exchange);
    },
  );
  services.log.debug({ control: config.MODEL_CONTROL }, 'model control');
}

/** The name of a model that serves, or that the first request loads. Throws MODEL_NOT_FOUND, MODEL_UNAVAILABLE. */
function nameIfServed(services: Services, request: Request): string {
  try {
    return findModel(services, request).name;
  } catch (error) {
    if (error instanceof ModelAsleep) return error.model;
    throw error;
  }
}

/** A model that sleeps is not loaded for its statistics, which begin with each load. */
function statisticsIn(services: Services, request: Request) {
  const { version } = request.params;
  // Looked up without being used: who watches a model does not keep it loaded.
  const served = services.repository
    .list()
    .findLast((one) => one.name === nameOf(request) && (version === undefined || one.version === version));
  if (served !== undefined) return statisticsOf(served);
  try {
    return statisticsOf(findModel(services, request));
  } catch (error) {
    if (!(error instanceof ModelAsleep)) throw error;
    const source = services.repository.asleep().find(({ name }) => name === error.model);
    if (source === undefined) throw error;
    return { model: { name: source.name, version: String(source.version) }, statistics: createStatistics() };
  }
}

/** The model, which is loaded if it sleeps: what its tensors are is known only then. */
async function awake(
  services: Services,
  { exchange, request }: { readonly exchange: Exchange; readonly request: Request },
): Promise<ServedModel> {
  try {
    return findModel(services, request);
  } catch (error) {
    if (!(error instanceof ModelAsleep)) throw error;
    services.door.checkPhase();
    await services.door.wake(error.model, exchange);
    return findModel(services, request);
  }
}

function findModel({ repository, state, door }: Services, request: Request): ServedModel {
  // Until all models are loaded, one that is not there yet is not unknown.
  if (state.phase === 'starting') door.checkPhase();
  const { version } = request.params;
  return repository.find(nameOf(request), typeof version === 'string' ? version : undefined);
}

function nameOf(request: Request): string {
  const { model } = request.params;
  return typeof model === 'string' ? model : '';
}

function statisticsOf({ description, statistics }: ServedModel) {
  return { model: description, statistics };
}

/** tritonclient takes status 200 alone as success, and wants no body. */
function empty(exchange: Exchange): Promise<void> {
  return exchange.reply({ contentType: 'application/json', chunks: [] });
}

/** A JSON object, or `{}` for an empty body: index is asked without one. */
async function readJson(exchange: Exchange, { budget }: Services): Promise<Record<string, unknown>> {
  const { bytes, release } = await readBody(exchange.request, {
    limitBytes: BODY_LIMIT_BYTES,
    budget,
    cancellation: exchange.cancellation,
    deadline: exchange.deadline,
  });
  release();
  if (bytes.byteLength === 0) return {};
  return parseJsonObject(bytes);
}

function objectOr(value: unknown, what: string): JsonObject {
  if (value === undefined) return {};
  if (!isObject(value)) throw new ServerError('BAD_REQUEST', `${what} must be a JSON object.`);
  return value;
}
