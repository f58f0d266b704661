import { createHash } from 'node:crypto';
import { z } from 'zod';
import { once } from '../once.ts';
import { dtypeOf, type Dtype } from '../dtype.ts';
import { anything, count } from '../dialects/shared/answer-schema.ts';
import { text } from '../dialects/shared/body-schema.ts';
import { OLLAMA } from '../dialects/ollama/dialect.ts';
import { nameOf } from '../dialects/ollama/names.ts';
import type { TextModelInfo } from '../dialects/tei/replies.ts';
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
/** Ollama's own time for a model that stays: its command prints "Forever" for what is centuries away. */
const FOREVER = '2318-01-01T00:00:00Z';

/** What Ollama's clients ask beside inference: which models there are, and of which kind. */
export function addOllama(routes: Routes, services: Services): void {
  const { door, repository, version } = services;
  routes.add('get', '/api/version', {
    dialect: OLLAMA,
    about: { summary: 'The version of the API, and that of the server', answer: VERSION },
    handle: (exchange) => exchange.json({ version: API_VERSION, carpool: version }),
  });
  routes.add('get', '/api/tags', {
    dialect: OLLAMA,
    about: { summary: 'Lists the models that chat or embed', answer: TAGS },
    handle: (exchange) => exchange.json({ models: rowsOf(services).filter(isReachable).map(describe) }),
  });
  routes.add('get', '/api/ps', {
    dialect: OLLAMA,
    about: { summary: 'Lists those of them that are loaded', answer: RUNNING },
    handle(exchange) {
      const models = rowsOf(services).filter((model) => model.devices !== undefined && isReachable(model));
      const running = models.map((model) => {
        const row = describe(model);
        const keptMs = repository.onDemand.keptMs(model.name);
        return {
          ...row,
          size_vram: model.devices?.some((device) => device.startsWith('cuda')) === true ? row.size : 0,
          expires_at: keptMs === Infinity ? FOREVER : new Date(Date.now() + keptMs).toISOString(),
        };
      });
      return exchange.json({ models: running });
    },
  });
  routes.add('post', '/api/show', {
    dialect: OLLAMA,
    about: { summary: 'Tells of a model', body: SHOW, answer: SHOWN },
    scope: 'any',
    async handle(exchange) {
      const { bytes, release } = await readBody(exchange.request, limitsOf(exchange, services, 64 * 1024));
      exchange.releaseLater(release);
      const { model, name } = SHOW.parse(namesOf(parseJsonObject(bytes)));
      const asked = nameOf(model ?? name);
      if (asked === undefined) throw new ServerError('BAD_REQUEST', "'model' must name a model.");
      const facts = door.known.factsByName(asked);
      const row = rowsOf(services).find((one) => one.name === facts.name);
      if (row === undefined) throw new ServerError('MODEL_NOT_FOUND');
      const { modified_at, details } = describe(row);
      const { task, contextTokens } = row;
      await exchange.json({
        ...{ modified_at, details, capabilities: CAPABILITIES[task] ?? [] },
        model_info: {
          ...{ 'general.architecture': task, 'general.basename': row.name },
          ...(contextTokens === undefined ? {} : { [`${task}.context_length`]: contextTokens }),
        },
      });
    },
  });
}

/** Those fields that are texts. */
function namesOf(values: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => typeof value === 'string'));
}

/** What is told of a model, loaded or not. */
interface Row {
  readonly name: string;
  readonly task: string;
  /** The file of its graph, and the bytes of all its files. */
  readonly weights: string;
  readonly fileBytes: number;
  /** Of a loaded model. */
  readonly devices?: readonly string[];
  readonly contextTokens?: number | undefined;
}

/** All models, by name; of several versions the highest. */
function rowsOf({ repository }: Services): readonly Row[] {
  const asleep = repository.asleep().map(({ name, manifest: { task }, weights, fileBytes }): Row => {
    return { name, task, weights, fileBytes };
  });
  const loaded = repository.list().map(({ name, description, task: { calls }, taskSource, fileBytes }): Row => {
    const tell = calls?.['info'] as (() => TextModelInfo) | undefined;
    const { task, devices } = description;
    return { name, task, weights: taskSource.weights, fileBytes, devices, contextTokens: tell?.().maxInputLength };
  });
  const rows = new Map([...asleep, ...loaded].map((row) => [row.name, row]));
  return [...rows.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function isReachable({ task }: Row): boolean {
  return Object.hasOwn(CAPABILITIES, task);
}

function describe({ name, task, weights, fileBytes }: Row) {
  const details = {
    parent_model: '',
    format: 'onnx',
    family: task,
    families: [task],
    parameter_size: '',
    quantization_level: LEVELS[dtypeOf(weights)] ?? '',
  };
  // Clients show the first 12 characters, and Ollama's own ends in a panic where there are fewer.
  const digest = createHash('sha256').update(name).digest('hex');
  return { name, model: name, modified_at: STARTED, size: fileBytes, digest, details };
}

/** Ollama's names of precisions. */
const LEVELS: Partial<Record<Dtype, string>> = {
  ...{ fp32: 'F32', fp16: 'F16', q8: 'Q8_0', int8: 'Q8_0', uint8: 'Q8_0', q4: 'Q4_0', q4f16: 'Q4_0', bnb4: 'NF4' },
};

const VERSION = once(() => z.object({ version: text, carpool: text }));

const DETAILS = once(() =>
  z.object({
    ...{ parent_model: text, format: text, family: text, families: z.array(text) },
    ...{ parameter_size: text, quantization_level: text },
  }),
);

const TAG = { name: text, model: text, modified_at: text, size: count, digest: text };
const TAGS = once(() =>
  z.object({ models: z.array(z.object({ ...TAG, details: DETAILS() })) }).meta({ id: 'OllamaTags' }),
);
const RUNNING = once(() =>
  z
    .object({ models: z.array(z.object({ ...TAG, details: DETAILS(), size_vram: count, expires_at: text })) })
    .meta({ id: 'OllamaRunning' }),
);
const SHOWN = once(() =>
  z
    .object({ modified_at: text, details: DETAILS(), capabilities: z.array(text), model_info: anything })
    .meta({ id: 'OllamaModel' }),
);
