import { createHash } from 'node:crypto';
import { z } from 'zod';
import { OLLAMA } from '../dialects/ollama/dialect.ts';
import { nameOf } from '../dialects/ollama/names.ts';
import type { ModelFacts } from '../dialects/shared/operation.ts';
import { ServerError } from '../errors.ts';
import { parseJsonObject, type JsonObject } from '../json.ts';
import { readBody } from './body.ts';
import type { Routes } from './express-routes.ts';
import { limitsOf } from './inference.ts';
import type { Services } from './services.ts';

const SHOW = z.object({ model: z.string().optional(), name: z.string().optional() });
/** The version of Ollama whose API this is: clients refuse a server that tells an older one than they need (VS Code: 0.6.4). */
const API_VERSION = '0.12.0';
/** Clients want a time for every model, and model folders have none that means anything. */
const STARTED = new Date().toISOString();
/** What Ollama calls the tasks that its API reaches. */
const CAPABILITIES: Readonly<Record<string, readonly string[]>> = {
  chat: ['completion', 'tools'],
  embeddings: ['embedding'],
};

/** What Ollama's clients ask beside inference: which models there are, and of which kind. */
export function addOllama(routes: Routes, services: Services): void {
  const { door, version } = services;
  const models = (): ModelFacts[] => [...new Map(door.known.all().map((model) => [model.name, model])).values()];
  routes.add('get', '/api/version', {
    dialect: OLLAMA,
    about: { summary: 'The version of the API, and that of the server' },
    handle: (exchange) => exchange.json({ version: API_VERSION, carpool: version }),
  });
  routes.add('get', '/api/tags', {
    dialect: OLLAMA,
    about: { summary: 'Lists the models that chat or embed' },
    handle: (exchange) => exchange.json({ models: models().filter(isReachable).map(describe) }),
  });
  routes.add('get', '/api/ps', {
    dialect: OLLAMA,
    about: { summary: 'Lists those of them that are loaded' },
    handle(exchange) {
      const loaded = new Set(services.repository.list().map(({ name }) => name));
      const running = models().filter((model) => isReachable(model) && loaded.has(model.name));
      return exchange.json({ models: running.map(describe) });
    },
  });
  routes.add('post', '/api/show', {
    dialect: OLLAMA,
    about: { summary: 'Tells of a model', body: SHOW },
    scope: 'any',
    async handle(exchange) {
      const { bytes, release } = await readBody(exchange.request, limitsOf(exchange, services, 64 * 1024));
      exchange.releaseLater(release);
      const { model, name } = SHOW.parse(namesOf(parseJsonObject(bytes)));
      const asked = nameOf(model ?? name);
      if (asked === undefined) throw new ServerError('BAD_REQUEST', "'model' must name a model.");
      const facts = door.known.factsByName(asked);
      const { task } = facts.description;
      await exchange.json({
        ...describe(facts),
        model_info: { 'general.architecture': task, 'general.basename': facts.name },
        capabilities: CAPABILITIES[task] ?? [],
      });
    },
  });
}

/** Those fields that are texts. */
function namesOf(values: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => typeof value === 'string'));
}

function isReachable({ description: { task } }: ModelFacts): boolean {
  return Object.hasOwn(CAPABILITIES, task);
}

function describe({ name, description: { task } }: ModelFacts): JsonObject {
  const details = {
    parent_model: '',
    format: 'onnx',
    family: task,
    families: [task],
    parameter_size: '',
    quantization_level: '',
  };
  // Clients show the first 12 characters, and Ollama's own ends in a panic where there are fewer.
  const digest = createHash('sha256').update(name).digest('hex');
  return { name, model: name, modified_at: STARTED, size: 0, digest, details };
}
