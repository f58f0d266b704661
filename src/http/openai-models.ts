import { OPENAI } from '../dialects/openai/dialect.ts';
import type { Routes } from './express-routes.ts';
import type { Services } from './services.ts';

/** Start of this server: the API needs a time for every model, and model folders have none that means anything. */
const CREATED = Math.floor(Date.now() / 1000);

/** `GET /v1/models` and `/v1/models/<name>`: all loaded models, of any task. */
export function addOpenAiModels(routes: Routes, services: Services): void {
  const describe = ({ name, description }: { name: string; description: { task: string } }): unknown => ({
    id: name,
    object: 'model',
    created: CREATED,
    owned_by: 'carpool',
    task: description.task,
  });
  routes.add('get', '/v1/models', {
    dialect: OPENAI,
    handle(exchange) {
      const byName = new Map(services.repository.list().map((model) => [model.name, model]));
      return exchange.json({ object: 'list', data: Array.from(byName.values(), describe) });
    },
  });
  routes.add('get', '/v1/models/*name', {
    dialect: OPENAI,
    handle(exchange, request) {
      // A name may have an owner in front, with a slash.
      const { name } = request.params as { name?: readonly string[] };
      return exchange.json(describe(services.door.models.findByName((name ?? []).join('/'))));
    },
  });
}
