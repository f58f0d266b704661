import { z } from 'zod';
import { once } from '../once.ts';
import { anything } from '../dialects/shared/answer-schema.ts';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { ERRORS, ServerError, toServerError } from '../errors.ts';
import { JSON_TYPE } from '../dialects/shared/about.ts';
import { HTTP } from '../dialects/shared/dialect.ts';
import { teiInfo, type TextModelInfo } from '../dialects/tei/replies.ts';
import { factsOf } from '../serving/models.ts';
import { textModels } from '../dialects/tei/operations.ts';
import { shownConfig } from '../config/help.ts';
import { expressLog } from './access-log.ts';
import { Exchange } from './exchange.ts';
import { isAllowedPreflight } from './cors.ts';
import { answerOtherMethod, Routes } from './express-routes.ts';
import { missingExtension } from '../dialects/oip/missing.ts';
import { missingOllama } from '../dialects/ollama/missing.ts';
import { addOipManagement } from './oip-management.ts';
import { PROBES } from './probes.ts';
import { addBatches } from './batches.ts';
import { addDocs } from './openapi/docs.ts';
import { addFiles } from './files.ts';
import { addModelAbout } from './model-about.ts';
import { addJobs } from './jobs.ts';
import { addOllama } from './ollama.ts';
import { addOpenAiModels } from './openai-models.ts';
import { readPulled } from '../repository/pulled.ts';
import { dtypeOf } from '../dtype.ts';
import { addLive } from './live.ts';
import { addPageParts, prefersPage, sendPage } from './page.ts';
import { addOpenAiResponses } from './openai-responses.ts';
import { dialectOf, operationAt } from '../dialects/operation-table.ts';
import type { Services } from './services.ts';

/** Everything that is not hot: pages for people, metrics, management. */
export function createApp(services: Services): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(expressLog(services.access));
  const routes = new Routes(app, services);
  addFront(routes, services);
  routes.add('get', '/info', {
    dialect: HTTP,
    about: { summary: 'Tells versions, lanes, models with their signatures and queues, and options', answer: INFO },
    handle: async (exchange) => exchange.json({ ...(await teiFields(services)), ...info(services) }),
  });
  routes.add('get', '/metrics', {
    dialect: HTTP,
    scope: 'metrics',
    about: { summary: 'Metrics for Prometheus', answerTypes: ['text/plain'] },
    async handle(exchange) {
      exchange.quiet = true;
      services.refreshGauges();
      const { registry } = services.metrics;
      await exchange.reply({ contentType: registry.contentType, chunks: [Buffer.from(await registry.metrics())] });
    },
  });
  addModelAbout(routes, services);
  addOipManagement(routes, services);
  addOpenAiModels(routes, services);
  addOpenAiResponses(routes);
  addOllama(routes, services);
  addJobs(routes, services);
  addFiles(routes, services);
  addBatches(routes, services);
  if (services.config.API_DOCS) addDocs(routes, services);
  routes.answerOtherMethods();
  app.use((request: Request, response: Response) => {
    const exchange = new Exchange(request, response, { services, dialect: dialectOf(request.path) });
    // The methods of the server as a whole (RFC 9110 9.3.7).
    const isOfAll = request.url === '*';
    const isUnknown = !Object.hasOwn(PROBES, request.path) && operationAt(request.path) === undefined;
    // A page sees a 404 only if its preflight has succeeded.
    if (isOfAll || (isUnknown && isAllowedPreflight(request, response))) answerOtherMethod(exchange, ['get', 'post']);
    else if (Object.hasOwn(PROBES, request.path)) answerOtherMethod(exchange, ['get']);
    else if (isUnknown) exchange.fail(nothingAt(request.path));
    else answerOtherMethod(exchange, ['post']);
  });
  app.use((thrown: unknown, request: Request, response: Response, next: NextFunction) => {
    if (response.headersSent) {
      next(thrown);
      return;
    }
    // Express throws errors with a 4xx status of its own for paths that cannot be decoded.
    const status = (thrown as { status?: unknown }).status;
    const error = status === ERRORS.BAD_REQUEST.status ? new ServerError('BAD_REQUEST') : toServerError(thrown);
    new Exchange(request, response, { services, dialect: dialectOf(request.path) }).fail(error);
  });
  return app;
}

/** `/`: JSON for programs, and for browsers a page. */
function addFront(routes: Routes, services: Services): void {
  const hasPage = services.config.DASHBOARD;
  routes.add('get', '/', {
    dialect: HTTP,
    about: {
      summary: 'Names the models and their addresses; browsers get a page that shows what the server does',
      answer: OVERVIEW,
      answerTypes: hasPage ? [JSON_TYPE, 'text/html'] : [JSON_TYPE],
    },
    // The page holds no data.
    scope: 'open',
    async handle(exchange, request) {
      if (hasPage && prefersPage(request)) {
        await sendPage(exchange, request);
        return;
      }
      const refusal = services.keys?.scopeRefusal(request, 'any');
      if (refusal !== undefined) throw refusal;
      const chunks = [Buffer.from(JSON.stringify(overview(services)))];
      await exchange.reply({ contentType: 'application/json', chunks }, hasPage ? 'Accept' : undefined);
    },
  });
  if (!hasPage) return;
  addPageParts(routes);
  addLive(routes, services);
}

/** Why there is nothing. Clients of OpenAI are often given the address of the server as their base URL. */
function nothingAt(path: string): ServerError {
  const why = missingExtension(path) ?? missingOllama(path);
  if (why !== undefined) return new ServerError('NOT_FOUND', `There is nothing at ${path}: ${why}.`);
  const meant = `/v1${path}`;
  if (operationAt(meant) === undefined && path !== '/models') return new ServerError('NOT_FOUND');
  return new ServerError(
    'NOT_FOUND',
    `There is nothing at ${path}. Clients of OpenAI need a base URL that ends in /v1.`,
  );
}

/** TEI's fields of `GET /info`, for the model that its routes would use; none if there is no text model. */
async function teiFields({
  door,
  repository,
  config,
  cpuThreads,
}: Services): Promise<Readonly<Record<string, unknown>>> {
  // Asking for the page loads no model.
  if (repository.asleep().some((source) => textModels('info').some((fits) => fits(factsOf(source))))) return {};
  const model = door.models.firstFor(textModels('info'));
  const tell = model?.task.calls?.['info'] as (() => TextModelInfo) | undefined;
  if (model === undefined || tell === undefined) return {};
  const { name, description, limits, queueItems, taskSource } = model;
  const pulled = await readPulled(taskSource.folder);
  return teiInfo({
    name,
    id: pulled?.repository ?? name,
    commit: pulled?.commit,
    dtype: TEI_DTYPES[dtypeOf(taskSource.weights)] ?? dtypeOf(taskSource.weights),
    task: description.task,
    info: tell(),
    queueItems,
    maxItems: description.maxItems,
    maxCost: limits.maxCost === Infinity ? undefined : limits.maxCost,
    itemLimit: Math.min(config.ITEM_LIMIT, queueItems),
    threads: cpuThreads,
  });
}

/** TEI's names of precisions. */
const TEI_DTYPES: Readonly<Record<string, string>> = { fp32: 'float32', fp16: 'float16' };

const OVERVIEW = once(() => {
  const text = z.string();
  const model = { name: text, version: text, task: text, loaded: z.boolean(), predict: text, infer: text };
  return z
    .object({
      ...{ name: z.literal('carpool'), version: text, phase: text, see: z.array(text) },
      models: z.array(z.object({ ...model, description: text.optional() })),
    })
    .meta({ id: 'Overview' });
});

function overview({ version, repository, state, config }: Services): unknown {
  const loaded = repository.list().map(({ name, version: modelVersion, description: { task, description } }) => ({
    ...{ name, version: modelVersion, task, description, loaded: true },
  }));
  const asleep = repository.asleep().map(({ name, version: modelVersion, manifest: { task, description } }) => ({
    ...{ name, version: String(modelVersion), task, description, loaded: false },
  }));
  return {
    name: 'carpool',
    version,
    phase: state.phase,
    models: [...loaded, ...asleep].map(({ description, ...model }) => ({
      ...model,
      predict: `/predict/${model.name}`,
      infer: `/v2/models/${model.name}/infer`,
      ...(description === undefined ? {} : { description }),
    })),
    see: [
      '/info',
      '/metrics',
      '/v1/models',
      '/v2',
      '/health',
      '/ready',
      '/started',
      ...(config.API_DOCS ? ['/docs'] : []),
    ],
  };
}

/** Fields of TEI's are there for a text model alone. */
const INFO = once(() => {
  const text = z.string();
  return z
    .looseObject({
      ...{ name: text, version: text, node: text, plan: anything, config: anything },
      ...{ models: z.array(anything), asleep: z.array(z.object({ name: text, task: text })) },
    })
    .meta({ id: 'Info' });
});

function info({ version, config, plan, repository, door }: Services): Readonly<Record<string, unknown>> {
  return {
    name: 'carpool',
    version,
    node: process.version,
    plan: plan(),
    models: repository.list().map((model) => ({
      ...shortened(model.description),
      versions: repository.versions(model.name),
      queue: door.queueOf(model),
    })),
    asleep: repository.asleep().map(({ name, manifest: { task } }) => ({ name, task })),
    config: shownConfig(config),
  };
}

/** An example of thousands of numbers hides everything else on the page. */
const LONGEST_EXAMPLE = 1000;

function shortened<Description extends { readonly example?: unknown }>(description: Description): Description {
  const { example, ...rest } = description;
  return JSON.stringify(example ?? null).length > LONGEST_EXAMPLE ? (rest as Description) : description;
}
