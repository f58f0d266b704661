import { OPENAI } from '../dialects/openai/dialect.ts';
import { ServerError } from '../errors.ts';
import type { Routes } from './express-routes.ts';

/** Responses by their ids, which this server does not store. */
export function addOpenAiResponses(routes: Routes): void {
  for (const method of ['get', 'delete'] as const)
    routes.add(method, '/v1/responses/:id', {
      dialect: OPENAI,
      about: { summary: 'Tells that responses are not kept', answerTypes: [] },
      handle: () =>
        Promise.reject(
          new ServerError(
            'NOT_FOUND',
            'This server stores no responses: an answer is the only place where it is told.',
            {
              ...{ param: 'response_id', reason: 'not_found' },
            },
          ),
        ),
    });
}
