import { ServerError } from '../errors.ts';
import type { ServedModel } from '../serving/served-model.ts';
import type { Exchange } from './exchange.ts';
import type { Services } from './services.ts';

/**
 * What can be refused before a body is read: a server that is not ready, a model that is not there, a queue that is full.
 * Throws STARTING, DRAINING, FAILED, MODEL_NOT_FOUND, MODEL_UNAVAILABLE or QUEUE_FULL.
 */
export function admitRequest(
  exchange: Exchange,
  { state, repository, submitter }: Services,
  name: string,
  version?: string,
): ServedModel {
  checkPhase(state);
  const model = repository.find(name, version);
  exchange.serveWith(model);
  if (submitter.isFull(model)) throw submitter.refusal(model);
  return model;
}

/** Throws STARTING, DRAINING or FAILED unless the server is ready. */
export function checkPhase({ phase, why }: Services['state']): void {
  if (phase === 'starting') throw new ServerError('STARTING', undefined, { retryAfterMs: 1000 });
  if (phase === 'draining') throw new ServerError('DRAINING', undefined, { retryAfterMs: 1000 });
  if (phase === 'failed') throw new ServerError('FAILED', `The server has failed: ${why}`, { retryAfterMs: 1000 });
}

/** The model of requests that name none: DEFAULT_MODEL, or the only one there is. Throws MODEL_NOT_FOUND. */
export function defaultModel({ config, repository, state }: Services): string {
  if (config.DEFAULT_MODEL !== '') return config.DEFAULT_MODEL;
  checkPhase(state);
  const names = new Set(repository.list().map(({ name }) => name));
  const [only] = names;
  if (names.size === 1 && only !== undefined) return only;
  if (names.size === 0) throw new ServerError('MODEL_NOT_FOUND', 'There is no model here: none is loaded.');
  throw new ServerError(
    'MODEL_NOT_FOUND',
    `There is no default model; name one of ${[...names].join(', ')}: POST /predict/<model>.`,
  );
}
