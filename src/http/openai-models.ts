import { z } from 'zod';
import { once } from '../once.ts';
import { count } from '../dialects/shared/answer-schema.ts';
import { text } from '../dialects/shared/body-schema.ts';
import { OPENAI } from '../dialects/openai/dialect.ts';
import type { ModelFacts } from '../dialects/shared/operation.ts';
import type { Routes } from './express-routes.ts';
import type { Services } from './services.ts';

/** Start of this server: the API needs a time for every model, and model folders have none that means anything. */
const CREATED = Math.floor(Date.now() / 1000);

/**
 * `GET /v1/models` and `/v1/models/<name>`: all models that can be asked for, of any task, by each name that they have. `GET /v1/audio/voices`: the voices of those that are
 * loaded, as Open WebUI and others ask for them.
 */
export function addOpenAiModels(routes: Routes, { repository, door }: Services): void {
  routes.add('get', '/v1/models', {
    dialect: OPENAI,
    about: { summary: 'Lists the models', answer: LIST },
    handle(exchange) {
      const models = new Map(door.known.all().map((model) => [model.name, model])).values();
      const data = [...models].flatMap((model) =>
        [model.name, ...repository.aliasesOf(model.name)].map((id) => describe(id, model)),
      );
      return exchange.json({ object: 'list', data });
    },
  });
  routes.add('get', '/v1/audio/voices', {
    dialect: OPENAI,
    about: { summary: 'Lists the voices of models that speak', answer: VOICES },
    handle(exchange) {
      const voices = [...new Set(door.known.all())].flatMap(({ name: model, task: { calls } }) => {
        const names = calls?.['voices'] as (() => readonly string[]) | undefined;
        return (names?.() ?? []).map((name) => ({ id: name, name, model }));
      });
      return exchange.json({ voices });
    },
  });
  routes.add('get', '/v1/models/*name', {
    dialect: OPENAI,
    about: { summary: 'Tells of a model', answer: MODEL },
    handle(exchange, request) {
      // A name may have an owner in front, with a slash.
      const { name = [] } = request.params as { name?: readonly string[] };
      const id = name.join('/');
      const model = door.known.factsByName(id);
      return exchange.json(describe(repository.aliasesOf(model.name).includes(id) ? id : model.name, model));
    },
  });
}

const MODEL = once(() =>
  z
    .object({
      ...{ id: text, object: z.literal('model'), created: count, owned_by: text },
      ...{ root: text.optional(), task: text },
    })
    .meta({ id: 'Model' }),
);
const LIST = once(() => z.object({ object: z.literal('list'), data: z.array(MODEL()) }).meta({ id: 'Models' }));
const VOICES = once(() => z.object({ voices: z.array(z.object({ id: text, name: text, model: text })) }));

/** `root` is the model that an alias stands for, as vLLM names it. */
function describe(id: string, { name, description: { task } }: ModelFacts): unknown {
  return { id, object: 'model', created: CREATED, owned_by: 'carpool', ...(id === name ? {} : { root: name }), task };
}
